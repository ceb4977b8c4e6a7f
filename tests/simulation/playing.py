"""Plays a history, step by step, against the model."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable, Sequence
from contextlib import closing, suppress
from dataclasses import dataclass
from datetime import date
from hashlib import blake2b
from random import Random
from typing import Any

from sqlalchemy import text

from ledger.log.command import Done
from ledger.log.errors import ClockBehind, Contended, DeadlinePassed, LogUnavailable
from ledger.log.group import CLOCK_TOLERANCE_US
from ledger.log.sqlite.snapshots import snapshots_file
from ledger.refusals import Refusal
from ledger.tokens import TokenLost
from projections.errors import RebuildRunning
from projections.following.follower import PASSING
from projections.known_check_ins import counts, in_force
from projections.read_model import Folding
from projections.store.rebuilding import rebuild
from tests.simulation.asking import DAYS, KEY_RESULTS, Asked, drawn
from tests.simulation.beginning import START_US, begun, small_figures
from tests.simulation.disk import LEDGER, Disk, Files, torn
from tests.simulation.faults import CRASHES, ERRORS, Crash, Fault, Faults, in_views
from tests.simulation.history import PLACES, WHOLE, History
from tests.simulation.model import Model, require
from tests.simulation.server import Clock, Lane, Outgoing, Server, Setting


def play(played: History) -> list[str]:
    """Plays a history to its end; the trace.

    Raises:
        Violation: the ledger did what it must not do. The trace is in its notes.
    """
    with small_figures(), closing(Disk()) as disk:
        game = Game(played, disk)
        try:
            with in_views(game.faults):
                game.play()
        except Exception as error:
            error.add_note("\n".join(game.trace))
            raise
        finally:
            game.close()
        return game.trace


def digest(trace: Sequence[str]) -> str:
    """Tells a trace from others."""
    return blake2b("\n".join(trace).encode(), digest_size=16).hexdigest()


@dataclass
class Sent:
    """A request on its way, or an answer if there is an `outgoing`."""

    asked: Asked
    outgoing: Outgoing | None = None


@dataclass
class Copy:
    """What an operator has kept of the log, and how many records it has."""

    files: Files
    head: int


class Game:
    """The state of a play."""

    def __init__(self, played: History, disk: Disk) -> None:
        self.trace: list[str] = []
        self.faults = Faults(disk)
        self._played = played
        self._disk = disk
        self._clock = Clock(START_US)
        self._sources = Random(played.seed)
        self._chance = Random(0)
        self._network: list[Sent] = []
        self._open: dict[str, Asked] = {}
        self._told: dict[str, str] = {}
        self._tokens: list[str] = []
        self._asked = 0
        self._lane = 0
        self._restored_us = 0
        self._copy: Copy | None = None
        disk.lay(begun())
        self._server: Server | None = None
        self._start()
        self._model = Model(self._records(0))
        self._lost_tokens: set[str] = set()

    def play(self) -> None:
        for number, step in enumerate(self._played.steps, start=1):
            self._chance = Random(step.number)
            self._say(f"{number}. {step.kind}")
            self._step(getattr(self, step.kind), self._faults(step.kind))
            self._look()
        self._say("the end")
        self._end()

    def close(self) -> None:
        """Ends what is left."""
        if self._server is not None:
            self._server.close()
            self._server = None

    # What happens in a step.

    def ask(self) -> None:
        for _ in range(self._chance.randint(1, 4)):
            self._asked += 1
            asked = drawn(self._chance, self._asked)
            self._model.asked[asked.id] = self._open[asked.id] = asked
            self._send(asked)
            self._say(f"   {asked.id[:8]} {asked}")

    def again(self) -> None:
        """A caller sends a request that was answered, or that is not yet."""
        ids = sorted(self._model.asked)
        for request_id in self._chance.sample(ids, min(len(ids), 2)):
            self._send(self._model.asked[request_id])
            self._say(f"   {request_id[:8]}")

    def deliver(self) -> None:
        """Some of what is on its way arrives, in any order; some is lost, some comes twice."""
        for _ in range(self._chance.randint(1, 6)):
            if not self._network:
                return
            place = self._chance.randrange(len(self._network))
            fate = self._chance.random()
            sent = self._network[place] if fate < 0.1 else self._network.pop(place)
            if fate > 0.9:
                self._say(f"   {sent.asked.id[:8]} is lost")
            else:
                self._arrive(sent)

    def run(self) -> None:
        self._lane = self._chance.randrange(len(self._running.lanes))
        lane = self._running.lanes[self._lane]
        self._run_lane(lane)
        if self._chance.random() < 0.3:
            lane.snapshots.write()

    def _run_lane(self, lane: Lane) -> None:
        before = self._clock.us
        outgoing = lane.run()
        self._look()
        for each in outgoing:
            self._hold_against_the_model(each, before)
            self._network.append(Sent(each.received.asked, each))

    def _run_another(self) -> None:
        others = [lane for n, lane in enumerate(self._running.lanes) if n != self._lane]
        self._run_lane(self._chance.choice(others))

    def follow(self) -> None:
        for _ in range(self._chance.randint(1, 3)):
            number = self._chance.randrange(len(self._running.followers))
            self._say(f"   {number}: {self._running.follow(number)}")

    def read(self) -> None:
        """A caller reads, as fresh as a token that it was given."""
        token = self._chance.choice(["", *self._tokens])
        wanted = self._position_of(token)
        if wanted is None:
            return
        server = self._running
        views = server.views[0]
        if wanted > views.progress.position:
            # It waits, for as long as there is something to follow.
            try:
                for _ in range(100):
                    if not server.followers[0].step():
                        break
            except PASSING as error:
                self._say(f"   waits, {type(error).__name__}")
                return
            require(wanted <= views.progress.position, "a reader waits for ever", wanted)
        if views.progress.position < 0:
            return
        try:
            with views.reading() as reading:
                position = self._chance.randint(min(wanted, reading.position), reading.position)
                require(reading.position >= views.progress.position, "tables run back")
                self._hold_a_read(reading.connection, max(position, wanted))
        except PASSING as error:
            self._say(f"   fails, {type(error).__name__}")

    def time(self) -> None:
        seconds = self._chance.choice((1, 30, 90, 3_600, -1, -30, -90, -600))
        self._clock.us += seconds * 1_000_000
        self._clock.seconds += max(seconds, 0)
        self._say(f"   {seconds:+} s")

    def snapshots(self) -> None:
        """The thread for snapshots writes, or their file is damaged or gone."""
        fate = self._chance.random()
        if fate < 0.7:
            for lane in self._running.lanes:
                lane.snapshots.write()
            return
        self._running.store.close()
        if fate < 0.8:
            self._say("   of another")
            self._mix_snapshots()
            return
        for file in sorted(self._disk.folder.glob("*.snapshots.db*")):
            if fate < 0.9:
                file.unlink()
            else:
                file.write_bytes(torn(b"", file.read_bytes(), self._chance, 0.5))
        self._say("   are damaged" if fate >= 0.9 else "   are gone")

    def kill(self) -> None:
        self.faults.crash("kill")

    def cut(self) -> None:
        self.faults.crash("cut")

    def restart(self) -> None:
        """The server ends and starts in good order."""
        self._running.close()
        self._server = None
        self._forget()
        self._start()

    def copy(self) -> None:
        files = {n: c for n, c in self._disk.killed().items() if n in (LEDGER, f"{LEDGER}-wal")}
        self._copy = Copy(files, self._model.head)

    def restore(self) -> None:
        """The log is lost, and goes on as the copy that there is of it."""
        if self._copy is None:
            return
        files = {n: c for n, c in self._disk.killed().items() if not n.startswith(f"{LEDGER}")}
        self._lay(files | self._copy.files)
        # By a clock that has not been set back since the restore before.
        self._clock.us = self._restored_us = max(self._clock.us, self._restored_us + 1_000_000)
        with closing(Server(self._disk, self.faults, self._clock, Setting(), str)) as server:
            server.lanes[0].log.begin_epoch()
        self._start()
        self._model.rewind(self._records(0))
        self._open |= {i: self._model.asked[i] for i in self._told if not self._model.took(i)}
        self._lost_tokens.update(self._tokens)
        self._say(f"   to {self._model.head}")

    # How it happens.

    def _step(self, happens: Callable[[], None], faults: Sequence[Fault]) -> None:
        """Does what a step says; a crash ends the server, and another one starts."""
        for fault in faults:
            self._say(f"   with {fault}")
        try:
            with self.faults.during(faults, self._chance):
                happens()
        except Crash as crash:
            self._say("   crash")
            self._lay(crash.files)
            self._start()
            self._look()
            self._whole()

    def _faults(self, kind: str) -> list[Fault]:
        """What goes wrong in a step."""
        chance = self._chance
        faults = []
        if kind == "run" and len(self._running.lanes) > 1 and chance.random() < 0.4:
            where = chance.choice(("append", "append", "appended", "log READ"))
            faults.append(Fault("between", where, act=self._run_another))
        if kind in PLACES and chance.random() < self._played.faults:
            where = chance.choice(PLACES[kind])
            kinds = CRASHES if where in WHOLE or chance.random() < 0.4 else tuple(ERRORS)
            passed = chance.randrange(8 if where == "log READ" else 2)
            faults.append(Fault(chance.choice(kinds), where, passed))
        return faults

    @property
    def _running(self) -> Server:
        assert self._server is not None
        return self._server

    def _start(self) -> None:
        self._server = Server(
            self._disk,
            self.faults,
            self._clock,
            self._played.setting,
            lambda: f"{self._sources.getrandbits(64):x}",
        )

    def _lay(self, files: Files) -> None:
        self.close()
        self._forget()
        self._disk.lay(files)

    def _forget(self) -> None:
        """What was on its way to the server, or from it, is lost with its connections."""
        self._network = []

    def _send(self, asked: Asked) -> None:
        self._network.append(Sent(asked))

    def _arrive(self, sent: Sent) -> None:
        if sent.outgoing is not None:
            self._take(sent.asked, sent.outgoing)
            return
        lane = self._chance.choice(self._running.lanes)
        lane.receive(sent.asked, self._model.head, self._chance.choice((0.5, 5.0, 60.0)))

    def _take(self, asked: Asked, outgoing: Outgoing) -> None:
        """An answer reaches its caller."""
        outcome = outgoing.outcome
        if outgoing.token:
            self._tokens.append(outgoing.token)
        if isinstance(outcome, Done | Refusal):
            self._open.pop(asked.id, None)
            self._told[asked.id] = type(outcome).__name__

    def _hold_against_the_model(self, each: Outgoing, clock_us: int) -> None:
        asked, since = each.received
        outcome = each.outcome
        self._say(f"   {asked.id[:8]} {_outcome(outcome)}")
        if isinstance(outcome, Done):
            if outcome.validated_only:
                self._model.permitted(asked, since)
            else:
                self._model.answered(asked, outcome.records, each.response)
                if not outcome.repeated and self._played.setting.lanes == 1:
                    before = self._model.records[outcome.records[0].position - 2].recorded_us
                    behind = before - self._clock.us
                    require(behind <= CLOCK_TOLERANCE_US, "a clock far behind", asked)
            return
        require(not each.wrote, "written, and told that it is not", asked, repr(outcome))
        if isinstance(outcome, Refusal):
            self._model.refused(asked, type(outcome).__name__, since)
        elif isinstance(outcome, ClockBehind):
            behind = self._model.records[-1].recorded_us - clock_us
            require(behind > CLOCK_TOLERANCE_US, "the clock is right", behind)
        elif isinstance(outcome, Contended):
            require(self._played.setting.lanes > 1, "contended by nobody", asked)
        else:
            expected = isinstance(outcome, LogUnavailable | DeadlinePassed)
            require(expected, "a defect", asked, repr(outcome))

    def _position_of(self, token: str) -> int | None:
        try:
            found = self._running.tokens.position(token, self._model.head)
        except TokenLost:
            require(token in self._lost_tokens, "a token is lost", token)
            self._say("   a token of before")
            return None
        require(token not in self._lost_tokens, "a token of a future that was lost", token)
        return found

    def _hold_a_read(self, connection: Any, position: int) -> None:
        """What is in force on a day, as it was known at a position."""
        day = self._chance.choice(DAYS)
        found = in_force(connection, KEY_RESULTS, position, date.fromisoformat(day))
        numbers = counts(connection, KEY_RESULTS, position)
        state = self._model.at(position)
        self._say(f"   {len(found)} at {position} on {day}")
        for key_result in KEY_RESULTS:
            there = found.get(key_result)
            expected = state.in_force(key_result, day)
            told = there and (there.number, there.content.measurement.value)
            require(told == expected, "a read", key_result, position, day, told, expected)
            known = len(state.check_ins[key_result])
            require(numbers[key_result] == known, "a count", key_result, position)

    def _mix_snapshots(self) -> None:
        """Gives every snapshot the state of one stream, in rows that look whole."""
        file = snapshots_file(self._disk.ledger)
        if file.exists():
            state = "(SELECT min(state) FROM snapshots)"
            connecting = closing(sqlite3.connect(file, isolation_level=None))
            # It may be damaged already.
            with connecting as connection, suppress(sqlite3.DatabaseError):
                connection.execute(f"UPDATE snapshots SET state = {state}")

    # What is looked at.

    def _records(self, after: int) -> list[Any]:
        with self.faults.during((), self._chance):
            return self._running.reader.read(after, 10_000)

    def _look(self) -> None:
        """Has the model take what the log has by now."""
        before = self._model.head
        self._model.grow(self._records(before))
        if self._model.head > before:
            self._say(f"   head {self._model.head}")

    def _whole(self) -> None:
        """Nothing that was there has changed, and what was answered is there."""
        model = self._model
        require(self._records(0) == model.records, "the past has changed")
        for request_id, (first, last, _) in model.answers.items():
            happened = model.took(request_id)
            there = happened is not None and (happened.first, happened.last) == (first, last)
            require(there, "answered and lost", model.asked[request_id])

    def _end(self) -> None:
        """Nothing fails any more: everything is answered, and all that is kept agrees."""
        head = self._model.records[-1].recorded_us
        self._clock.us = max(self._clock.us, head)
        for _ in range(50):
            if not self._open:
                break
            for asked in self._open.values():
                self._send(asked)
            for sent in self._network[:]:
                self._arrive(sent)
            self._network = []
            while any(lane.waiting for lane in self._running.lanes):
                for lane in self._running.lanes:
                    self._run_lane(lane)
            for sent in self._network:
                self._arrive(sent)
            self._network = []
        require(not self._open, "never answered", *self._open.values())
        for _ in range(2):
            for follower in self._running.followers:
                # One may build while another one cannot.
                with suppress(RebuildRunning):
                    follower.catch_up()
        self._whole()
        self._tables()
        for token in sorted(self._lost_tokens):
            self._position_of(token)
        self._say(f"   {digest([repr(record) for record in self._model.records])}")

    def _tables(self) -> None:
        """The tables hold what the whole log folds to, and a rebuild finds the same."""
        views = self._running.views[0]
        expected = Folding(views.models).batch(0, self._model.records).rows
        with views.reading() as reading:
            require(reading.position == self._model.head, "behind for ever", reading.position)
            for table, rows in expected.items():
                query = text(f"SELECT * FROM {table.name}")
                there = [tuple(row) for row in reading.connection.execute(query)]
                require(sorted(there) == sorted(map(tuple, rows)), "other rows", table.name)
        if self._played.seed % 10 == 0:
            rebuilt = rebuild(views, self._running.reader)
            require(not rebuilt.comparison.differences, "rebuilt otherwise", rebuilt.comparison)

    def _say(self, line: str) -> None:
        self.trace.append(line)


def _outcome(outcome: Done | Exception) -> str:
    if not isinstance(outcome, Done):
        return type(outcome).__name__
    positions = f"{outcome.records[0].position}-{outcome.records[-1].position}"
    if outcome.validated_only:
        return f"possible at {positions}"
    return f"repeated {positions}" if outcome.repeated else f"done {positions}"
