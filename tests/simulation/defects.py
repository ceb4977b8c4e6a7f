"""Mistakes that somebody could make, to be planted: the simulation has to find each of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Final

import pytest
from sqlalchemy.exc import OperationalError

from ledger.log import group
from ledger.log.contract import Accepted, Append, Head, Outcome
from ledger.log.group import GroupCommit
from ledger.log.snapshots import Snapshot, Snapshots
from ledger.log.sqlite import appending
from ledger.log.sqlite.appending import Appender
from ledger.log.sqlite.planning import Plan, plan
from ledger.log.sqlite.recorder import LedgerRecorder
from ledger.log.world import Overlay, StateCache
from ledger.tokens import Tokens
from projections.following.follower import Follower
from projections.read_model import Batch
from projections.store.database import insert_rows
from projections.store.generation import Generation
from projections.store.views import Views
from tests.simulation.server import NotedLog

Patch = pytest.MonkeyPatch


def requests_not_looked_up(patch: Patch) -> None:
    """Nobody asks whether a request was done before, and the log does not keep what it did."""
    patch.setattr(GroupCommit, "_first_times", lambda _self, jobs, _result: jobs)
    patch.setattr(GroupCommit, "_decide_one", _without_key(GroupCommit._decide_one))


def requests_not_looked_up_when_they_come_again(patch: Patch) -> None:
    """A request is looked up among those that this lane has done, which a crash forgets."""
    looked_up = GroupCommit._first_times
    known: set[int] = set()

    def first_times(self: Any, jobs: Any, result: Any) -> Any:
        if id(self) in known:
            return looked_up(self, jobs, result)
        known.add(id(self))
        return jobs

    patch.setattr(GroupCommit, "_first_times", first_times)
    patch.setattr(GroupCommit, "_decide_one", _without_key(GroupCommit._decide_one))


def answered_before_the_commit(patch: Patch) -> None:
    """The answers are made before the transaction is committed, and stand when that fails."""
    append_batch = NotedLog.append_batch

    def answered(self: NotedLog, appends: Sequence[Append], recorded_us: int) -> list[Outcome]:
        head = self.log.head().position
        try:
            return append_batch(self, appends, recorded_us)
        except Exception:  # noqa: BLE001 - whatever it is, nobody hears of it
            return _foreseen(appends, head, recorded_us)

    patch.setattr(NotedLog, "append_batch", answered)


def a_guard_left_out(patch: Patch) -> None:
    """An append is guarded by the streams that it writes to, not by those that it only read."""
    decide_one = GroupCommit._decide_one

    def decided(self: Any, *arguments: Any) -> Any:
        made = decide_one(self, *arguments)
        written = {event.stream for event in made.append.events}
        guards = {s: v for s, v in made.append.guards.items() if s in written}
        return made._replace(append=made.append._replace(guards=guards))

    patch.setattr(GroupCommit, "_decide_one", decided)


def no_guards(patch: Patch) -> None:
    """The log takes every append for one that was decided on the present state."""

    def unguarded(appends: Sequence[Append], recorded_us: int, known: Any) -> Plan:
        present = [
            append._replace(guards={s: known.streams.get(s, (0, 0))[1] for s in append.guards})
            for append in appends
        ]
        return plan(present, recorded_us, known)

    patch.setattr(appending, "plan", unguarded)


def tracking_apart_from_rows(patch: Patch) -> None:
    """How far the tables are is written in a transaction of its own, after their rows."""
    write = Generation.write

    def apart(self: Generation, before: int, batch: Batch) -> None:
        _write_rows(self, batch)
        write(self, before, replace(batch, rows={}))

    patch.setattr(Generation, "write", apart)


def tracking_before_rows(patch: Patch) -> None:
    """How far the tables are is written in a transaction of its own, before their rows."""
    write = Generation.write

    def apart(self: Generation, before: int, batch: Batch) -> None:
        write(self, before, replace(batch, rows={}))
        _write_rows(self, batch)

    patch.setattr(Generation, "write", apart)


def events_skipped_after_an_error(patch: Patch) -> None:
    """A follower whose write fails goes on after the page that it could not write."""
    write, write_to = Follower._write, Views.write

    def skipping(self: Follower, batch: Batch) -> None:
        try:
            write(self, batch)
        except OperationalError:
            self._position = batch.last_position
            raise

    def from_anywhere(self: Views, _before: int, batch: Batch) -> None:
        write_to(self, self.tracked().position, batch)

    patch.setattr(Follower, "_write", skipping)
    patch.setattr(Views, "write", from_anywhere)


def outdated_states_kept(patch: Patch) -> None:
    """What the lane has in memory is not read on when another writer was first."""
    patch.setattr(StateCache, "outdate", lambda _self, _streams: None)


def states_kept_of_what_was_refused(patch: Patch) -> None:
    """What a batch decided is kept before the log has taken it."""
    after = Overlay.put

    def put(self: Overlay, states: Any, records: Any) -> None:
        after(self, states, records)
        self.keep()

    patch.setattr(Overlay, "put", put)


def time_from_the_clock_alone(patch: Patch) -> None:
    """The recorded time is what the clock says, also where it has gone back."""
    patch.setattr(GroupCommit, "_now", lambda self, _head: self._clock())
    patch.setattr(appending, "plan", _at_any_time)


def a_clock_far_behind_trusted(patch: Patch) -> None:
    """Writes go on however far the clock is behind."""
    patch.setattr(group, "CLOCK_TOLERANCE_US", 10**15)


def a_snapshot_of_a_later_version(patch: Patch) -> None:
    """A snapshot says that it is of one version later than its state."""
    keep = Snapshots._keep

    def later(self: Snapshots, states: Mapping[str, tuple[Any, int]], key: Any) -> None:
        moved = {stream: (state, version + 1) for stream, (state, version) in states.items()}
        keep(self, moved, key)

    patch.setattr(Snapshots, "_keep", later)


def a_snapshot_of_another_history_trusted(patch: Patch) -> None:
    """A snapshot is used without a look at the record that it stands at, and at the epoch."""
    patch.setattr(Snapshots, "_record_digest", lambda _self, _stream, _version: b"")
    patch.setattr(Snapshots, "_code", b"")


def a_damaged_snapshot_trusted(patch: Patch) -> None:
    """A snapshot is used without a look at its digest."""
    patch.setattr(Snapshot, "intact", True)


def a_refusal_not_looked_at_again(patch: Patch) -> None:
    """A refusal is given although another writer has changed what it stands on."""
    patch.setattr(GroupCommit, "_present", lambda _self, unwritten, _decided, _result: unwritten)


def told_before_it_is_written(patch: Patch) -> None:
    """Readers are told of a position before the tables hold it."""

    def write(self: Follower, batch: Batch) -> None:
        self._views.reach(batch.last_position)
        self._views.write(self._position, batch)
        self._position = batch.last_position

    patch.setattr(Follower, "_write", write)


def tokens_of_every_epoch_taken(patch: Patch) -> None:
    """A token is taken whatever generation of the log it is of."""
    made = Tokens.__init__
    patch.setattr(Tokens, "__init__", lambda self, log_id, _epoch: made(self, log_id, 1))


def an_epoch_that_a_copy_repeats(patch: Patch) -> None:
    """The number of an epoch is one more than that of the copy that was restored."""

    def begin_epoch(self: LedgerRecorder) -> Any:
        before = self.identity()
        with self._writing("append to") as connection:
            row = (before.log_id, before.epoch + 1, 1)
            connection.execute("INSERT INTO ledger VALUES (?, ?, ?)", row)
        return self.identity()

    patch.setattr(LedgerRecorder, "begin_epoch", begin_epoch)


def half_of_an_adjustment(patch: Patch) -> None:
    """The events of one request are appended one by one."""
    append = Appender.append

    def one_by_one(self: Appender, connection: Any, appends: Any, recorded_us: int) -> Any:
        outcomes = []
        for each in appends:
            parts = [
                Append([event], each.guards, None if number else each.request)
                for number, event in enumerate(each.events)
            ]
            outcomes += [append(self, connection, [part], recorded_us) for part in parts][-1]
        return outcomes

    patch.setattr(Appender, "append", one_by_one)


def _write_rows(generation: Generation, batch: Batch) -> None:
    with generation._writer.begin() as connection:
        for table, rows in batch.rows.items():
            insert_rows(connection, table, rows)


def _without_key(decide_one: Callable[..., Any]) -> Callable[..., Any]:
    def decided(self: Any, *arguments: Any) -> Any:
        made = decide_one(self, *arguments)
        return made._replace(append=made.append._replace(request=None))

    return decided


def _foreseen(appends: Sequence[Append], head: int, recorded_us: int) -> list[Outcome]:
    outcomes: list[Outcome] = []
    for append in appends:
        outcomes.append(Accepted(head + 1, head + len(append.events), recorded_us))
        head += len(append.events)
    return outcomes


def _at_any_time(appends: Sequence[Append], recorded_us: int, known: Any) -> Plan:
    return plan(appends, recorded_us, replace(known, head=Head(known.head.position, 0)))


DEFECTS: Final = (
    requests_not_looked_up,
    requests_not_looked_up_when_they_come_again,
    answered_before_the_commit,
    a_guard_left_out,
    no_guards,
    tracking_apart_from_rows,
    tracking_before_rows,
    events_skipped_after_an_error,
    outdated_states_kept,
    states_kept_of_what_was_refused,
    time_from_the_clock_alone,
    a_clock_far_behind_trusted,
    a_snapshot_of_a_later_version,
    a_snapshot_of_another_history_trusted,
    a_damaged_snapshot_trusted,
    a_refusal_not_looked_at_again,
    told_before_it_is_written,
    tokens_of_every_epoch_taken,
    an_epoch_that_a_copy_repeats,
    half_of_an_adjustment,
)
"""All of them."""
