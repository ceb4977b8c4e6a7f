"""`okr key-result`: measures of progress."""

from __future__ import annotations

from typing import Annotated

import typer

from okr import texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.show import plan
from okr.cli.typers import group
from okr.cli.writing import circumstances, definition
from okr.v1 import ledger_service_pb2 as api
from okr.v1.score_service_pb2 import GetKeyResultRequest
from okr.v1.values_pb2 import KeyResultDefinition, Milestone

app = group(
    """Measures of an objective: from a baseline to a target, a value to keep, milestones, done
    or not. Written OBJECTIVE/KEY-RESULT, such as `brand/followers`."""
)

MEASURE = "What is measured"
VALUES = "From where to where"

Title = Annotated[str, typer.Option(help="What is measured, in a sentence.")]
Metric = Annotated[
    str,
    typer.Option(rich_help_panel=MEASURE, help="number (default), binary, milestones or zones."),
]
Unit = Annotated[str, typer.Option(rich_help_panel=MEASURE, help="Unit of the values: HUF, %.")]
Aggregation = Annotated[
    str,
    typer.Option(
        rich_help_panel=MEASURE,
        help="last: a check-in is the value; sum: check-ins add up to it.",
    ),
]
MeasureKind = Annotated[
    str,
    typer.Option(rich_help_panel=MEASURE, help="lead: predicts the outcome; lag: is the outcome."),
]
Milestones = Annotated[
    list[str],
    typer.Option(
        "--milestone",
        metavar="ID=TITLE",
        rich_help_panel=MEASURE,
        help="A milestone, for the milestones metric; again for each.",
    ),
]
Direction = Annotated[
    str,
    typer.Option(
        rich_help_panel=VALUES,
        help="maintain-at-least, maintain-at-most or maintain-within for a value to keep; else "
        "it follows from baseline and target.",
    ),
]
Baseline = Annotated[
    str, typer.Option(rich_help_panel=VALUES, help="Value at the start. Default: 0.")
]
Target = Annotated[
    str,
    typer.Option(
        rich_help_panel=VALUES, help="Value that scores 1; '+20 %' is relative to the baseline."
    ),
]
Commit = Annotated[str, typer.Option(rich_help_panel=VALUES, help="Value that must be reached.")]
Stretch = Annotated[str, typer.Option(rich_help_panel=VALUES, help="Value beyond the target.")]
LowerBound = Annotated[
    str, typer.Option(rich_help_panel=VALUES, help="Lower bound of a value to keep.")
]
UpperBound = Annotated[
    str, typer.Option(rich_help_panel=VALUES, help="Upper bound of a value to keep.")
]
Trajectory = Annotated[
    str,
    typer.Option(
        rich_help_panel=VALUES,
        help="The plan: linear, values by day '2026-07-31=100; 2026-08-31=220', or shares by "
        "value '100=0.3; 220=1'.",
    ),
]
Weight = Annotated[str, typer.Option(help="Weight in the objective's score. Default: 1.")]
Owner = Annotated[str, typer.Option(metavar="PERSON", help="Who answers for it: people/….")]


@app.command()
def add(
    objective: options.ObjectiveName,
    title: str,
    *,
    own_id: options.Id = "",
    metric: Metric = "",
    unit: Unit = "",
    aggregation: Aggregation = "",
    measure_kind: MeasureKind = "",
    milestones: Milestones = [],  # noqa: B006 - Typer copies it
    direction: Direction = "",
    baseline: Baseline = "",
    target: Target = "",
    commit: Commit = "",
    stretch: Stretch = "",
    lower_bound: LowerBound = "",
    upper_bound: UpperBound = "",
    trajectory: Trajectory = "",
    weight: Weight = "",
    owner: Owner = "",
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Add a key result to an objective.

    $ okr key-result add brand "Grow followers" --id followers --baseline 12000 --target "+20 %"

    $ okr key-result add leads "Cost per lead" --baseline 4200 --target 3500 --unit HUF

    $ okr key-result add site "Uptime" --direction maintain-at-least --lower-bound 99.9 --unit %
    """
    wanted = definition(
        KeyResultDefinition(title=title, milestones=map(_milestone, milestones)),
        metric=metric,
        unit=unit,
        aggregation=aggregation,
        measure_kind=measure_kind,
        direction=direction,
        baseline=baseline,
        target=target,
        commit=commit,
        stretch=stretch,
        lower_bound=lower_bound,
        upper_bound=upper_bound,
        trajectory=trajectory,
        weight=weight,
        owner=owner,
    )
    request = circumstances(
        api.AddKeyResultRequest(parent=objective, key_result_id=own_id, definition=wanted),
        on=on,
        reason=reason,
        category=category,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.AddKeyResult(request)
        shown = plan.key_result(answer.key_result)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def revise(
    key_result: options.KeyResultName,
    *,
    title: Title = "",
    unit: Unit = "",
    measure_kind: MeasureKind = "",
    baseline: Baseline = "",
    target: Target = "",
    commit: Commit = "",
    stretch: Stretch = "",
    lower_bound: LowerBound = "",
    upper_bound: UpperBound = "",
    trajectory: Trajectory = "",
    weight: Weight = "",
    owner: Owner = "",
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Change what is given of a key result: one revision, before and after kept.

    $ okr key-result revise brand/followers --target "+15 %" --reason "Smaller budget"
    --category capacity
    """
    wanted = definition(
        KeyResultDefinition(),
        title=title,
        unit=unit,
        measure_kind=measure_kind,
        baseline=baseline,
        target=target,
        commit=commit,
        stretch=stretch,
        lower_bound=lower_bound,
        upper_bound=upper_bound,
        trajectory=trajectory,
        weight=weight,
        owner=owner,
    )
    request = circumstances(
        api.ReviseKeyResultRequest(name=key_result, definition=wanted),
        on=on,
        reason=reason,
        category=category,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.ReviseKeyResult(request)
        shown = plan.key_result(answer.key_result)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command("carry-over")
def carry_over(
    key_result: options.KeyResultName,
    objective: options.ObjectiveName,
    *,
    own_id: options.Id = "",
    baseline: Annotated[
        str,
        typer.Option(
            rich_help_panel=VALUES, help="Value at the new start. Default: the value it reached."
        ),
    ] = "",
    target: Target = "",
    commit: Commit = "",
    stretch: Stretch = "",
    title: Title = "",
    trajectory: Trajectory = "",
    weight: Weight = "",
    owner: Owner = "",
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Continue a key result in an objective of a later cycle, from a new baseline.

    What is not given stays: a relative target follows the new baseline. The trajectory is left
    behind.

    $ okr key-result carry-over brand/followers reach --baseline 14200 --target "+10 %"
    """
    changes = definition(
        KeyResultDefinition(),
        baseline=baseline,
        target=target,
        commit=commit,
        stretch=stretch,
        title=title,
        trajectory=trajectory,
        weight=weight,
        owner=owner,
    )
    request = circumstances(
        api.CarryOverKeyResultRequest(
            continued_from=key_result, parent=objective, key_result_id=own_id, definition=changes
        ),
        on=on,
        reason=reason,
        category=category,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        if not baseline:
            reached = okr.scores.GetKeyResult(GetKeyResultRequest(name=key_result)).key_result
            if reached.HasField("value"):
                request.definition.baseline = reached.value
        answer = okr.ledger.CarryOverKeyResult(request)
        shown = plan.key_result(answer.key_result)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def drop(
    key_result: options.KeyResultName,
    *,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Take a key result out of its objective's score; its history stays."""
    request = circumstances(
        api.DropKeyResultRequest(name=key_result),
        on=on,
        reason=reason,
        category=category,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.DropKeyResult(request)
        shown = plan.key_result(answer.key_result)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def restore(
    key_result: options.KeyResultName,
    *,
    on: options.On = None,
    reason: options.Reason = "",
    category: options.CategoryName = None,
    etag: options.Etag = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Let a dropped key result count again."""
    request = circumstances(
        api.RestoreKeyResultRequest(name=key_result),
        on=on,
        reason=reason,
        category=category,
        etag=etag,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.RestoreKeyResult(request)
        shown = plan.key_result(answer.key_result)
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command()
def show(
    key_result: options.KeyResultName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Show a key result with its value in force and its three scores.

    $ okr key-result show brand/followers --as-of 2026-08-10
    """
    request = GetKeyResultRequest(name=key_result, as_of=instants(as_of, known_at, effective_at))
    with session.connected() as okr:
        answer = okr.scores.GetKeyResult(request)
        session.answer(answer, plan.key_result_score(answer.key_result), as_json=as_json)


def _milestone(text: str) -> Milestone:
    try:
        [(own_id, title)] = texts.pairs(text)
    except ValueError as error:
        wanted = f"{text!r} is no milestone such as brief=Brief accepted"
        raise typer.BadParameter(wanted, param_hint="--milestone") from error
    return Milestone(id=own_id, title=title)
