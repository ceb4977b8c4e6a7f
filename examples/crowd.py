"""Callers of the cluster: check-ins from many threads, each sent until somebody acknowledges it."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from typing import Final

import grpc

from okr import OkrClient, OkrError
from okr.request_ids import new_request_id
from okr.v1.ledger_service_pb2 import RecordCheckInRequest, RecordCheckInResponse
from okr.v1.values_pb2 import Measurement

PATIENCE_SECONDS: Final = 60.0
"""How long one check-in is sent again and again before the cluster has failed."""

LAST_VALUE: Final = "7000"

MAY_BE_REPEATED: Final = {
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.ABORTED,
    grpc.StatusCode.DEADLINE_EXCEEDED,
}
"""After these nobody knows what became of a write; the same request id finds it out."""


class Crowd:
    """Callers of several servers, all of which each of them knows.

    `acknowledged` has the position of each check-in by its request id, `longest_seconds` the
    longest that a caller has waited for one of them, `again` how often one was sent again by hand,
    after the client's own attempts.
    """

    def __init__(self, addresses: Sequence[str], key_results: Sequence[str], how_many: int) -> None:
        self.acknowledged: dict[str, int] = {}
        self.longest_seconds = 0.0
        self.again = 0
        self._target = f"ipv4:{','.join(addresses)}"
        self._key_results = key_results
        self._numbers = iter(range(how_many))
        self._lock = threading.Lock()
        self._ended = threading.Event()

    @contextmanager
    def calling(self, callers: int) -> Iterator[Callable[[], bool]]:
        """Has so many callers send until all check-ins are acknowledged, or the block ends early.

        Gives a function that tells whether they have finished.

        Raises:
            OkrError: a check-in was refused, or nobody has answered for `PATIENCE_SECONDS`.
        """
        with ThreadPoolExecutor(callers, "caller") as threads:
            sent: list[Future[None]] = [threads.submit(self._call) for _ in range(callers)]
            try:
                yield lambda: all(each.done() for each in sent)
            finally:
                self._ended.set()
        for each in sent:
            each.result()

    def record(self, okr: OkrClient, key_result: str) -> RecordCheckInResponse:
        """One check-in more, through one server alone."""
        request = self._request(key_result, LAST_VALUE)
        answer = okr.ledger.RecordCheckIn(request)
        self.acknowledged[request.request_id] = answer.position
        return answer

    def _call(self) -> None:
        """One caller's life."""
        with OkrClient(self._target) as okr:
            while not self._ended.is_set():
                with self._lock:
                    number = next(self._numbers, None)
                if number is None:
                    return
                key_result = self._key_results[number % len(self._key_results)]
                self._send(okr, self._request(key_result, str(number)))

    @staticmethod
    def _request(key_result: str, value: str) -> RecordCheckInRequest:
        return RecordCheckInRequest(
            parent=key_result,
            measurement=Measurement(value=value),
            request_id=new_request_id(),
        )

    def _send(self, okr: OkrClient, request: RecordCheckInRequest) -> None:
        began = time.monotonic()
        position = again = 0
        while not position:
            try:
                position = okr.ledger.RecordCheckIn(request).position
            except OkrError as error:
                late = time.monotonic() - began > PATIENCE_SECONDS
                if error.code not in MAY_BE_REPEATED or late or self._ended.is_set():
                    raise
                again += 1
        with self._lock:
            self.acknowledged[request.request_id] = position
            self.longest_seconds = max(self.longest_seconds, time.monotonic() - began)
            self.again += again
