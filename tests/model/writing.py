"""The write side without a wire: commands, lane, log and sealing, in the caller's thread."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager, suppress
from pathlib import Path
from typing import Any

from google.protobuf.message import Message

from ledger.call import Caller
from ledger.log.command import Done
from ledger.log.contract import EventLog
from ledger.log.lane import WriteLane
from ledger.log.opening import open_log
from ledger.model import Domain
from ledger.refusals import Refusal
from ledger.rpc import METHODS, REQUESTS, LedgerRpc
from ledger.tokens import Tokens
from okr.v1.ledger_service_pb2 import CloseCycleRequest, CloseCycleResponse
from projections.following.follower import Follower
from projections.reading import Reader
from projections.store.views import Views
from service.lane.link import Answer
from service.sealing import Sealing
from service.validation import Validation
from tests.support.databases import ledger
from tests.support.whole import path_of


class Writer:
    """Asks for changes; they are durable when they are answered."""

    def __init__(self, log: EventLog, views: Views, clock: Callable[[], int]) -> None:
        identity, domain = log.identity(), Domain()
        tokens = Tokens(identity.log_id, identity.epoch)
        self._lane = WriteLane(log, domain, domain, clock=clock)
        self._rpc = LedgerRpc(log, tokens)
        self._validation = Validation()
        self._follower = Follower(log, views)
        self._reader = Reader(log, views, tokens, clock)
        self._log, self._tokens = log, tokens

    def ask(self, asked: Sequence[tuple[Message, Caller]]) -> Iterator[tuple[Message, Any]]:
        """Has requests decided in one batch; gives those that were not refused, with the answers.

        A cycle that is to be closed is sealed by then; its request has to be the only one.
        """
        jobs = {}
        for request, caller in asked:
            with suppress(Refusal):
                self._validation.check(request, request.SerializeToString())
                if isinstance(request, CloseCycleRequest):
                    yield request, asyncio.run(self._close(request, caller))
                else:
                    command = self._rpc.command(request, caller, None)
                    jobs[self._lane.add(command)] = request
        for job, outcome in self._lane.run() if jobs else ():
            if isinstance(outcome, Done):
                method = METHODS[path_of(jobs[job]).rpartition("/")[2]]
                yield jobs[job], self._rpc.answer(method, outcome, may_read=True)
            elif not isinstance(outcome, Refusal):
                raise outcome

    async def _close(self, request: CloseCycleRequest, caller: Caller) -> Message:
        sealing = Sealing(self._log, self._tokens, self._hand_over, self._reader)
        answer = await sealing.close(request.SerializeToString(), caller, None)
        return CloseCycleResponse.FromString(answer.raw)

    async def _hand_over(
        self, method: str, raw: bytes, caller: Caller, deadline: float | None
    ) -> Answer:
        """What sealing asks of the lane; it is followed, since the seal is made of read models."""
        self._lane.add(self._rpc.command(REQUESTS[method].FromString(raw), caller, None))
        ((_, done),) = self._lane.run()
        if isinstance(done, Exception):
            raise done
        self._follower.catch_up()
        return Answer(0, b"", "", done.records[-1].position, done=done)


@contextmanager
def writing(folder: Path, clock: Callable[[], int]) -> Iterator[Writer]:
    """A writer of a new ledger in a folder, which a service may have afterwards."""
    database = ledger(folder)
    with (
        closing(open_log(database)) as log,
        closing(Views(database, log.identity())) as views,
    ):
        yield Writer(log, views, clock)
