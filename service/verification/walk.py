"""Walks a whole log from its first event to its head, and tells what is wrong with it."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Final, Protocol

from ledger.log.errors import LogUnavailable
from service.verification.rules import RequestRules, Rules
from service.verification.tree import TreeCheck

if TYPE_CHECKING:
    from ledger.event import Record
    from ledger.log.contract import Head, LogIdentity, StoredRequest
    from okr.proofs.checkpoint import Checkpoint
    from projections.proofs.store import ProofStore

PAGE: Final = 5_000
BEYOND: Final = 2**62
"""After every position."""


class Log(Protocol):
    """What is walked; see `ledger.log.contract.LogReader`."""

    def identity(self) -> LogIdentity: ...

    def head(self) -> Head: ...

    def read(self, after_position: int, limit: int) -> list[Record]: ...

    def requests(self, after_position: int, up_to_position: int) -> list[StoredRequest]: ...


def faults(
    log: Log,
    on_page: Callable[[int], object] = lambda _: None,
    *,
    store: ProofStore | None = None,
    published: Sequence[Checkpoint] = (),
) -> Iterator[str]:
    """A sentence for each fault, in order of position, from the first event to the present head.

    By the log's own rules positions and stream versions have no gaps, recorded times never
    decrease, payload and metadata are messages of this version, and requests are of events that
    are there. By the tree, which is read where a store is given, each event is the one that was
    hashed. By what was signed, kept beside the tree or `published`, the beginnings are what they
    were. `on_page` gets each position up to which all is read.

    Costs one read of the log and of the tree, and memory by the number of streams.

    Raises:
        LogUnavailable, ReadModelsUnavailable: they cannot be read now.
    """
    head = log.head().position
    rules, request_rules = Rules(), RequestRules()
    tree = TreeCheck(log.identity().log_id, store, published)
    yield from tree.begin()
    position = 0
    while position < head:
        records, unread = _page(log, position, min(PAGE, head - position))
        before = position
        for record in records:
            if record.position != position + 1:
                yield f"positions {position + 1} to {record.position - 1} are missing"
                yield from tree.skip(record.position - position - 1)
            yield from rules.broken_by(record)
            yield from tree.differs(record)
            position = record.position
        if unread:
            position += 1
            yield f"event {position} cannot be read: {unread}"
            yield from tree.skip(1)
        elif not records:
            yield f"positions {position + 1} to {head} are missing"
            yield from tree.skip(head - position)
            position = head
        for request in log.requests(before, position):
            yield from request_rules.broken_by(request, head)
        on_page(position)
    now = log.head().position
    for request in log.requests(now, BEYOND):
        yield from request_rules.broken_by(request, now)
    yield from tree.end(now)


def _page(log: Log, after: int, limit: int) -> tuple[list[Record], str]:
    """The next records, fewer where one of them cannot be read: then the reason, if it is next."""
    while True:
        try:
            return log.read(after, limit), ""
        except LogUnavailable as error:
            # Fails where the database does, and not a record of it.
            log.head()
            if limit == 1:
                return [], error.reason
            limit = max(1, limit // 8)
