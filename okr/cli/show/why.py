"""What moved a score: the whole, the parts by cause, and the events behind them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal
from heapq import nlargest
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.cli.show.audit import verb
from okr.cli.show.measures import field, reading
from okr.v1.resources_pb2 import (
    AdjustmentChange,
    ScoreAttribution,
    ScoreCause,
    ScoreMovement,
    ScorePart,
)

_OF_CAUSES: Final = {
    ScoreCause.SCORE_CAUSE_BASELINE: ("baseline",),
    ScoreCause.SCORE_CAUSE_WEIGHT: ("weight",),
}
"""The fields of a revision that a cause is about; a changed target is about all others."""

_NO_TARGET: Final = {
    *("baseline", "weight", "title", "unit", "owner", "trajectory", "measure_kind"),
}
_POINT: Final = Decimal("0.01")


def attribution(given: ScoreAttribution, limit: int) -> RenderableType:
    """The whole of it, with at most `limit` events, those that moved it furthest; 0 for all."""
    blocks = [*_head(given)]
    if given.movements:
        chosen = _furthest(given.movements, limit)
        blocks += ["", _parts(given), "", _events(chosen)]
        if left := given.movement_count - len(chosen):
            blocks.append(Text(f"and {left} smaller movements", style="dim"))
    return Group(*blocks)


def _head(given: ScoreAttribution) -> Iterator[RenderableType]:
    of = names.short(given.subject)
    if given.subject.startswith("teams/"):
        of += f"  in {names.short(given.cycle)}"
    yield Text.assemble(
        (of, "bold"),
        f"  {marks.score(given.score_before)} → {marks.score(given.score_after)}  ",
        marks.movement(given.score_before, given.score_after),
    )
    yield Text(
        f"  from {marks.day(given.since_effective_at)}, known at @{given.since_position}, "
        f"to {marks.day(given.effective_at)}, known at @{given.known_position}",
        style="dim",
    )
    yield Text(f"  {sentence(given.parts)}")


def sentence(parts: Sequence[ScorePart]) -> str:
    """In hundredths: "+18: 6 progress, 10 target, 2 scope"."""
    if not parts:
        return "nothing moved it"
    told = (f"{_points(part.difference)} {_cause(part.cause)}" for part in parts)
    whole = _points(str(sum(Decimal(part.difference) for part in parts)))
    signed = whole if whole.startswith(_MINUS) or whole == "0" else f"+{whole}"
    return f"{signed}: {', '.join(told)}"


def _parts(given: ScoreAttribution) -> Table:
    table = marks.table("cause", "moved it by", "movements", right=("movements",))
    for part in given.parts:
        moved = marks.movement("", part.difference)
        table.add_row(_cause(part.cause), moved, str(part.movement_count))
    return table


def _events(movements: Sequence[ScoreMovement]) -> Table:
    table = marks.table("day", "at", "cause", "moved it by", "what", "by", "why", right=("at",))
    for each in movements:
        table.add_row(
            marks.day(each.effective_date if each.position else each.effective_at),
            f"@{each.position}" if each.position else "",
            _cause(each.cause),
            marks.movement(each.score_before, each.score_after),
            what(each),
            f"{each.actor} for {each.on_behalf_of}" if each.on_behalf_of else each.actor,
            Text(each.reason, style="italic"),
        )
    return table


def what(given: ScoreMovement) -> str:
    """What happened, in a few words."""
    about = names.short(given.about)
    match given.event_type.rpartition(".")[2]:
        case "":
            return "a period ended"
        case "CheckInRecorded":
            return f"{about}: {reading(given.measurement)}"
        case "CheckInCorrected":
            return f"{about}: {reading(given.measurement_before)} → {reading(given.measurement)}"
        case "CheckInRetracted":
            return f"{about} taken back"
        case "ObjectiveGraded" | "ObjectiveRegraded":
            return f"{about} graded"
        case "TeamRevised":
            return f"{about} moved in the tree of teams"
    changes = ", ".join(_changes(given.cause, given.change))
    return f"{about} {changes or verb(given.event_type)}"


def _changes(cause: ScoreCause.ValueType, given: AdjustmentChange) -> Iterator[str]:
    """The changed fields that the cause is about, before and after."""
    if given.HasField("alignment"):
        yield f"{verb(given.event_type)} to {names.short(given.alignment.parent)}"
    for kind in ("key_result", "objective", "cycle"):
        if given.HasField(f"{kind}_before"):  # type: ignore[arg-type]  # a field's name
            before, after = (getattr(given, f"{kind}_{side}") for side in ("before", "after"))
            wanted = _OF_CAUSES.get(cause)
            for path in given.changed.paths:
                if path in wanted if wanted else path not in _NO_TARGET:
                    name = path.replace("_", " ")
                    yield f"{name} {field(before, path)} → {field(after, path)}"


def _furthest(given: Sequence[ScoreMovement], limit: int) -> Sequence[ScoreMovement]:
    if not limit or len(given) <= limit:
        return given
    at = nlargest(limit, range(len(given)), key=lambda i: abs(Decimal(given[i].difference)))
    return [given[i] for i in sorted(at)]


def _cause(number: ScoreCause.ValueType) -> str:
    return marks.word(ScoreCause.DESCRIPTOR, number)


_MINUS: Final = "\N{MINUS SIGN}"


def _points(text: str) -> str:
    """A difference in hundredths, to two places at most."""
    points = (Decimal(text) * 100).quantize(_POINT).normalize()
    return f"{points:f}".replace("-", _MINUS) if points else "0"
