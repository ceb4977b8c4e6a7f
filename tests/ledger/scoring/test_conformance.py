"""The conformance format: printed forms, files, and nothing passed over in silence."""

import json
from pathlib import Path
from typing import Any

import pytest

from ledger.scoring.conformance import ConformanceFileError, Result, evaluate, load
from tests.ledger.scoring.published import IPFS_CLUSTER_2019_Q2

NUMBER = {"baseline": "0", "target": "3", "value": "2"}


def one(tmp_path: Path, **parts: Any) -> Result:
    case = {"id": "it", "kind": "key_result", "given": NUMBER, "expect": {}, **parts}
    (result,) = evaluate([case], tmp_path)
    return result


@pytest.mark.parametrize(
    ("key", "printed"),
    [
        ("score", "0.666666666667"),
        ("score_rounded_1", "0.7"),
        ("score_rounded_0", "1"),
        ("score_percent_rounded", "67"),
        ("score_percent_rounded_2", "66.67"),
        ("attainment_percent_rounded_12", "66.666666666667"),
    ],
)
def test_a_figure_may_be_written_as_the_source_prints_it(
    tmp_path: Path, key: str, printed: str
) -> None:
    result = one(tmp_path, expect={key: printed})
    assert result == Result("it", f"{key}={printed}", f"{key}={printed}", passed=True)


def test_halves_round_up_as_people_print_them(tmp_path: Path) -> None:
    given = {"baseline": "0", "target": "1000", "value": "125"}
    assert one(tmp_path, given=given, expect={"score_percent_rounded": "13"}).passed


def test_a_difference_shows_both_sides(tmp_path: Path) -> None:
    result = one(tmp_path, expect={"score_percent_rounded": "66"})
    assert result == Result(
        "it", "score_percent_rounded=66", "score_percent_rounded=67", passed=False
    )


@pytest.mark.parametrize(
    ("parts", "says"),
    [
        ({"kind": "horoscope", "expect": {"score": "1"}}, "unknown kind 'horoscope'"),
        ({"expect": {"luck": "1"}}, "unknown expectation"),
        ({"expect": {"luck_percent_rounded": "1"}}, "unknown expectation"),
        ({"expect": {"score_rounded": "1"}}, "unknown expectation"),
        ({"expect": {"score_rounded_13": "1"}}, "unknown expectation"),
        ({"expect": {}}, "nothing in `expect`"),
        ({"expect": {"score": "0.6"}, "policy": {"mood": "GOOD"}}, "a policy has no 'mood'"),
        ({"expect": {"score": "0.6"}, "policy": {"clamp": "HARD"}}, "'HARD' is no clamp"),
        ({"expect": {"score": "0.6"}, "policy": {"on_track": "most"}}, "'most' is no on_track"),
        ({"expect": {"score": "1"}, "given": {"target": "NaN", "value": "1"}}, "'NaN'"),
        ({"expect": {"score": "1"}, "given": {"target": "ten", "value": "1"}}, "Invalid"),
        ({"expect": {"score": "1"}, "given": {"target": True, "value": "1"}}, "True"),
        ({"expect": {"score": "1"}, "given": {"direction": "SIDEWAYS"}}, "SIDEWAYS"),
        ({"expect": {"score": "1"}, "given": None}, "TypeError"),
        (
            {"kind": "objective", "expect": {"score": "1"}, "given": {"file": "no", "column": "x"}},
            "FileNotFoundError",
        ),
    ],
)
def test_what_is_not_understood_fails_and_says_so(
    tmp_path: Path, parts: dict[str, Any], says: str
) -> None:
    result = one(tmp_path, **parts)
    assert not result.passed
    assert says in result.got


def test_a_case_that_is_no_object_fails_without_stopping_the_others(tmp_path: Path) -> None:
    good = {"id": "good", "kind": "key_result", "given": NUMBER, "expect": {"score_rounded_1": 0.7}}
    sound = {**good, "expect": {"score_rounded_1": "0.7"}}
    results = evaluate(["words", good, sound], tmp_path)
    assert [result.passed for result in results] == [False, False, True]


def test_an_expected_null_is_an_ungraded_key_result(tmp_path: Path) -> None:
    given = {**NUMBER, "value": None}
    assert one(tmp_path, given=given, expect={"score": None}).passed
    assert not one(tmp_path, given=given, expect={"score": "0"}).passed
    assert not one(tmp_path, expect={"score": None}).passed


def test_milestones_are_weight_and_done(tmp_path: Path) -> None:
    given = {"metric": "MILESTONES", "milestones": [["3", True], ["1", False]]}
    assert one(tmp_path, given=given, expect={"score": "0.75"}).passed


def test_a_childs_key_results_may_be_given_instead_of_its_score(tmp_path: Path) -> None:
    given = {"key_results": [{"score": "1"}], "children": [{"key_results": [NUMBER]}]}
    result = one(tmp_path, kind="objective", given=given, expect={"score_rounded_2": "0.83"})
    assert result.passed, result


@pytest.mark.parametrize("wrapped", [True, False])
def test_a_file_of_cases_and_the_table_beside_its_folder(tmp_path: Path, wrapped: bool) -> None:
    (tmp_path / "data").mkdir()
    rows = "\n".join(f"{name},{end}" for name, _, end in IPFS_CLUSTER_2019_Q2)
    (tmp_path / "data" / "quarter.csv").write_text(f"objective,end\n{rows}\n", encoding="utf-8")
    cases = [
        {
            "id": rollup,
            "kind": "objective",
            "given": {"file": "data/quarter.csv", "column": "end"},
            "policy": {"ungraded": "EXCLUDE", "cycle_rollup": rollup},
            "expect": {"score_rounded_1": figure},
        }
        for rollup, figure in [("MEAN_OF_KEY_RESULTS", "0.4"), ("MEAN_OF_OBJECTIVES", "0.3")]
    ]
    folder = tmp_path / "conformance"
    folder.mkdir()
    file = folder / "cases.json"
    file.write_text(json.dumps({"about": "…", "cases": cases} if wrapped else cases), "utf-8")
    results = evaluate(load(file), folder)
    assert [result.passed for result in results] == [True, True], results


def test_numbers_written_as_such_are_read_exactly(tmp_path: Path) -> None:
    file = tmp_path / "cases.json"
    file.write_text(
        '[{"id": "a", "kind": "key_result", "given": {"target": 0.3, "value": 0.1},'
        ' "expect": {"attainment_rounded_12": 0.333333333333}}]',
        "utf-8",
    )
    (result,) = evaluate(load(file), tmp_path)
    assert result.passed, result


@pytest.mark.parametrize("content", [None, "no json", '{"cases": 3}', '"words"', b"\xff"])
def test_a_file_without_cases_is_refused_by_name(tmp_path: Path, content: str | bytes) -> None:
    file = tmp_path / "cases.json"
    if isinstance(content, bytes):
        file.write_bytes(content)
    elif content is not None:
        file.write_text(content, "utf-8")
    with pytest.raises(ConformanceFileError, match=r"cases\.json"):
        load(file)
