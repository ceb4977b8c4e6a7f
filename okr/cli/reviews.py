"""`okr review` and `okr lesson`: meetings about a cycle, and what was learnt."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from okr import names, texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import ends
from okr.cli.typers import group
from okr.cli.writing import circumstances
from okr.pages import pages
from okr.v1 import ledger_service_pb2 as api
from okr.v1.score_service_pb2 import (
    GetReviewRequest,
    ListLessonsRequest,
    ListReviewsRequest,
)
from okr.v1.values_pb2 import Category, ReviewKind

review_app = group("Weekly, monthly and quarterly meetings: who saw what, and what they decided.")
lesson_app = group("What was learnt from a cycle, an objective or a key result.")


def _kind(text: str) -> int:
    return texts.choice(ReviewKind.DESCRIPTOR, text)


ReviewName = Annotated[
    str,
    typer.Argument(metavar="REVIEW", parser=options.parsed(names.review), help="The review."),
]
About = Annotated[
    str,
    typer.Option(
        metavar="SUBJECT",
        parser=options.parsed(options.or_none(names.subject)),
        help="What it is about: brand or brand/followers. Default: the cycle.",
    ),
]


@review_app.command("record")
def record_review(
    cycle: options.CycleName,
    kind: Annotated[
        int,
        typer.Argument(
            metavar="KIND", parser=options.parsed(_kind), help="weekly, monthly or quarterly."
        ),
    ],
    *,
    own_id: options.Id = "",
    team: Annotated[
        str,
        typer.Option(
            metavar="TEAM",
            parser=options.parsed(options.or_none(names.team)),
            help="The team that held it. Default: the whole cycle's.",
        ),
    ] = "",
    participants: Annotated[
        list[str],
        typer.Option("--with", metavar="PERSON", help="Who took part; again for each."),
    ] = [],  # noqa: B006 - Typer copies it
    adjustments: Annotated[
        list[str],
        typer.Option(
            "--decided",
            metavar="ADJUSTMENT",
            parser=options.parsed(names.adjustment),
            help="An adjustment that it decided; again for each.",
        ),
    ] = [],  # noqa: B006
    saw: Annotated[
        int,
        typer.Option(
            metavar="POSITION",
            min=0,
            help="What the meeting saw. Default: all that is in the ledger now.",
        ),
    ] = 0,
    notes: Annotated[str, typer.Option(help="What was said.")] = "",
    on: Annotated[
        date | None,
        typer.Option(
            "--on",
            metavar="DAY",
            parser=options.parsed(texts.day),
            rich_help_panel=options.WRITE,
            help="The day on which it was held. Default: today.",
        ),
    ] = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Record that a review was held.

    $ okr review record 2026-q4 weekly --team marketing --with people/p-7f3a --decided week-6
    """
    request = circumstances(
        api.RecordReviewRequest(
            review_id=own_id,
            cycle=cycle,
            kind=ReviewKind.ValueType(kind),
            team=team,
            seen_position=saw,
            participants=participants,
            notes=notes,
            adjustments=adjustments,
        ),
        on=on,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.RecordReview(request)
        shown = ends.review(answer.review)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@review_app.command("show")
def show_review(
    review: ReviewName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show a review."""
    request = GetReviewRequest(name=review, as_of=instants(as_of, known_at, effective_at))
    with session.connected() as okr:
        answer = okr.scores.GetReview(request)
        session.answer(answer, ends.review(answer.review), as_json=as_json)


@review_app.command("list")
def list_reviews(
    cycle: options.CycleName,
    *,
    team: Annotated[
        str,
        typer.Option(
            metavar="TEAM",
            parser=options.parsed(options.or_none(names.team)),
            help="Only this team's.",
        ),
    ] = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the reviews of a cycle."""
    request = ListReviewsRequest(
        cycle=cycle, team=team, as_of=instants(as_of, known_at, effective_at), page_size=1000
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListReviews, request))
        session.answer(answer, ends.reviews(answer.reviews), as_json=as_json)


@lesson_app.command("record")
def record_lesson(
    cycle: options.CycleName,
    lesson: str,
    *,
    about: About = "",
    category: Annotated[
        int | None,
        typer.Option(
            "--category",
            metavar="CATEGORY",
            parser=options.parsed(options.category),
            help="What it has to do with: market-change, capacity, dependency, "
            "measurement-error, learning (default) or other.",
        ),
    ] = None,
    review: Annotated[
        str,
        typer.Option(
            metavar="REVIEW",
            parser=options.parsed(options.or_none(names.review)),
            help="The review that it was learnt in.",
        ),
    ] = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Record a lesson.

    $ okr lesson record 2026-q3 "Ask the agency for weekly figures" --about brand/followers
    --category dependency
    """
    request = circumstances(
        api.RecordLessonRequest(parent=cycle, subject=about, lesson=lesson, review=review),
        category=category or Category.CATEGORY_LEARNING,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.RecordLesson(request)
        shown = ends.lessons([answer.lesson])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@lesson_app.command("list")
def list_lessons(
    cycle: options.CycleName,
    *,
    about: About = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the lessons of a cycle."""
    request = ListLessonsRequest(
        cycle=cycle, subject=about, as_of=instants(as_of, known_at, effective_at), page_size=1000
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListLessons, request))
        session.answer(answer, ends.lessons(answer.lessons), as_json=as_json)
