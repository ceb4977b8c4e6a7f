"""Random filters over events, as text and as what they mean; see the head of the audit service."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime
from random import Random
from typing import Final, NamedTuple

from okr.v1.values_pb2 import Category
from tests.model.known import Fact, Known

Passes = Callable[[Fact, Known], bool]
"""Whether an event passes, by what is known."""


class Filter(NamedTuple):
    """A filter's text, and what it means."""

    text: str
    passes: Passes


EVERYTHING: Final = Filter("", lambda *_: True)


def random_filter(chance: Random, fact: Fact, *, of_plans: bool) -> Filter:
    """A filter that an event may well pass; of revisions, or else of events of any stream."""
    one, other = (_term(chance, fact, of_plans=of_plans) for _ in range(2))
    match chance.randrange(5):
        case 0:
            return Filter(f"NOT {one.text}", lambda f, k: not one.passes(f, k))
        case 1:
            both = f"{one.text} AND {other.text}"
            return Filter(both, lambda f, k: one.passes(f, k) and other.passes(f, k))
        case 2:
            either = f"{one.text} OR {other.text}"
            return Filter(either, lambda f, k: one.passes(f, k) or other.passes(f, k))
        case 3:
            without = f"{one.text} AND -({other.text})"
            return Filter(without, lambda f, k: one.passes(f, k) and not other.passes(f, k))
    return one


def _term(chance: Random, fact: Fact, *, of_plans: bool) -> Filter:
    """One comparison."""
    actor, category = fact.metadata.actor.plain, fact.metadata.category
    terms = [
        Filter(f"actor = {actor}", lambda f, _: f.metadata.actor.plain == actor),
        Filter(f"actor != {actor}", lambda f, _: f.metadata.actor.plain != actor),
        Filter("on_behalf_of : *", lambda f, _: bool(f.metadata.on_behalf_of.plain)),
        Filter("adjustment : *", lambda f, _: bool(f.metadata.adjustment)),
        Filter(f"event_type = {fact.kind}", lambda f, _: f.kind == fact.kind),
        Filter(f"position >= {fact.position}", lambda f, _: f.position >= fact.position),
        Filter(f"recorded_time < {_quoted(fact)}", lambda f, _: f.recorded_us < fact.recorded_us),
    ]
    if category:
        name = Category.Name(category)
        terms.append(Filter(f"category = {name}", lambda f, _: f.metadata.category == category))
    if paths := _changed(fact):
        path = chance.choice(paths)
        terms.append(Filter(f"field = {path}", lambda f, _: path in _changed(f)))
    if of_plans:
        terms += [
            Filter("after_plan_commitment = true", is_after_plan),
            Filter(f"subject = {fact.subject}", lambda f, _: f.subject == fact.subject),
        ]
        day = date.fromordinal(max(fact.day.toordinal(), date(2025, 4, 1).toordinal()))
        terms.append(Filter(f"effective_date <= {day}", lambda f, k: _holds_from(f, k) <= day))
    elif fact.day != date.min:
        terms.append(
            Filter(
                f"effective_date > {fact.day}", lambda f, _: f.day != date.min and f.day > fact.day
            )
        )
    return chance.choice(terms)


def _quoted(fact: Fact) -> str:
    seconds, rest = divmod(fact.recorded_us, 1_000_000)
    moment = datetime.fromtimestamp(seconds, UTC).replace(microsecond=rest)
    return f'"{moment.isoformat()}"'


def _changed(fact: Fact) -> list[str]:
    """The fields that an event changed, or that a proposal would change."""
    if fact.kind == "AdjustmentProposed":
        foreseen = [getattr(e, str(e.WhichOneof("event"))) for e in fact.payload.foreseen]
    else:
        foreseen = [fact.payload]
    return [path for each in foreseen if hasattr(each, "changed") for path in each.changed.paths]


def is_after_plan(fact: Fact, known: Known) -> bool:
    """Whether it came after the plan commitment of its objective's cycle."""
    return 0 < known.cycle(known.cycle_of(fact.subject)).plan_position < fact.position


def _holds_from(fact: Fact, known: Known) -> date:
    """The day from which it holds; from the beginning is from its cycle's first day."""
    return max(fact.day, known.cycle(known.cycle_of(fact.subject)).first)
