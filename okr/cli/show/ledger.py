"""The ledger itself: its events, and how the service is doing."""

from __future__ import annotations

from collections.abc import Iterable

from google.protobuf.message import Message
from rich.console import Group, RenderableType
from rich.text import Text

from okr import names
from okr.cli.show import ends, marks
from okr.cli.show.measures import goal, reading
from okr.v1 import events_pb2
from okr.v1.event_record_pb2 import Event
from okr.v1.operations_service_pb2 import GetStatusResponse, ProjectionStatus


def events(given: Iterable[Event]) -> RenderableType:
    """A line for each event."""
    table = marks.table(
        "position", "recorded", "event", "about", "effective", "by", "what", right=("position",)
    )
    for event in given:
        table.add_row(*_cells(event))
    return table


def line(event: Event) -> Text:
    """An event in one line, its columns wide enough for most."""
    position, recorded, *middle, by, what = _cells(event)
    widths = zip(middle, (18, 26, 10), strict=True)
    return Text.assemble(
        (f"{position:>8}", "bold"),
        (f"  {recorded}  ", "dim"),
        "  ".join(f"{cell:<{width}}" for cell, width in widths),
        (f"  {by}  ", "dim"),
        what,
    )


def _cells(event: Event) -> tuple[str, ...]:
    header, metadata = event.header, event.decoded_metadata
    fact = payload(event)
    return (
        f"@{header.position}",
        marks.instant(header.recorded_time),
        header.event_type.rpartition(".")[2],
        _about(header.stream, fact),
        marks.day(metadata.effective_date),
        marks.personal(metadata.actor),
        _what(fact),
    )


def status(given: GetStatusResponse) -> RenderableType:
    """How far the log and its projections are."""
    projections = marks.table(
        "projection", "position", "behind", "state", right=("position", "behind")
    )
    for each in given.projections:
        projections.add_row(
            each.projection, f"@{each.position}", str(each.lag_events), _state(each)
        )
    lane = given.lane
    mean = f"{lane.events / lane.flushes:.1f}" if lane.flushes else marks.NOTHING
    return Group(
        Text.assemble(("ledger ", "dim"), given.log_id, f"  epoch {given.epoch}"),
        Text.assemble(
            ("head   ", "dim"), f"@{given.head_position}  {marks.instant(given.head_time)}"
        ),
        Text.assemble(("server ", "dim"), given.server_version),
        Text.assemble(
            ("writes ", "dim"),
            f"{lane.events} events in {lane.flushes} flushes ({mean} each),"
            f" {lane.refusals} refused, {lane.waiting} waiting",
        ),
        "",
        projections,
    )


def payload(event: Event) -> Message | None:
    """The fact of an event, as far as it is shown, its texts in the clear; None if unknown here."""
    kind = getattr(events_pb2, event.header.event_type.rpartition(".")[2], None)
    fact: Message | None = kind.FromString(event.decoded_payload.value) if kind else None
    return fact


def _about(stream: str, fact: Message | None) -> str:
    return names.short(getattr(fact, "key_result", "") or stream)


def _what(fact: Message | None) -> str:
    match fact:
        case events_pb2.CheckInRecorded():
            return f"no {fact.number}: {reading(fact.measurement)}"
        case events_pb2.CheckInCorrected():
            before = reading(fact.measurement_before)
            return f"no {fact.number}: {before} → {reading(fact.measurement)}"
        case events_pb2.CheckInRetracted():
            return f"no {fact.number}"
        case events_pb2.KeyResultAdded() | events_pb2.KeyResultCarriedOver():
            return f"{fact.definition.title}: {goal(fact.definition)}"
        case events_pb2.KeyResultRevised() | events_pb2.ObjectiveRevised():
            return ", ".join(fact.changed.paths)
        case events_pb2.Aligned() | events_pb2.Unaligned():
            return f"{names.short(fact.child)} → {names.short(fact.parent)}"
        case events_pb2.ObjectiveGraded() | events_pb2.ObjectiveRegraded():
            chosen = fact.override_score or fact.computed_score
            return f"{marks.score(chosen)} (computed {marks.score(fact.computed_score)})"
        case events_pb2.StrategyAdjusted():
            return fact.title
    definition = getattr(fact, "definition", None)
    return ends.in_a_line(fact) or getattr(definition, "title", "")


def _state(projection: ProjectionStatus) -> Text:
    if projection.stopped_position:
        return Text(f"stopped at @{projection.stopped_position}", style="bold red")
    return Text("following", style="green")
