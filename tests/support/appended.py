"""Ledgers made quickly: events that are appended to the log itself, past every decision."""

from __future__ import annotations

from contextlib import closing

from google.protobuf.field_mask_pb2 import FieldMask
from google.protobuf.message import Message

from ledger.log.clock import now_us
from ledger.log.contract import Append, EncodedEvent
from ledger.log.database import Database
from ledger.log.opening import open_log
from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import TeamDefinition

TEAMS = 50
BATCH = 1000


def append_team_events(database: Database, count: int, *, title_length: int = 20) -> None:
    """Makes a log whose events register `TEAMS` teams and then rename them, one after the other."""
    with closing(open_log(database)) as log:
        for first in range(0, count, BATCH):
            numbers = range(first, min(first + BATCH, count))
            events = [_encoded(number, title_length) for number in numbers]
            guards = {f"teams/t{i}": (first + TEAMS - 1 - i) // TEAMS for i in range(TEAMS)}
            log.append_batch([Append(events, guards)], now_us())


def _encoded(number: int, title_length: int) -> EncodedEvent:
    team = f"teams/t{number % TEAMS}"
    fact = _fact(team, f"{number}".ljust(title_length, "."), registered=number >= TEAMS)
    return EncodedEvent(team, fact.DESCRIPTOR.full_name, b"", fact.SerializeToString())


def _fact(team: str, title: str, *, registered: bool) -> Message:
    definition = TeamDefinition(title=title)
    if not registered:
        return facts.TeamRegistered(team=team, definition=definition)
    return facts.TeamRevised(team=team, changed=FieldMask(paths=["title"]), after=definition)
