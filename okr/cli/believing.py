"""`okr as-of`: what was believed at an instant."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import tzinfo
from typing import Annotated, Any
from zoneinfo import ZoneInfo

import typer
from google.protobuf.message import Message
from rich.console import Group, RenderableType
from rich.text import Text

from okr import texts
from okr.cli import options, session, subjects
from okr.cli.as_of import by_the_end_of, learnt
from okr.cli.reading import merged
from okr.cli.show import audit, marks, plan
from okr.cli.show import scorecard as card
from okr.client import OkrClient
from okr.pages import pages
from okr.v1.audit_service_pb2 import (
    ListAdjustmentsRequest,
    ListKeyResultRevisionsRequest,
    ListObjectiveRevisionsRequest,
)
from okr.v1.score_service_pb2 import (
    GetCycleRequest,
    GetKeyResultRequest,
    GetObjectiveRequest,
    GetScorecardRequest,
    ListAlignmentsRequest,
    ListCheckInsRequest,
    ListKeyResultsRequest,
)
from okr.v1.values_pb2 import AsOf

Beliefs = tuple[Mapping[str, Message], RenderableType]
"""Answers by what they are about, and how they are shown."""


def as_of(
    when: Annotated[
        str,
        typer.Argument(
            metavar="WHEN",
            help="When: by the end of a day of the cycle's time zone (2026-08-09), at a time "
            "(2026-08-10T18:00) or a position (@1742).",
        ),
    ],
    subject: subjects.Subject,
    *,
    about: Annotated[
        str,
        typer.Option(
            metavar="DAY",
            help="The day that it is about: what we believed of it. Default: the day of WHEN.",
        ),
    ] = "",
    as_json: options.Json = False,
) -> None:
    """Show what was believed at an instant: nothing that the ledger learnt later is in it.

    Definitions, owners, weights, alignments, check-ins, scores and statuses, as they were known
    then. Other commands' `--as-of DAY` asks about a day by all that is known *now*; this asks what
    was known *then*. What did we believe on 1 September about August?

    $ okr as-of 2026-09-01 2026-q3 --about 2026-08-31

    $ okr as-of @118 brand/followers
    """
    found = options.parsed(subjects.meant)(subject)
    asked = learnt(when)
    day = options.parsed(texts.day)(about) if about else None

    def believed(name: str) -> Beliefs:
        known = asked if isinstance(asked, AsOf) else by_the_end_of(asked, _zone(okr, name))
        if day:
            known.effective_at.CopyFrom(texts.date_message(day))
        return _believed(okr, name, known)

    with session.connected() as okr:
        answers, shown = subjects.first(found, believed)
        position = next(iter(answers.values())).position  # type: ignore[attr-defined]  # every read's
        head = Text(f"as known at @{position}", style="bold")
        session.answers(answers, Group(head, "", shown), as_json=as_json)


def _zone(okr: OkrClient, name: str) -> tzinfo:
    """The time zone of the cycle that a subject is of, or is."""
    if not name.startswith("cycles/"):
        objective, _, _ = name.partition("/keyResults/")
        name = okr.scores.GetObjective(GetObjectiveRequest(name=objective)).objective.cycle
    cycle = okr.scores.GetCycle(GetCycleRequest(name=name)).cycle
    return ZoneInfo(cycle.definition.time_zone)


def _believed(okr: OkrClient, name: str, instants: AsOf) -> Beliefs:
    if name.startswith("cycles/"):
        return _of_cycle(okr, name, instants)
    if "/keyResults/" in name:
        return _of_key_result(okr, name, instants)
    return _of_objective(okr, name, instants)


def _of_cycle(okr: OkrClient, name: str, instants: AsOf) -> Beliefs:
    asked: dict[str, Any] = {"cycle": name, "as_of": instants}
    scorecard = okr.scores.GetScorecard(GetScorecardRequest(**asked))
    edges = merged(pages(okr.scores.ListAlignments, ListAlignmentsRequest(**asked, page_size=1000)))
    made = merged(pages(okr.audit.ListAdjustments, ListAdjustmentsRequest(**asked, page_size=1000)))
    shown = Group(
        card.renderable(scorecard),
        *_section("alignments", plan.alignments(edges.alignments), bool(edges.alignments)),
        *_section("adjustments", audit.adjustments(made.adjustments), bool(made.adjustments)),
    )
    return {"scorecard": scorecard, "alignments": edges, "adjustments": made}, shown


def _of_objective(okr: OkrClient, name: str, instants: AsOf) -> Beliefs:
    asked: dict[str, Any] = {"parent": name, "as_of": instants, "page_size": 1000}
    objective = okr.scores.GetObjective(GetObjectiveRequest(name=name, as_of=instants))
    parts = merged(pages(okr.scores.ListKeyResults, ListKeyResultsRequest(**asked)))
    history = merged(
        pages(okr.audit.ListObjectiveRevisions, ListObjectiveRevisionsRequest(**asked))
    )
    shown = Group(
        plan.objective(objective.objective),
        *_section("key results", card.key_results(parts.key_results), bool(parts.key_results)),
        *_section("revisions", audit.revisions(history.revisions), bool(history.revisions)),
    )
    return {"objective": objective, "keyResults": parts, "revisions": history}, shown


def _of_key_result(okr: OkrClient, name: str, instants: AsOf) -> Beliefs:
    asked: dict[str, Any] = {"parent": name, "as_of": instants, "page_size": 1000}
    key_result = okr.scores.GetKeyResult(GetKeyResultRequest(name=name, as_of=instants))
    values = merged(pages(okr.scores.ListCheckIns, ListCheckInsRequest(**asked)))
    history = merged(
        pages(okr.audit.ListKeyResultRevisions, ListKeyResultRevisionsRequest(**asked))
    )
    shown = Group(
        plan.key_result_score(key_result.key_result),
        *_section("check-ins", plan.check_ins(values.check_ins), bool(values.check_ins)),
        *_section("revisions", audit.revisions(history.revisions), bool(history.revisions)),
    )
    return {"keyResult": key_result, "checkIns": values, "revisions": history}, shown


def _section(title: str, shown: RenderableType, is_there: bool) -> list[RenderableType]:
    return ["", Text(title, style="dim"), marks.indented(shown)] if is_there else []
