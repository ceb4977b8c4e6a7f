"""`okr retro`: a cycle looked back upon."""

from __future__ import annotations

from okr.cli import options, session
from okr.cli.as_of import instants
from okr.cli.show import retro as shown
from okr.v1.replay_service_pb2 import GetRetrospectiveRequest


def retro(
    cycle: options.CycleName,
    *,
    team: options.SomeTeam = "",
    as_of: options.AsOfText = "",
    known_at: options.KnownAt = "",
    effective_at: options.EffectiveAt = "",
    as_json: options.Json = False,
) -> None:
    """Look back on a cycle: plan and outcome, what changed and what followed, what was believed.

    **Adjustments** stand with the scores before, right after and at the end. **Discipline** is the
    share of due check-ins that were made. **Brier** holds the confidence of mid-cycle against the
    outcome: 0 is best, 1 worst, and a steady 5 gets 0.25.

    $ okr retro 2026-q3

    $ okr retro 2026-q3 --team marketing --as-of 2026-08-15
    """
    request = GetRetrospectiveRequest(
        cycle=cycle, team=team, as_of=instants(as_of, known_at, effective_at)
    )
    with session.connected() as okr:
        answer = okr.replay.GetRetrospective(request)
        session.answer(
            answer, shown.retrospective(answer.retrospective, answer.position), as_json=as_json
        )
