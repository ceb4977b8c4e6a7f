"""The lane's side: calls become commands, commands become events and answers."""

from __future__ import annotations

import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, closing
from typing import TYPE_CHECKING, Any, Final

import structlog

from ledger.call import Caller
from ledger.log.errors import LogError
from ledger.log.lane import WriteLane
from ledger.log.opening import open_log
from ledger.log.snapshots import Snapshots
from ledger.model import Domain
from ledger.rpc import BULK, METHODS, REQUESTS, SERVICE, LedgerRpc, NeedsReading
from ledger.texts.finding import keys_at_hand
from ledger.tokens import Tokens
from service.errors import told
from service.lane.bulk import Group, Part
from service.lane.link import Answer, Ask, Frames, Ready, Turn, framed
from service.refusals import NotPermitted
from service.validation import Validation, fitting

if TYPE_CHECKING:
    from collections.abc import Callable

    from google.protobuf.message import Message

    from ledger.log.batch import Job
    from ledger.log.command import Done
    from ledger.log.contract import EventLog
    from ledger.log.database import Database
    from ledger.texts.keyring import Keyring

READ_BYTES: Final = 1 << 20
READING_ANSWERS: Final = 2
"""Threads for answers that take a read of the log, such as those to repeated requests."""

log = structlog.get_logger()


class Host:
    """Serves one desk until it hangs up. One thread runs it."""

    def __init__(
        self,
        link: socket.socket,
        event_log: EventLog,
        snapshots: Snapshots,
        clock: Callable[[], int],
        keyring: Keyring | None,
    ) -> None:
        identity = event_log.identity()
        domain = Domain()
        self._link = link
        self._frames = Frames()
        self._sending = threading.Lock()
        self._lane = WriteLane(
            event_log, domain, domain, clock=clock, snapshots=snapshots, keyring=keyring
        )
        self._tokens = Tokens(identity.log_id, identity.epoch)
        self._rpc = LedgerRpc(event_log, self._tokens, snapshots)
        self._validation = Validation()
        self._asked: dict[Job, Ask | Part] = {}
        self._readers = ThreadPoolExecutor(READING_ANSWERS, "answers")
        for request in REQUESTS.values():
            self._validation.compile(request)

    def run(self) -> None:
        """Answers everything that is asked before the desk hangs up, then returns."""
        self._send(Ready())
        asks: list[Ask] | None = []
        while asks is not None or self._lane.waiting:
            if asks is not None:
                asks = self._receive(wait=not self._lane.waiting)
            answers: list[Answer] = []
            for ask in asks or ():
                self._admit(ask, answers)
            for job, outcome in self._lane.run():
                self._settle(job, outcome, answers)
            if answers or asks:
                self._tell(answers, taken_in=bool(asks))
        self._readers.shutdown()
        counts = self._lane.counts()
        log.info(
            "lane stopped",
            events=counts.events,
            flushes=counts.flushes,
            refusals=counts.refusals,
        )

    def _receive(self, *, wait: bool) -> list[Ask] | None:
        """The calls of the next frame, none if it has not come and is not waited for.

        None when the desk has hung up.
        """
        while True:
            try:
                data = self._link.recv(READ_BYTES, 0 if wait else socket.MSG_DONTWAIT)
            except BlockingIOError:
                return []
            except ConnectionError:
                return None
            if not data:
                return None
            # The desk sends a frame when it knows that the one before is taken in.
            for asks in self._frames.feed(data):
                return list[Ask](asks)

    def _admit(self, ask: Ask, answers: list[Answer]) -> None:
        """Makes a command of a call and puts it into the lane, or says why not."""
        kind = REQUESTS[ask.method]
        try:
            if ask.method in BULK:
                self._admit_each(ask, kind, answers)
                return
            request = self._validation.read(kind.FromString, kind.DESCRIPTOR.full_name, ask.raw)
            caller = Caller(ask.actor, ask.on_behalf_of)
            job = self._lane.add(self._rpc.command(request, caller, ask.deadline))
        # A refusal, or a defect that concerns this call alone.
        except Exception as error:  # noqa: BLE001
            answers.append(_refused(ask, "", error))
        else:
            self._asked[job] = ask

    def _admit_each(self, ask: Ask, kind: type[Any], answers: list[Answer]) -> None:
        """Makes a command of each request in a message; one that is refused stops no other."""
        if ask.checked:
            message = kind.FromString(ask.raw)
        else:
            name = kind.DESCRIPTOR.full_name
            message = self._validation.read_bulk(kind.FromString, name, ask.raw)
        caller = Caller(ask.actor, ask.on_behalf_of)
        group = Group(ask, message)
        for place, request in enumerate(message.requests):
            try:
                self._pass(ask, place, request)
                job = self._lane.add(self._rpc.command(request, caller, ask.deadline))
            # As in `_admit`.
            except Exception as error:  # noqa: BLE001
                if group.settle(place, error, self._rpc):
                    answers.append(group.answer(self._tokens))
            else:
                self._asked[job] = Part(group, place)

    def _pass(self, ask: Ask, place: int, request: Message) -> None:
        """Passes one of many requests that is permitted and keeps its rules."""
        if place in ask.forbidden:
            raise NotPermitted(ask.method, ask.actor)
        if not ask.checked:
            self._validation.check(request, request.SerializeToString())

    def _settle(self, job: Job, outcome: Done | Exception, answers: list[Answer]) -> None:
        """Answers now, or has a thread do it that may read."""
        ask = self._asked.pop(job)
        if isinstance(ask, Part):
            if ask.group.settle(ask.place, outcome, self._rpc):
                answers.append(ask.group.answer(self._tokens))
            return
        if isinstance(outcome, Exception):
            answers.append(_refused(ask, job.command.request_id, outcome))
            return
        try:
            answers.append(self._answer(ask, job, outcome, may_read=False))
        except NeedsReading:
            self._readers.submit(self._answer_later, ask, job, outcome)

    def _answer_later(self, ask: Ask, job: Job, done: Done) -> None:
        self._tell([self._answer(ask, job, done, may_read=True)], taken_in=False)

    def _answer(self, ask: Ask, job: Job, done: Done, *, may_read: bool) -> Answer:
        request_id = job.command.request_id
        method = METHODS.get(ask.method)
        if method is None:
            position = 0 if done.validated_only else done.records[-1].position
            return Answer(ask.number, b"", request_id, position, done=done._replace(states={}))
        try:
            response: Any = self._rpc.answer(method, done, may_read=may_read)
            raw = fitting(response.SerializeToString())
        except NeedsReading:
            raise
        # The events are durable; their caller learns that the answer could not be made.
        except Exception as error:  # noqa: BLE001
            return _refused(ask, request_id, error)
        return Answer(ask.number, raw, request_id, response.position)

    def _tell(self, answers: list[Answer], *, taken_in: bool) -> None:
        self._send(Turn(answers, taken_in, self._lane.last_position, self._lane.counts()))

    def _send(self, message: object) -> None:
        data = framed(message)
        try:
            with self._sending:
                self._link.sendall(data)
        except ConnectionError:
            # The desk is gone; what it asked for is finished all the same.
            return


def _refused(ask: Ask, request_id: str, error: Exception) -> Answer:
    refusal = told(error, f"/{SERVICE}/{ask.method}")
    return Answer(ask.number, b"", request_id, 0, refusal)


def host(
    link: socket.socket,
    database: Database,
    owner_pid: int,
    clock: Callable[[], int] | None = None,
) -> None:
    """Opens the log and serves the desk at the other end of the link until it hangs up.

    Where the log or its keys cannot be opened, the desk is sent the LogError. `owner_pid` is the
    server's, `clock` gives µs since 1970 UTC in place of the log's own.
    """
    with closing(link):
        try:
            event_log = open_log(database, owner_pid=owner_pid)
        except LogError as error:
            link.sendall(framed(error))
            return
        with ExitStack() as stack:
            stack.enter_context(closing(event_log))
            try:
                keyring = stack.enter_context(keys_at_hand(database, event_log, make=True))
            except LogError as error:
                link.sendall(framed(error))
                return
            key = keyring.state_key() if keyring else None
            snapshots = Snapshots(event_log, event_log.snapshot_store(), Domain(), key)
            stack.enter_context(closing(snapshots))
            Host(link, event_log, snapshots, clock or event_log.clock, keyring).run()
