"""What a process does with a log that others write to.

It says that it is ready, and begins when it is told on its standard input where the log is.
"""

from __future__ import annotations

import json
import sys
import time
from contextlib import closing

from ledger.log.contract import EventLog
from ledger.log.database import Database
from ledger.log.errors import Contended
from ledger.log.lane import WriteLane
from ledger.log.opening import open_log
from tests.ledger.log.teams import Teams, register, retire


def strive(log: EventLog, name: str, times: str) -> None:
    """Retires the team of all so many times, again and again where others are faster."""
    lane = lane_on(log)
    for number in range(int(times)):
        outcome: object = Contended((), 0)
        while isinstance(outcome, Contended):
            lane.add(retire("teams/all", f"{name}-{number}"))
            while lane.waiting:
                for _, outcome in lane.run():
                    if isinstance(outcome, Exception) and not isinstance(outcome, Contended):
                        raise outcome


def write_ahead(log: EventLog, name: str, seconds: str) -> None:
    """Writes to a team of its own, with this machine's clock so far ahead of the true time."""
    wall, wall_ns = time.time, time.time_ns
    time.time = lambda: wall() + int(seconds)
    time.time_ns = lambda: wall_ns() + int(seconds) * 1_000_000_000
    lane = lane_on(log)
    lane.add(register(f"teams/{name}"))
    for _ in range(200):
        lane.add(retire(f"teams/{name}"))
        for _, outcome in lane.run():
            if isinstance(outcome, Exception):
                raise outcome


def lane_on(log: EventLog) -> WriteLane:
    teams = Teams()
    return WriteLane(log, teams, teams, clock=log.clock)


def main(task: str, *arguments: str) -> None:
    print("ready", flush=True)  # noqa: T201 - whoever started it waits for this
    database = Database(**json.load(sys.stdin))
    with closing(open_log(database)) as log:
        if task == "open":
            sys.stdout.write(log.identity().log_id)
        else:
            {"strive": strive, "write_ahead": write_ahead}[task](log, *arguments)


if __name__ == "__main__":
    main(*sys.argv[1:])
