"""`okr policies` and `okr what-if`: scoring policies, and a cycle under another one."""

from __future__ import annotations

from typing import Annotated

import typer

from okr import texts
from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.reading import merged
from okr.cli.show import simulation
from okr.pages import pages
from okr.v1.score_service_pb2 import ListPoliciesRequest, SimulatePolicyRequest
from okr.v1.values_pb2 import ScoringPolicy

_UNNAMED = "what-if"


def policies(as_json: options.Json = False) -> None:
    """List the scoring policies that a cycle can ask for by name, and what each is for.

    $ okr policies
    """
    with session.connected() as okr:
        answer = merged(pages(okr.scores.ListPolicies, ListPoliciesRequest(page_size=1000)))
        session.answer(answer, simulation.policies(answer.policies), as_json=as_json)


def what_if(
    cycle: options.CycleName,
    *,
    team: options.SomeTeam = "",
    policy: Annotated[
        str,
        typer.Option(
            metavar="POLICY",
            help='A preset (okr policies), or a name with knobs: "house; ungraded=exclude".',
        ),
    ] = "",
    change: Annotated[
        list[str] | None,
        typer.Option(
            metavar="KNOB=VALUE",
            help="Only this knob of the cycle's own policy: clamp=none; again for more.",
        ),
    ] = None,
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Score a cycle under another policy, side by side with its own; nothing is written.

    $ okr what-if 2026-q3 --policy google

    $ okr what-if 2026-q3 --change ungraded=exclude --change green_from=0.75

    $ okr what-if 2026-q3 --team marketing --policy "house; formula=ratio" --as-of 2026-08-09
    """
    if bool(policy) == bool(change):
        raise typer.BadParameter("give --policy, or --change once or more")
    request = SimulatePolicyRequest(
        cycle=cycle, team=team, as_of=instants(as_of, known_at, effective_at)
    )
    if policy:
        request.policy.CopyFrom(options.parsed(texts.policy)(policy))
    else:
        request.changes.CopyFrom(_changes(change or []))
    with session.connected() as okr:
        answer = okr.scores.SimulatePolicy(request)
        shown = simulation.side_by_side(answer.simulation, answer.position)
        session.answer(answer, shown, as_json=as_json)


def _changes(knobs: list[str]) -> ScoringPolicy:
    return options.parsed(texts.policy)("; ".join([_UNNAMED, *knobs]))
