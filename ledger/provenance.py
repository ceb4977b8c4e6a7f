"""Which event recorded a field of a definition that is in force."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date
from typing import Any

from ledger.revision import Revision, in_order
from ledger.scoring.working import RULES, Source


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
