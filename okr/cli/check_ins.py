"""`okr check-in`: measured values."""

from __future__ import annotations

from datetime import date
from typing import Annotated

import typer

from okr import texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import plan, scorecard
from okr.cli.typers import group
from okr.cli.writing import circumstances
from okr.client import OkrClient
from okr.pages import pages
from okr.v1 import ledger_service_pb2 as api
from okr.v1.score_service_pb2 import GetKeyResultRequest, ListCheckInsRequest
from okr.v1.values_pb2 import KeyResultDefinition, Measurement, Metric

app = group(
    """Measured values with the day they held. A late one takes its place by its day; a wrong one
    is corrected or retracted, and both stay in the ledger."""
)

Value = Annotated[
    str,
    typer.Argument(
        metavar="VALUE",
        help="A number; 0 or 1; reached milestones 'brief; design' or 'none'; or 'not measured'.",
    ),
]
Day = Annotated[
    date | None,
    typer.Option("--on", metavar="DAY", parser=options.parsed(texts.day), help="The day it held."),
]
Confidence = Annotated[
    int | None,
    typer.Option(min=0, max=10, help="Belief that the target will be reached, 0 to 10."),
]
Note = Annotated[str, typer.Option(help="What is behind the value.")]


@app.command(context_settings={"ignore_unknown_options": True})
def record(
    key_result: options.KeyResultName,
    value: Value,
    *,
    on: Day = None,
    confidence: Confidence = None,
    note: Note = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Record a measured value.

    $ okr check-in record brand/followers 12840 --confidence 7 --note "Summer campaign began"

    $ okr check-in record brand/followers "not measured" --on 2026-08-10
    """
    with session.connected() as okr:
        request = circumstances(
            api.RecordCheckInRequest(
                parent=key_result,
                measurement=_measurement(okr, key_result, value),
                confidence=confidence,
                note=note,
            ),
            on=on,
            request_id=request_id,
            dry_run=dry_run,
        )
        answer = okr.ledger.RecordCheckIn(request)
        shown = plan.check_ins([answer.check_in])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)
        if not as_json and not dry_run:
            _show_score(okr, key_result)


@app.command(context_settings={"ignore_unknown_options": True})
def correct(
    check_in: options.CheckInName,
    value: Value,
    *,
    on: Day = None,
    confidence: Confidence = None,
    note: Note = "",
    reason: Annotated[str, typer.Option(help="Why it was wrong.")] = "",
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Correct a check-in: what is given replaces its whole content; without --on its day stays.

    $ okr check-in correct brand/followers/3 12480 --reason "Two digits were swapped"
    """
    key_result = check_in.partition("/checkIns/")[0]
    with session.connected() as okr:
        request = circumstances(
            api.CorrectCheckInRequest(
                name=check_in,
                measurement=_measurement(okr, key_result, value),
                confidence=confidence,
                note=note,
            ),
            on=on,
            reason=reason,
            request_id=request_id,
            dry_run=dry_run,
        )
        answer = okr.ledger.CorrectCheckIn(request)
        shown = plan.check_ins([answer.check_in])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)
        if not as_json and not dry_run:
            _show_score(okr, key_result)


@app.command()
def retract(
    check_in: options.CheckInName,
    reason: Annotated[str, typer.Option(help="Why it is taken back.")],
    request_id: options.RequestId = "",
    dry_run: options.DryRun = False,
    as_json: options.Json = False,
) -> None:
    """Take a check-in back, for good; it stays in the ledger.

    $ okr check-in retract brand/followers/3 --reason "Recorded on the wrong key result"
    """
    request = circumstances(
        api.RetractCheckInRequest(name=check_in),
        reason=reason,
        request_id=request_id,
        dry_run=dry_run,
    )
    with session.connected() as okr:
        answer = okr.ledger.RetractCheckIn(request)
        shown = plan.check_ins([answer.check_in])
        session.written(okr, answer, shown, as_json=as_json, dry_run=dry_run)


@app.command("list")
def list_all(
    key_result: options.KeyResultName,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """List the check-ins of a key result by their days, each as last corrected."""
    request = ListCheckInsRequest(
        parent=key_result, as_of=instants(as_of, known_at, effective_at), page_size=1000
    )
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListCheckIns, request))
        session.answer(answer, plan.check_ins(answer.check_ins), as_json=as_json)


def _measurement(okr: OkrClient, key_result: str, value: str) -> Measurement:
    """What the value says; only where it is no number the key result's metric is asked for."""
    try:
        return texts.measurement(value, milestones=False)
    except ValueError as error:
        definition = _definition(okr, key_result)
        if definition.metric != Metric.METRIC_MILESTONES:
            raise typer.BadParameter(str(error), param_hint="VALUE") from error
    return texts.measurement(value, milestones=True)


def _definition(okr: OkrClient, key_result: str) -> KeyResultDefinition:
    answer = okr.scores.GetKeyResult(GetKeyResultRequest(name=key_result))
    return answer.key_result.key_result.definition


def _show_score(okr: OkrClient, key_result: str) -> None:
    answer = okr.scores.GetKeyResult(GetKeyResultRequest(name=key_result))
    session.show(scorecard.key_results([answer.key_result]))
