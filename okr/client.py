"""The synchronous client: one channel, typed calls, one exception.

```python
from okr import OkrClient
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from okr.v1.values_pb2 import Measurement

with OkrClient("127.0.0.1:50051", actor="people/p-7f3a") as okr:
    answer = okr.ledger.RecordCheckIn(
        RecordCheckInRequest(
            parent="objectives/brand/keyResults/followers",
            measurement=Measurement(value="12840"),
        )
    )
    print(answer.position, answer.check_in.name)
```
"""

from __future__ import annotations

import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import suppress
from queue import SimpleQueue
from types import TracebackType
from typing import Any, NamedTuple, Self

import grpc

from okr.calls import (
    CHANNEL_OPTIONS,
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT_SECONDS,
    Calls,
    Metadata,
    Prepared,
)
from okr.credentials import Bearer, check_way
from okr.errors import OkrError
from okr.feeding import MESSAGE_AT_MOST, Acknowledged, Feed, acknowledged
from okr.request_ids import identified
from okr.resuming import DEFAULT_PATIENCE_SECONDS, Request, Resuming, ended
from okr.retrying import Again
from okr.v1.audit_service_pb2_grpc import AuditServiceStub
from okr.v1.ledger_service_pb2 import (
    BatchRecordCheckInsRequest,
    RecordCheckInRequest,
    StreamCheckInsRequest,
)
from okr.v1.ledger_service_pb2_grpc import LedgerServiceStub
from okr.v1.operations_service_pb2_grpc import OperationsServiceStub
from okr.v1.replay_service_pb2 import (
    WatchEventsRequest,
    WatchEventsResponse,
    WatchScoresRequest,
    WatchScoresResponse,
)
from okr.v1.replay_service_pb2_grpc import ReplayServiceStub
from okr.v1.score_service_pb2_grpc import ScoreServiceStub


class OkrClient:
    """A ledger's client; safe to share between threads. Close it, or use it as a context.

    `ledger`, `scores`, `audit`, `replay` and `operations` have the API's methods: each takes a
    request message, and `timeout` in seconds where the client's own does not fit, and returns the
    answer or raises `OkrError`. Writes get a request id unless the request has one; reads wait for
    the client's latest write unless the request names another token; UNAVAILABLE is retried within
    the deadline, and so is what the service has no room for, when it says. A method of `replay`
    returns an iterator of answers, without a deadline, that ends with its connection;
    `watch_events` and `watch_scores` go on across connections.
    """

    ledger: LedgerServiceStub
    scores: ScoreServiceStub
    audit: AuditServiceStub
    replay: ReplayServiceStub
    operations: OperationsServiceStub

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        actor: str = "",
        on_behalf_of: str = "",
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        credentials: grpc.ChannelCredentials | None = None,
        bearer: Bearer | None = None,
    ) -> None:
        """Connect when first called.

        `actor` is `people/…` or `services/…`; without it the service says who the caller is.
        `credentials` turn TLS on, and `bearer` gives the token that each call shows: see
        `okr.credentials`.

        Raises:
            ValueError: the token would go to another machine in plain text.
        """
        if bearer is not None:
            check_way(address, encrypted=credentials is not None)
        if credentials is None:
            self.channel = grpc.insecure_channel(address, options=CHANNEL_OPTIONS)
        else:
            self.channel = grpc.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
        self._calls = Calls(actor, on_behalf_of, timeout_seconds, bearer)
        self._closed = False
        channel = grpc.intercept_channel(self.channel, _Interceptor(self._calls))
        self.ledger = LedgerServiceStub(channel)
        self.scores = ScoreServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.replay = ReplayServiceStub(channel)
        self.operations = OperationsServiceStub(channel)

    @property
    def token(self) -> str:
        """Token of the client's latest write, for others to read it; empty before the first."""
        return self._calls.token

    def watch_events(
        self,
        request: WatchEventsRequest,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> Generator[WatchEventsResponse, None, None]:
        """Every event after the request's start, each once and in order, for ever.

        A stream that a dropped connection or a server's end cuts off is opened again after the
        last answer given, so that its caller sees nothing of it. Keep an answer's `token` to go
        on in another process. Leave the loop, or close the iterator, to end it.

        Raises:
            OkrError: the request is refused, or no server has answered for `patience_seconds`.
        """
        return self._watch(self.replay.WatchEvents, request, patience_seconds)

    def watch_scores(
        self,
        request: WatchScoresRequest,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> Generator[WatchScoresResponse, None, None]:
        """A scorecard and then what moves in it, for ever: else as `watch_events`.

        After a dropped connection comes a scorecard again, with what moved meanwhile.
        """
        return self._watch(self.replay.WatchScores, request, patience_seconds)

    def batch_record_check_ins(
        self, check_ins: Iterable[RecordCheckInRequest], *, timeout_seconds: float | None = None
    ) -> list[Acknowledged]:
        """What became of each of up to 256 check-ins, recorded in one call.

        One that is refused says so in its place. The whole answers, with the resources, are those
        of `ledger.BatchRecordCheckIns`.

        Raises:
            OkrError: the call failed. What was written is found out by sending it again, where the
                check-ins had request ids.
        """
        request = identified(BatchRecordCheckInsRequest(requests=check_ins))
        answer = self.ledger.BatchRecordCheckIns(request, timeout=timeout_seconds)
        return acknowledged(request.requests, answer.outcomes)

    def stream_check_ins(
        self,
        check_ins: Iterable[RecordCheckInRequest],
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
        metadata: Metadata | None = None,
    ) -> Generator[Acknowledged, None, None]:
        """Records check-ins as they come, and tells in their order what became of each.

        Up to `okr.feeding.AHEAD` are taken before the first is acknowledged: for check-ins that
        are there already; where they come one by one, `AsyncOkrClient.stream_check_ins` sends each
        at once. When a connection drops or the server ends, what was not acknowledged is sent again
        with the same request ids: each check-in is recorded once, and the caller sees nothing.
        Leave the loop, or close the iterator, to end it; what was sent may be recorded.

        Raises:
            OkrError: the service refuses a whole message, or none has answered for
                `patience_seconds`.
        """
        feed, source = Feed(patience_seconds), iter(check_ins)
        while (failure := (yield from self._fed(feed, source, metadata))) is not None:
            if self._closed:
                raise failure
            time.sleep(feed.pause(failure))

    def _fed(
        self, feed: Feed, source: Iterator[RecordCheckInRequest], metadata: Metadata | None
    ) -> Generator[Acknowledged, None, OkrError | None]:
        """One connection of a stream of check-ins; returns what ended it too early."""
        messages: SimpleQueue[StreamCheckInsRequest | None] = SimpleQueue()
        feed.connected()
        answers: Any = self.ledger.StreamCheckIns(iter(messages.get, None), metadata=metadata)
        try:
            while True:
                _send_ahead(feed, source, messages)
                if feed.finished():
                    break
                try:
                    answer = next(answers)
                except StopIteration:
                    return ended()
                except OkrError as error:
                    return error
                self._calls.learn(answer)
                yield from feed.took(answer)
            messages.put(None)
            with suppress(OkrError):
                next(answers, None)
            return None
        finally:
            messages.put(None)
            answers.cancel()

    def _watch(
        self,
        method: Callable[[Request], Any],
        request: Request,
        patience_seconds: float,
    ) -> Generator[Any, None, None]:
        watch = Resuming(request, patience_seconds)
        while True:
            answers = method(watch.request)
            try:
                for answer in answers:
                    watch.took(answer)
                    yield answer
                raise ended()
            except OkrError as error:
                if self._closed:
                    raise
                time.sleep(watch.pause(error))
            finally:
                answers.cancel()

    def close(self) -> None:
        """Close the channel; calls under way fail with CANCELLED."""
        self._closed = True
        self.channel.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _send_ahead(
    feed: Feed,
    source: Iterator[RecordCheckInRequest],
    messages: SimpleQueue[StreamCheckInsRequest | None],
) -> None:
    """Sends what may be sent before more is acknowledged."""
    while feed.room and not feed.ended:
        request = next(source, None)
        if request is None:
            feed.ended = True
        else:
            feed.add(request)
        if feed.unsent >= MESSAGE_AT_MOST:
            messages.put(feed.message())
    while feed.unsent:
        messages.put(feed.message())


class _Details(NamedTuple):
    method: str
    timeout: float | None
    metadata: Metadata
    credentials: grpc.CallCredentials | None
    wait_for_ready: bool | None
    compression: grpc.Compression | None


class _Interceptor(
    grpc.UnaryUnaryClientInterceptor,
    grpc.UnaryStreamClientInterceptor,
    grpc.StreamStreamClientInterceptor,
):
    def __init__(self, calls: Calls) -> None:
        self._calls = calls

    def intercept_unary_unary(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        given = client_call_details
        sent = self._calls.prepared(request, given.timeout, given.metadata)
        again = Again(sent.timeout_seconds)
        while True:
            attempt = sent._replace(timeout_seconds=again.left())
            call = continuation(_details(given, attempt), sent.request)
            try:
                answer = call.result()
            except grpc.RpcError as failure:
                time.sleep(again.pause(self._calls.failed(failure, sent.request_id)))
                continue
            if sent.writes:
                self._calls.learn(answer)
            return call

    def intercept_unary_stream(
        self, continuation: Any, client_call_details: Any, request: Any
    ) -> Any:
        given = client_call_details
        sent = self._calls.prepared(request, given.timeout, given.metadata, streamed=True)
        return _Stream(continuation(_details(given, sent), sent.request), self._calls)

    def intercept_stream_stream(
        self, continuation: Any, client_call_details: Any, request_iterator: Any
    ) -> Any:
        given = client_call_details
        details = _Details(
            given.method,
            given.timeout,
            self._calls.metadata(given.metadata),
            given.credentials,
            given.wait_for_ready,
            given.compression,
        )
        return _Stream(continuation(details, request_iterator), self._calls)


def _details(given: Any, sent: Prepared) -> _Details:
    return _Details(
        given.method,
        sent.timeout_seconds,
        sent.metadata,
        given.credentials,
        given.wait_for_ready,
        given.compression,
    )


class _Stream:
    """The call of a stream: its answers, which fail with `OkrError`."""

    def __init__(self, call: Any, calls: Calls) -> None:
        self._call = call
        self._calls = calls

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Any:
        try:
            return next(self._call)
        except grpc.RpcError as failure:
            raise self._calls.failed(failure) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
