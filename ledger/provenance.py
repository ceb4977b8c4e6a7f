"""Which event recorded what is in force: a field of a definition, a grade."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ledger.objectives import Objective
from ledger.revision import Revision, in_order
from ledger.scoring.working import RULES, Source
from okr.v1 import events_pb2 as facts

Graded = facts.ObjectiveGraded | facts.ObjectiveRegraded


def source_of(revisions: Sequence[Revision], on: date, field: str) -> Source:
    """The event that set a field as it is in force on a day, and the field's path in its payload.

    `field` is a path within the definition, such as "target" or "policy.clamp". The revisions are
    those of one subject in order of position.
    """
    whole = field.partition(".")[0].partition("[")[0]
    for revision in reversed(in_order(revisions, on)):
        fact: Any = revision.fact
        known = fact.DESCRIPTOR.fields_by_name
        if "definition" in known:
            return Source(revision.position, f"definition.{field}")
        if "changed" in known and whole in fact.changed.paths:
            return Source(revision.position, f"after.{field}")
    return RULES


def grading_of(objective: Objective, on: date) -> tuple[int, Graded] | None:
    """The event by which an objective was graded last, as of a day, and its position."""
    for revision in reversed(in_order(objective.revisions, on)):
        if isinstance(revision.fact, Graded):
            return revision.position, revision.fact
    return None
