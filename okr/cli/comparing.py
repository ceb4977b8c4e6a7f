"""`okr diff`: two plans side by side."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final

import typer

from okr.cli import options, session
from okr.cli.as_of import pair
from okr.cli.show import plan_diff
from okr.v1.audit_service_pb2 import ComparePlansRequest
from okr.v1.plan_comparison_pb2 import OriginalPlan, PlanInstant
from okr.v1.values_pb2 import AsOf

PLAN: Final = "plan"
NOW: Final = "now"
WHICH: Final = "plan|now|DAY|TIME|@POSITION"


def diff(
    cycle: options.CycleName,
    *,
    team: options.SomeTeam = "",
    before: Annotated[
        list[str] | None,
        typer.Option(
            "--from",
            metavar=WHICH,
            rich_help_panel=options.READ,
            help="The plan to compare from: the committed one, or that of a day, or as known at a "
            "time or position; give one of each for both. Default: plan.",
        ),
    ] = None,
    after: Annotated[
        list[str] | None,
        typer.Option(
            "--to",
            metavar=WHICH,
            rich_help_panel=options.READ,
            help="The plan to compare with. Default: now.",
        ),
    ] = None,
    as_json: options.Json = False,
) -> None:
    """Compare two plans: what was added, dropped, re-targeted, re-weighted, re-aligned, moved.

    $ okr diff 2026-q3

    $ okr diff 2026-q3 --team marketing --from 2026-08-01 --to 2026-08-31

    $ okr diff 2026-q3 --from @97 --to @180 --to 2026-08-31
    """
    request = ComparePlansRequest(
        cycle=cycle,
        team=team,
        before=_instant(before or [PLAN], "--from"),
        after=_instant(after or [NOW], "--to"),
    )
    with session.connected() as okr:
        answer = okr.audit.ComparePlans(request)
        session.answer(answer, plan_diff.comparison(answer.comparison), as_json=as_json)


def _instant(given: Sequence[str], option: str) -> PlanInstant:
    if list(given) == [PLAN]:
        return PlanInstant(original=OriginalPlan())
    if list(given) == [NOW]:
        return PlanInstant(as_of=AsOf())
    return PlanInstant(as_of=pair(given, option))
