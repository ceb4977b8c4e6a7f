import pytest

from ledger.policies import expanded, message, policy_of
from ledger.refusals import FieldInvalid
from ledger.scoring.policy import PRESETS, Policy
from okr.v1.values_pb2 import ScoringPolicy

FIELD = "definition.policy"


@pytest.mark.parametrize("preset", PRESETS.values(), ids=list(PRESETS))
def test_a_preset_is_asked_for_by_its_name(preset: Policy) -> None:
    stored = expanded(ScoringPolicy(name=preset.name), FIELD)

    assert policy_of(stored) == preset
    assert message(preset) == stored
    assert expanded(stored, FIELD) == stored
    assert {f.name for f, _ in stored.ListFields()} == {f.name for f in stored.DESCRIPTOR.fields}


def test_nothing_said_is_standard() -> None:
    assert policy_of(expanded(ScoringPolicy(), FIELD)) == PRESETS["standard"]


def test_a_name_of_its_own_has_the_knobs_given_and_the_rest_of_standard() -> None:
    given = ScoringPolicy(
        name="ours", version=3, clamp=ScoringPolicy.CLAMP_NONE, green_from="0.800"
    )

    policy = policy_of(expanded(given, FIELD))

    standard = PRESETS["standard"]
    assert (policy.label, policy.clamp.name, str(policy.green_from)) == ("ours/v3", "NONE", "0.8")
    assert (policy.formula, policy.yellow_from) == (standard.formula, standard.yellow_from)


def test_a_presets_name_means_the_preset() -> None:
    same = ScoringPolicy(name="google", version=1, band_rule=ScoringPolicy.BAND_RULE_TENTHS)
    assert policy_of(expanded(same, FIELD)) == PRESETS["google"]

    for other in (
        ScoringPolicy(name="google", clamp=ScoringPolicy.CLAMP_NONE),
        ScoringPolicy(name="google", version=2),
        ScoringPolicy(clamp=ScoringPolicy.CLAMP_NONE),
    ):
        assert _fields(other) == [f"{FIELD}.name"]


@pytest.mark.parametrize(
    ("knobs", "field"),
    [
        ({"behind_from": "0.9", "on_track_from": "0.8"}, "behind_from"),
        ({"yellow_from": "0.8"}, "yellow_from"),
    ],
)
def test_knobs_that_contradict_each_other_are_refused(knobs: dict[str, str], field: str) -> None:
    given = ScoringPolicy(name="ours")
    given.MergeFrom(ScoringPolicy(**knobs))  # type: ignore[arg-type]  # the case's own fields

    assert _fields(given) == [f"{FIELD}.{field}"]


def test_a_name_that_is_no_presets_needs_knobs() -> None:
    assert _fields(ScoringPolicy(name="standart")) == [f"{FIELD}.name"]


def _fields(given: ScoringPolicy) -> list[str]:
    with pytest.raises(FieldInvalid) as refused:
        expanded(given, FIELD)
    return [violation.field for violation in refused.value.violations]
