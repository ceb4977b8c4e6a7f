"""What somebody is shown of an answer, by the names in it alone; of the answer in JSON form.

Knows nothing of the messages' fields but the few in which one thing mentions others: whatever else
has a hidden name among its texts is about it, and goes.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any, Final

MENTIONS: Final = frozenset(
    {"dependants", "subjects", "key_results", "continued_from", "continued_by", "adjustments"}
)
APART: Final = frozenset({"steps", "totals", "payload"})
"""What is not just left out but told in another way; held to its own tests."""


def shown(told: Any, hidden: Collection[str]) -> Any:
    """The answer without what is hidden; None where nothing is left. `hidden` names objectives."""
    if isinstance(told, Mapping):
        return _of_mapping(told, hidden)
    if isinstance(told, list):
        return [part for each in told if (part := shown(each, hidden)) is not None]
    return None if isinstance(told, str) and is_below(told, hidden) else told


def is_below(name: str, hidden: Collection[str]) -> bool:
    """Whether a text names a hidden objective or something of one."""
    return any(name == each or name.startswith(f"{each}/") for each in hidden)


def _of_mapping(told: Mapping[str, Any], hidden: Collection[str]) -> dict[str, Any] | None:
    left = {}
    for key, value in told.items():
        if key in APART:
            continue
        part = shown(value, hidden)
        if part is None and key not in MENTIONS:
            return None
        # A list that is empty is not told.
        if part not in (None, []):
            left[key] = part
    if "findings" in told and "findings" not in left:
        return None
    realigned = told.get("kind") == "PLAN_CHANGE_KIND_REALIGNED"
    if realigned and not {"alignments_before", "alignments_after"} & left.keys():
        return None
    return left
