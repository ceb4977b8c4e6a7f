"""`okr cycle close` and what follows: seals, amendments, opening again."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from okr import names, texts
from okr import seals as sealing
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import ends
from okr.cli.writing import circumstances
from okr.pages import pages
from okr.v1 import ledger_service_pb2 as api
from okr.v1.resources_pb2 import Scorecard, Seal
from okr.v1.score_service_pb2 import (
    GetSealRequest,
    ListAmendmentsRequest,
    ListSealsRequest,
)


def _about(text: str) -> str:
    """The full name of a team (with its teams/), an objective or a key result."""
    return names.team(text) if text.startswith("teams/") else names.subject(text)


About = Annotated[
    str,
    typer.Option(
        metavar="SUBJECT",
        parser=options.parsed(options.or_none(_about)),
        help="What it is about: brand, brand/followers or teams/marketing. Default: the cycle.",
    ),
]


def close(
    cycle: options.CycleName,
    *,
    on: Annotated[
        date | None,
        typer.Option(
            "--on",
            metavar="DAY",
            parser=options.parsed(texts.day),
            rich_help_panel=options.WRITE,
            help="The day whose scores are final. Default: today, at most the last day that takes "
            "check-ins.",
        ),
    ] = None,
    reason: Annotated[
        str,
        typer.Option(
            rich_help_panel=options.WRITE, help="Why. Needed before the cycle's last day."
        ),
    ] = "",
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Close a cycle: nothing more is taken, and its final scores are sealed with a digest.

    Objectives that nobody graded are sealed with their computed score. --dry-run shows the seal
    beforehand.

    $ okr cycle close 2026-q4 --dry-run

    $ okr cycle close 2026-q4
    """
    request = circumstances(
        api.CloseCycleRequest(name=cycle),
        on=on,
        reason=reason,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.CloseCycle(request)
        session.written(okr, answer, ends.seal(answer.seal), as_json=as_json, dry_run=dry_run)


def reopen(
    cycle: options.CycleName,
    *,
    reason: Annotated[str, typer.Option(rich_help_panel=options.WRITE, help="Why. Needed.")] = "",
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Open a sealed cycle again; its seals stay, and it can be closed and sealed anew.

    $ okr cycle reopen 2026-q4 --reason "The export counted followers twice"
    """
    request = circumstances(
        api.ReopenCycleRequest(name=cycle),
        reason=reason,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.ReopenCycle(request)
        shown = ends.reopened(answer.cycle)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


def seals(
    cycle: options.CycleName,
    number: Annotated[
        int | None,
        typer.Argument(min=1, help="Show this seal with all that it holds. Default: list them."),
    ] = None,
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Compute the seal's scores and digest again and compare."),
    ] = False,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the seals of a cycle, or show one with its scores.

    $ okr cycle seals 2026-q4

    $ okr cycle seals 2026-q4 1 --check
    """
    when = instants(as_of, known_at, effective_at)
    if check and number is None:
        raise typer.BadParameter("name the seal to check", param_hint="--check")
    with session.connected() as okr:
        if number is not None:
            one = okr.scores.GetSeal(GetSealRequest(name=f"{cycle}/seals/{number}", as_of=when))
            session.answer(one, ends.seal(one.seal), as_json=as_json)
            if check:
                _tell_differences(one.seal, sealing.scorecard(okr, one.seal), as_json=as_json)
        else:
            request = ListSealsRequest(cycle=cycle, as_of=when, page_size=1000)
            every = merged(pages(okr.scores.ListSeals, request))
            session.answer(every, ends.seals(every.seals), as_json=as_json)


def _tell_differences(seal: Seal, card: Scorecard, *, as_json: bool) -> None:
    """Say whether a seal is right; what is not ends the run as a refusal does.

    Raises:
        typer.Exit: it is not, or that cannot be told.
    """
    differing = sealing.differences(seal, card)
    if (hidden := sealing.not_shown(seal, card)) and differing == ["key results"]:
        told = f"{hidden} of {seal.key_result_count} key results are not shown to you"
        session.note(f"{told}: the digest cannot be computed", "yellow", stderr=True)
        raise typer.Exit(session.REFUSED)
    if differing:
        told = ", ".join(map(names.short, differing))
        session.note(f"computed again it differs: {told}", "bold red", stderr=True)
        raise typer.Exit(session.REFUSED)
    session.note("computed again it is the same", "green", stderr=as_json)


def amend(
    cycle: options.CycleName,
    statement: str,
    *,
    about: About = "",
    value: Annotated[
        str | None,
        typer.Option(
            metavar="VALUE",
            parser=options.parsed(texts.decimal),
            help="What the key result should have had.",
        ),
    ] = None,
    score: Annotated[
        str | None,
        typer.Option(
            metavar="SCORE",
            parser=options.parsed(texts.decimal),
            help="The score that should have been sealed.",
        ),
    ] = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Put a late fact beside the seal of a closed cycle; no score moves.

    $ okr cycle amend 2026-q3 "40 followers were counted twice" --about brand/followers
    --value 14180
    """
    request = circumstances(
        api.RecordAmendmentRequest(
            parent=cycle,
            subject=about,
            statement=statement,
            amended_value=value,
            amended_score=score,
        ),
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.RecordAmendment(request)
        shown = ends.amendments([answer.amendment])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


def amendments(
    cycle: options.CycleName,
    *,
    about: About = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List what was amended after a cycle was sealed."""
    request = ListAmendmentsRequest(
        cycle=cycle, subject=about, as_of=instants(as_of, known_at, effective_at), page_size=1000
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListAmendments, request))
        session.answer(answer, ends.amendments(answer.amendments), as_json=as_json)
