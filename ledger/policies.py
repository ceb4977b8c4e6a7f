"""Scoring policies between the API's message and the scoring functions' value."""

from __future__ import annotations

from decimal import Decimal
from functools import lru_cache
from typing import Any

from google.protobuf.descriptor import EnumDescriptor

from ledger.refusals import FieldInvalid, Violation, invalid
from ledger.scoring.exact import text
from ledger.scoring.policy import PRESETS, STANDARD, Policy, contradictions
from ledger.scoring.policy import with_knobs as changed
from okr.v1.values_pb2 import ScoringPolicy

# The API's field for each knob; its enum values are the knob's names behind the enum's own name.
_FIELDS = {
    "status": "status_rule",
    "bands": "band_rule",
    "on_track": "on_track_from",
    "behind": "behind_from",
}


def expanded(given: ScoringPolicy, field: str) -> ScoringPolicy:
    """The policy with every knob filled: a preset by its name, or standard's knobs as defaults.

    Raises:
        FieldInvalid: the name is a preset's and a knob differs from it, it is not a preset's and
            no knob is given, or the knobs contradict each other.
    """
    name = given.name or STANDARD.name
    preset = PRESETS.get(name)
    knobs = _knobs(given)
    if preset is None and not knobs:
        raise invalid(
            f"{field}.name",
            "policy.unknown",
            f"{name!r} is not a preset; a policy with a name of its own has knobs",
        )
    base = preset or Policy(name=name, version=given.version or 1)
    policy = changed(base, knobs)
    if preset is not None and (policy != preset or given.version not in (0, preset.version)):
        raise invalid(
            f"{field}.name",
            "policy.preset",
            f"{preset.label} is a preset with other knobs; give the policy a name of its own",
        )
    wrong = contradictions(policy)
    if wrong:
        raise FieldInvalid(
            tuple(
                Violation(f"{field}.{_FIELDS.get(knob, knob)}", "policy.contradiction", rule)
                for knob, rule in wrong
            )
        )
    return message(policy)


def message(policy: Policy) -> ScoringPolicy:
    """The API's form of a policy, every knob filled."""
    result = ScoringPolicy(name=policy.name, version=policy.version)
    for knob, field in _knob_fields():
        value = getattr(policy, knob)
        if isinstance(value, Decimal):
            setattr(result, field, text(value))
        else:
            setattr(result, field, _number(field, value.name))
    return result


def differing(policy: Policy) -> list[str]:
    """The API's fields in which a policy differs from the standard one, in order."""
    return [
        field for knob, field in _knob_fields() if getattr(policy, knob) != getattr(STANDARD, knob)
    ]


def policy_of(stored: ScoringPolicy) -> Policy:
    """The scoring functions' form of a stored policy."""
    return _policy_of(stored.SerializeToString(deterministic=True))


@lru_cache(maxsize=256)
def _policy_of(stored: bytes) -> Policy:
    policy = ScoringPolicy.FromString(stored)
    return changed(Policy(name=policy.name, version=policy.version), _knobs(policy))


def _knob_fields() -> list[tuple[str, str]]:
    knobs = [name for name in Policy.__dataclass_fields__ if name not in ("name", "version")]
    return [(knob, _FIELDS.get(knob, knob)) for knob in knobs]


def _knobs(given: ScoringPolicy) -> dict[str, Any]:
    knobs: dict[str, Any] = {}
    for knob, field in _knob_fields():
        descriptor = ScoringPolicy.DESCRIPTOR.fields_by_name[field]
        value = getattr(given, field)
        if descriptor.enum_type is None:
            if given.HasField(field):  # type: ignore[arg-type]  # a field's name, from the table
                knobs[knob] = value
        elif value:
            name = descriptor.enum_type.values_by_number[value].name
            knobs[knob] = name.removeprefix(_prefix(field))
    return knobs


def _number(field: str, name: str) -> int:
    return int(_enum(field).values_by_name[_prefix(field) + name].number)


def _prefix(field: str) -> str:
    """The prefix of a knob's enum values: its zero value without UNSPECIFIED."""
    return _enum(field).values_by_number[0].name.removesuffix("UNSPECIFIED")


def _enum(field: str) -> EnumDescriptor:
    found = ScoringPolicy.DESCRIPTOR.fields_by_name[field].enum_type
    if found is None:
        raise TypeError(f"{field} is not a choice")
    return found
