"""The cluster: two servers on one PostgreSQL with a replica; one is killed under load.

Run it with `make demo-cluster` or `python -m examples.cluster`. It needs nothing but the project's
wheels, ends with 0 if everything it claims held, and leaves neither processes nor files.
"""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Callable
from contextlib import ExitStack
from pathlib import Path
from typing import Any, Final, LiteralString

import psycopg
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.table import Table

from examples.crowd import Crowd
from examples.loaded import CYCLE, check_ins, events, planned, scorecard
from examples.members import Failover, Member, operate
from examples.stage import DemoFailed, Narrator
from okr import OkrClient, OkrError
from okr.cli.session import console
from okr.v1.score_service_pb2 import GetKeyResultRequest
from tools.postgres import Postgres

CHECK_INS: Final = 4_000
CALLERS: Final = 16
ACROSS: Final = 20
"""Check-ins that one server takes and the other one is asked about at once."""

RELIEF_SECONDS: Final = 30.0
LAG: Final = {"OKR_REPLICA_LAG_SECONDS": "60"}
"""How far behind the replica may serve reads: longer than the demonstration holds it."""


def main() -> int:
    """Play the demonstration; 0 if all of it held, 1 if not, 130 after Ctrl-C."""
    parser = argparse.ArgumentParser(prog="examples.cluster", description=__doc__.split("\n")[0])
    parser.add_argument("--check-ins", type=int, default=CHECK_INS, help="how many are sent")
    how_many = parser.parse_args().check_ins
    # gRPC writes remarks of its own to standard error, which belongs to the story here.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    folder = Path(tempfile.mkdtemp(prefix="okr-cluster-"))
    try:
        with ExitStack() as started:
            play(Narrator(""), started, folder, how_many)
    except (DemoFailed, OkrError) as failed:
        sys.stderr.write(f"the demonstration failed: {failed}\n")
        return 1
    except KeyboardInterrupt:
        sys.stderr.write("ended early; nothing is left running\n")
        return 130
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    return 0


def play(tell: Narrator, started: ExitStack, folder: Path, how_many: int) -> None:
    """All of it; what is started is ended with `started`.

    Raises:
        DemoFailed: something that it is there to show did not hold.
    """
    tell.section(
        "A cluster starts",
        "A PostgreSQL from a wheel, a replica that streams from it, and two servers, each with a"
        " write lane of its own. All that they share is the address of the database.",
    )
    postgres = started.enter_context(Postgres.start())
    replica = started.enter_context(postgres.replica())
    settings = {"OKR_DATABASE_URL": postgres.url(), "OKR_REPLICA_URL": replica.url()} | LAG
    members = [Member(name, folder, settings) for name in ("server 1", "server 2")]
    for member in members:
        started.callback(member.stop)
        member.start()
    until("one of the servers follows", lambda: any(member.follows() for member in members))
    show_members(members, postgres, replica)

    with OkrClient(members[0].address) as okr:
        key_results = planned(okr)
    crowd = Crowd([member.address for member in members], key_results, how_many)
    survive_a_kill(tell, members, crowd, how_many)
    read_across(tell, members, crowd, key_results[0])
    read_replica(tell, members, replica, crowd, key_results[0])
    verify(tell, members, settings, crowd)


def survive_a_kill(tell: Narrator, members: list[Member], crowd: Crowd, how_many: int) -> None:
    """Check-ins from all sides, while the server that follows is killed and started again."""
    tell.section(
        "A server is killed under load",
        f"{CALLERS} callers send {how_many} check-ins to both servers. After a fifth of them the"
        " server that keeps the read models up is killed, with its write lane; after two fifths it"
        " starts again. What nobody had answered is sent again under the same request id.",
    )
    failover = Failover(members)
    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
    )
    began = time.monotonic()
    with Progress(*columns, console=console()) as shown:
        task = shown.add_task("", total=how_many)
        with crowd.calling(CALLERS) as finished:
            while not finished():
                done = len(crowd.acknowledged)
                serving = failover.go_on(done / how_many)
                shown.update(task, completed=done, description=serving)
                time.sleep(0.02)
        seconds = time.monotonic() - began
        shown.update(task, completed=len(crowd.acknowledged))
    until("both servers serve again", lambda: failover.go_on(1) and failover.over)

    victim, other = failover.victim, failover.other
    table = Table(show_header=False)
    table.add_row("killed", f"{victim.name}, process {failover.killed_pid}, and its lane")
    table.add_row("acknowledged", f"{len(crowd.acknowledged)} in {seconds:.1f} s")
    table.add_row("longest wait of a caller", f"{crowd.longest_seconds:.2f} s")
    table.add_row("sent again by hand", str(crowd.again))
    table.add_row(f"{other.name} follows", f"{failover.seconds:.1f} s after the kill")
    table.add_row(f"{victim.name} wrote", f"{failover.written_before} events until it was killed")
    lane = other.status().lane
    table.add_row(f"{other.name} wrote", f"{lane.events} events in {lane.flushes} flushes")
    tell.show(table)
    tell.check("every check-in was acknowledged", holds=len(crowd.acknowledged) == how_many)
    tell.check(f"{other.name} keeps the read models up now", holds=other.follows())


def read_across(tell: Narrator, members: list[Member], crowd: Crowd, key_result: str) -> None:
    """What one server has taken, the other one knows at once."""
    tell.section(
        "Read your writes, anywhere",
        f"{ACROSS} check-ins are written through one server and asked for at the other one, at"
        " once, with the token that the answer carried.",
    )
    known = 0
    with OkrClient(members[0].address) as first, OkrClient(members[1].address) as second:
        for number in range(ACROSS):
            writer, reader = (first, second) if number % 2 else (second, first)
            written = crowd.record(writer, key_result)
            read = reader.scores.GetKeyResult(
                GetKeyResultRequest(name=key_result, at_least_as_fresh=written.token)
            )
            known += read.key_result.check_in.name == written.check_in.name
    tell.check(f"{known} of {ACROSS} were known to the other server", holds=known == ACROSS)


def read_replica(
    tell: Narrator, members: list[Member], replica: Postgres, crowd: Crowd, key_result: str
) -> None:
    """A replica that lags serves whoever asks for nothing newer, and nobody else."""
    tell.section(
        "The replica lags",
        "Its replay is held, then a check-in is written. Whoever asks without a token is answered"
        " by the replica from a moment ago; with the token, by the primary.",
    )
    writer, reader = members
    caught_up = "the replica has caught up"
    until(caught_up, lambda: not any(m.status().replica.lag_events for m in members))
    with psycopg.connect(replica.url(), autocommit=True) as session:
        session.execute("SELECT pg_wal_replay_pause()")
        until("replay is held", lambda: one(session, "pg_get_wal_replay_pause_state()") == "paused")
        # Each asks for itself: a client's reads ask for no less than its own writes.
        with OkrClient(writer.address) as okr:
            written = crowd.record(okr, key_result)
        with OkrClient(reader.address) as okr:
            asked = GetKeyResultRequest(name=key_result)
            behind = okr.scores.GetKeyResult(asked)
            asked.at_least_as_fresh = written.token
            fresh = okr.scores.GetKeyResult(asked)
        session.execute("SELECT pg_wal_replay_resume()")
    tell.check(
        f"written at @{written.position}, known without its token at @{behind.position}",
        holds=behind.position < written.position,
    )
    tell.check(
        f"and with its token at @{fresh.position}, the check-in included",
        holds=fresh.key_result.check_in.name == written.check_in.name,
    )
    until(caught_up, lambda: not any(m.status().replica.lag_events for m in members))


def verify(tell: Narrator, members: list[Member], settings: dict[str, str], crowd: Crowd) -> None:
    """The ledger against all that was ever acknowledged, and the read models against it."""
    tell.section(
        "The ledger is verified",
        "Event by event, from both servers; then the read models are built anew beside those that"
        " serve, compared with them, and asked once more.",
    )
    told = operate(settings, "verify")
    tell.check(f"okr-ledger verify: {told.strip()}", holds="all in order" in told)
    clients = [OkrClient(member.address) for member in members]
    try:
        here, there = ([*events(okr)] for okr in clients)
        dense = [event.header.position for event in here] == list(range(1, len(here) + 1))
        tell.check(f"positions 1 to {len(here)}, without a gap", holds=dense)
        tell.check("the same events from both servers, byte for byte", holds=here == there)
        acknowledged = {name: [position] for name, position in crowd.acknowledged.items()}
        tell.check(
            f"{len(acknowledged)} check-ins were acknowledged, and each is there once",
            holds=check_ins(here) == acknowledged,
        )
        before = [scorecard(okr) for okr in clients]
        tell.check("the same scorecard from both servers, byte for byte", holds=same(before))
        tell.say(operate(settings, "projections", "rebuild").strip())
        after = [scorecard(okr) for okr in clients]
        tell.check("and the same again from read models made anew", holds=same(before + after))
    finally:
        for okr in clients:
            okr.close()
    tell.okr(
        *("scorecard", CYCLE.removeprefix("cycles/"), "--team", "marketing"), at=members[1].address
    )


def show_members(members: list[Member], postgres: Postgres, replica: Postgres) -> None:
    """Who takes part, and in which part."""
    table = Table("", "listens on", "process", "part")
    table.add_row("PostgreSQL", f"127.0.0.1:{postgres.port}", "", "the ledger and its read models")
    table.add_row("replica", f"127.0.0.1:{replica.port}", "", "reads that need no newest state")
    for member in members:
        part = "serves, and keeps the read models up" if member.follows() else "serves, stands by"
        table.add_row(member.name, member.address, str(member.pid), part)
    console().print(table)


def until(claim: str, holds: Callable[[], object]) -> None:
    """Return as soon as something holds.

    Raises:
        DemoFailed: it takes longer than `RELIEF_SECONDS`.
    """
    deadline = time.monotonic() + RELIEF_SECONDS
    while not holds():
        if time.monotonic() > deadline:
            raise DemoFailed(f"not within {RELIEF_SECONDS:.0f} s: {claim}")
        time.sleep(0.1)


def one(session: psycopg.Connection[Any], value: LiteralString) -> Any:
    """A value that the database is asked for."""
    row = session.execute(f"SELECT {value}").fetchone()
    return row[0] if row else None


def same(answers: list[bytes]) -> bool:
    """Whether all of them are one."""
    return len(set(answers)) == 1


if __name__ == "__main__":
    sys.exit(main())
