"""Whether records from elsewhere follow on what a log holds, whatever database keeps it. No I/O."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from ledger.log.errors import LogMismatch, RecordUnfit

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from ledger.event import Record
    from ledger.log.contract import Epoch, Head, StoredRequest


def check_records(
    database: str,
    head: Head,
    versions: Mapping[str, int],
    records: Sequence[Record],
    requests: Sequence[StoredRequest],
) -> None:
    """Refuses records that would leave a gap, or requests that wrote none of them.

    `versions` are the newest ones of the records' streams, without those that are new.

    Raises:
        RecordUnfit: the first one that does not follow, and why.
    """
    at, newest = head, dict(versions)
    for record in records:
        reason = ""
        if record.position != at.position + 1:
            reason = f"the one before it is event {at.position}"
        elif record.recorded_us < at.recorded_us:
            reason = "it was recorded before the one that it follows"
        elif record.stream_version != newest.get(record.stream, 0) + 1:
            reason = f"{record.stream} is at version {newest.get(record.stream, 0)}"
        if reason:
            raise RecordUnfit(database, record.position, reason)
        at = type(head)(record.position, record.recorded_us)
        newest[record.stream] = record.stream_version
    for request in requests:
        if not head.position < request.first_position <= at.position:
            raise RecordUnfit(database, request.first_position, "a request of others came with it")


def missing_epochs(database: str, there: Sequence[Epoch], told: Sequence[Epoch]) -> Sequence[Epoch]:
    """The generations that a log does not have yet.

    Raises:
        LogMismatch: those that it has are not the first ones.
    """
    if list(told[: len(there)]) != list(there):
        present = f"it is epoch {there[-1].epoch} of ledger {there[-1].log_id}"
        raise LogMismatch(database, f"{present}, which did not come before what is taken in")
    if not told or any(a.epoch >= b.epoch or a.log_id != b.log_id for a, b in pairwise(told)):
        raise LogMismatch(database, "what is taken in does not say which ledger it is of")
    return told[len(there) :]
