"""A cycle's end and what was said about it: seals, amendments, reviews, lessons."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from google.protobuf.message import Message
from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from okr import names
from okr.cli.show import marks
from okr.v1 import events_pb2
from okr.v1.resources_pb2 import Amendment, Cycle, Lesson, Review, Seal
from okr.v1.values_pb2 import Category, CycleState, FinalScore, ObjectiveState, ReviewKind


def seal(given: Seal) -> RenderableType:
    """A seal with all that it holds."""
    head = Text.assemble(
        (f"seal {given.number}", "bold"),
        f"  {names.short(given.cycle)}",
        f"  of {marks.day(given.effective_date)}, known at @{given.closing_position}",
    )
    said = [_who(given.actor, given.on_behalf_of), f"recorded {marks.instant(given.recorded_time)}"]
    blocks: list[RenderableType] = [head, Text("  ".join(said), style="dim")]
    if given.reason:
        blocks.append(Text(given.reason))
    if given.HasField("reopening"):
        blocks.append(Text(_reopening(given), style="yellow"))
    lines = marks.table("", "score", "original", "as judged", "computed", "")
    lines.add_row("cycle", *_three(given), "", "")
    for line in (*given.team_scores, *given.objective_scores):
        computed = marks.score(line.computed_score)
        lines.add_row(line.name, *_three(line), computed, ", ".join(_remarks(line)))
    digest = f"SHA-256 of {given.key_result_count} key results: {given.key_result_digest.hex()}"
    ungraded = [
        line.name
        for line in given.objective_scores
        if line.state == ObjectiveState.OBJECTIVE_STATE_ACTIVE
    ]
    blocks += ["", lines, "", Text(digest, style="dim")]
    if ungraded:
        blocks.append(Text(f"nobody graded {', '.join(map(names.short, ungraded))}", "yellow"))
    return Group(*blocks)


def place(given: Seal) -> str:
    """Which seal a score is from."""
    by = _who(given.actor, given.on_behalf_of)
    return f"  seal {given.number} of {marks.day(given.effective_date)}, @{given.position} by {by}"


def seals(given: Iterable[Seal]) -> Table:
    """A line for each seal."""
    table = marks.table("no", "day", "score", "original", "as judged", "by", "recorded", "")
    for each in given:
        table.add_row(
            str(each.number),
            marks.day(each.effective_date),
            *_three(each),
            _who(each.actor, each.on_behalf_of),
            marks.instant(each.recorded_time),
            _reopening(each) if each.HasField("reopening") else each.reason,
        )
    return table


def reopened(given: Cycle) -> Text:
    """A cycle that was opened again."""
    state = marks.word(CycleState.DESCRIPTOR, given.state)
    return Text(f"{names.short(given.name)} is {state} again; its seals stay")


def amendments(given: Iterable[Amendment]) -> Table:
    """A line for each amendment."""
    table = marks.table("no", "seal", "about", "value", "score", "by", "recorded", "")
    for each in given:
        table.add_row(
            str(each.number),
            each.seal.rpartition("/")[2],
            names.short(each.subject) or names.short(each.cycle),
            marks.number(each.amended_value),
            marks.score(each.amended_score),
            _who(each.actor, each.on_behalf_of),
            marks.instant(each.recorded_time),
            each.statement,
        )
    return table


def review(given: Review) -> RenderableType:
    """A review with every field."""
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(style="dim")
    table.add_column()
    table.add_row("held", marks.day(given.effective_date))
    table.add_row("team", names.short(given.team) or "all")
    table.add_row("saw", f"@{given.seen_position}")
    table.add_row("with", "\n".join(given.participants) or marks.NOTHING)
    table.add_row("decided", "\n".join(map(names.short, given.adjustments)) or marks.NOTHING)
    table.add_row("by", _who(given.actor, given.on_behalf_of))
    if given.notes:
        table.add_row("notes", given.notes)
    kind = marks.word(ReviewKind.DESCRIPTOR, given.kind)
    title = f"{kind} review of {names.short(given.cycle)}"
    head = Text.assemble((title, "bold"), f"  {names.short(given.name)}")
    return Group(head, marks.indented(table))


def reviews(given: Iterable[Review]) -> Table:
    """A line for each review."""
    table = marks.table("review", "held", "", "team", "saw", "with", "decided", "")
    for each in given:
        table.add_row(
            names.short(each.name),
            marks.day(each.effective_date),
            marks.word(ReviewKind.DESCRIPTOR, each.kind),
            names.short(each.team) or "all",
            f"@{each.seen_position}",
            ", ".join(each.participants) or marks.NOTHING,
            ", ".join(map(names.short, each.adjustments)) or marks.NOTHING,
            each.notes,
        )
    return table


def lessons(given: Iterable[Lesson]) -> Table:
    """A line for each lesson."""
    table = marks.table("no", "about", "category", "review", "by", "recorded", "lesson")
    for each in given:
        table.add_row(
            str(each.number),
            names.short(each.subject) or names.short(each.cycle),
            marks.word(Category.DESCRIPTOR, each.category),
            names.short(each.review) or marks.NOTHING,
            _who(each.actor, each.on_behalf_of),
            marks.instant(each.recorded_time),
            each.lesson,
        )
    return table


def in_a_line(fact: Message | None) -> str:
    """What an event of a cycle's end says; nothing of any other."""
    match fact:
        case events_pb2.CycleSealed():
            return f"seal {fact.number}: {marks.score(fact.score)}"
        case events_pb2.CycleReopened():
            return f"after seal {fact.seal}"
        case events_pb2.AmendmentRecorded():
            about = f"{names.short(fact.subject)}: " if fact.subject else ""
            return f"{about}{fact.statement.plain}"
        case events_pb2.LessonRecorded():
            about = f"{names.short(fact.subject)}: " if fact.subject else ""
            return f"{about}{fact.lesson.plain}"
        case events_pb2.ReviewHeld():
            kind = marks.word(ReviewKind.DESCRIPTOR, fact.kind)
            return f"{kind}, saw @{fact.seen_position}"
    return ""


def _three(of: Seal | FinalScore) -> tuple[str, str, str]:
    return (
        marks.score(of.score),
        marks.score(of.original_score),
        marks.score(of.as_judged_score),
    )


def _remarks(line: FinalScore) -> Iterator[str]:
    if line.state:
        yield marks.word(ObjectiveState.DESCRIPTOR, line.state)
    if line.HasField("override_score"):
        yield "graded by hand"


def _reopening(of: Seal) -> str:
    opened = of.reopening
    who = _who(opened.actor, opened.on_behalf_of)
    return f"opened again at @{opened.position} by {who}: {opened.reason}"


def _who(actor: str, on_behalf_of: str) -> str:
    return f"{actor} for {on_behalf_of}" if on_behalf_of else actor
