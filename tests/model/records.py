"""What the ledger itself works out and records with events, from what was known by then."""

from __future__ import annotations

from datetime import date
from hashlib import sha256
from typing import Any

from google.protobuf.message import Message

from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import FinalScore
from tests.model.known import Fact, Known
from tests.model.numbers import shown
from tests.model.reads_of_attention import above
from tests.model.shapes import date_message, objective, only, three
from tests.model.standing import ObjectiveLine, Standing


def sealed(fact: Fact, then: Known) -> facts.CycleSealed:
    """The seal that a cycle's closing leads to; `then` is what was known at the closing."""
    of = fact.payload.cycle
    standing = Standing(then, fact.day)
    teams = then.teams(fact.day)
    tree = then.tree(teams, "")
    names = standing.members(of, tree)
    blocks = [block for name in sorted(names) if (block := standing.objective(name))]
    lines = sorted(
        "\t".join((line.key_result.name, *(shown(score) or "" for score in line.scores))) + "\n"
        for block in blocks
        for line in block.lines
    )
    return facts.CycleSealed(
        cycle=of,
        number=fact.payload.number,
        closing_position=then.position,
        team_scores=[
            FinalScore(name=team, **three(standing.team(team, of).scores))
            for team in sorted(tree)
            if standing.members(of, then.tree(teams, team))
        ],
        objective_scores=[final_score(block, standing) for block in blocks],
        key_result_count=len(lines),
        key_result_digest=sha256("".join(lines).encode()).digest(),
        **three(standing.whole_cycle(of).scores),
    )


def final_score(block: ObjectiveLine, standing: Standing) -> FinalScore:
    """An objective's, graded or not."""
    there = block.objective
    return FinalScore(
        name=there.name,
        computed_score=shown(block.computed),
        override_score=there.override,
        state=objective(there, standing.cycle(there.cycle), ()).state,
        **three(block.scores),
    )


def computed(fact: Fact, before: Known) -> str | None:
    """The score that a grade computes; `before` is what was known just before it."""
    block = Standing(before, fact.day).objective(fact.payload.objective)
    return shown(block.computed) if block else None


def was(fact: Fact, before: Known) -> Message:
    """What an event says was so before it, of the fields that it changed."""
    name, day = fact.subject, fact.day
    there: Any
    match fact.kind:
        case "KeyResultRevised":
            there = before.key_result(name, day)
        case "ObjectiveRevised":
            there = before.objective(name, day)
        case "TeamRevised":
            there = before.team(name, day)
        case _:
            there = before.cycle(name, day)
    found: Message = only(there.definition, fact.payload.changed.paths)
    return found


def depending(fact: Fact, before: Known) -> list[str]:
    """What an event says depends on its subject."""
    return sorted(above(Standing(before, date.max), fact.subject))


def corrected(fact: Fact, before: Known) -> dict[str, Any]:
    """What a correction says that the check-in said before."""
    (there,) = (
        each
        for each in before.check_ins(fact.subject)
        if each.recorded.payload.number == fact.payload.number
    )
    content = there.content.payload
    return {
        "measurement_before": content.measurement,
        "effective_date_before": date_message(there.day),
        **{
            f"{name}_before": getattr(content, name)
            for name in ("instant", "confidence", "note")
            if content.HasField(name)
        },
    }
