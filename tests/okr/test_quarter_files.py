from __future__ import annotations

from pathlib import Path

import pytest

from okr.quarter import csv_file, json_file
from okr.quarter.kinds import COLUMNS, KINDS
from okr.quarter.reader import quarter, read
from okr.quarter.record import FileRefused
from okr.quarter.step import Step
from okr.v1 import ledger_service_pb2 as api
from okr.v1.values_pb2 import AlignmentKind, Category, Metric, Visibility

ROOT = Path(__file__).parents[2]
EXAMPLES = ROOT / "examples"
PAGE = ROOT / "docs" / "how-to" / "import-a-quarter.md"

CSV = """\
kind,of,id,title,team,first_day,last_day,time_zone,baseline,target,on,value,source_time,note
# a comment
cycle,,q3,Q3,,2026-07-01,2026-09-30,Europe/Budapest,,,,,,
team,,marketing,Marketing,,,,,,,,,,

objective,,brand,Márka,marketing,,,,,,,,,
key_result,brand,followers,Követők,,,,,100,+20 %,,,,
plan,,,,,,,,,,2026-07-01,,,
check_in,brand/followers,,,,,,,,,2026-07-13,110,,"Jól ment,
de ""csak"" a hét elején"
check_in,brand/followers,,,,,,,,,2026-07-06,not measured,2026-07-20T09:30,
"""

JSON = """\
{
  "cycle": {"id": "q3", "title": "Q3", "first_day": "2026-07-01", "last_day": "2026-09-30"},
  "teams": [{"id": "marketing", "title": "Marketing"}],
  "objectives": [
    {"id": "brand", "title": "Brand", "visibility": "team", "team": "marketing",
     "key_results": [
       {"id": "followers", "title": "Followers", "baseline": 100, "target": "+20 %",
        "check_ins": [
          {"on": "2026-07-06", "value": 104, "corrections": [{"value": 103}],
           "retraction": {"reason": "wrong"}}
        ]},
       {"id": "site", "title": "Site", "metric": "milestones",
        "milestones": [{"id": "brief", "title": "Brief"}, {"id": "launch", "title": "Launch"}],
        "check_ins": [{"on": "2026-07-06", "value": ["brief"]},
                      {"on": "2026-07-13", "value": []}]}
     ],
     "grade": {"on": "2026-09-30", "score": 0.7, "reason": "late"}}
  ],
  "plan": {},
  "adjustments": [
    {"id": "week-6", "title": "Less", "on": "2026-08-10", "reason": "market",
     "category": "market change",
     "changes": [
       {"revise": "brand/followers", "target": 110,
        "trajectory": {"2026-07-31": 103, "2026-09-30": 110}},
       {"drop": "brand/site"},
       {"add": "brand/posts", "title": "Posts", "target": 12,
        "check_ins": [{"on": "2026-08-17", "value": 2}]},
       {"align": "brand", "parent": "growth", "alignment": "supports"},
       {"create": "events", "title": "Events", "team": "marketing",
        "key_results": [{"id": "held", "title": "Held", "target": 3}]}
     ]}
  ]
}
"""


def steps(tmp_path: Path, name: str, text: str) -> list[Step]:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    return list(read(file).steps)


def problems(tmp_path: Path, name: str, text: str) -> list[str]:
    file = tmp_path / name
    file.write_text(text, encoding="utf-8")
    with pytest.raises(FileRefused) as caught:
        read(file)
    return [line.removeprefix(f"{file}:") for line in str(caught.value).split("\n")]


def methods(found: list[Step]) -> list[str]:
    return [step.method for step in found]


def test_a_csv_is_sent_as_it_was_lived(tmp_path: Path) -> None:
    found = steps(tmp_path, "q.csv", CSV)

    assert methods(found) == [
        "CreateCycle",
        "CreateTeam",
        "CreateObjective",
        "CommitPlan",
        "RecordCheckIn",
        "RecordCheckIn",
    ]
    objective, first, late = found[2].request, found[4].request, found[5].request
    assert isinstance(objective, api.CreateObjectiveRequest)
    assert objective.key_results[0].definition.target_change_percent == "+20"
    assert isinstance(first, api.RecordCheckInRequest)
    assert isinstance(late, api.RecordCheckInRequest)
    assert (first.effective_date.day, first.measurement.value) == (13, "110")
    assert (late.effective_date.day, late.measurement.HasField("not_measured")) == (6, True)
    assert late.source_time.ToDatetime().hour == 7, "the time of the cycle's zone, in UTC"
    assert first.note == 'Jól ment,\nde "csak" a hét elején'
    assert found[5].record.line == 11, "a row may span lines"


def test_a_json_says_the_same_things_nested(tmp_path: Path) -> None:
    found = steps(tmp_path, "q.json", JSON)

    assert methods(found) == [
        "CreateCycle",
        "CreateTeam",
        "CreateObjective",
        "CommitPlan",
        "RecordCheckIn",
        "RecordCheckIn",
        "CorrectCheckIn",
        "RetractCheckIn",
        "RecordCheckIn",
        "AdjustStrategy",
        "RecordCheckIn",
        "GradeObjective",
    ]
    objective, reached, none = found[2].request, found[5].request, found[8].request
    assert isinstance(objective, api.CreateObjectiveRequest)
    assert objective.definition.visibility == Visibility.VISIBILITY_TEAM
    site = objective.key_results[1].definition
    assert (site.metric, len(site.milestones)) == (Metric.METRIC_MILESTONES, 2)
    assert isinstance(reached, api.RecordCheckInRequest)
    assert list(reached.measurement.completed.ids) == ["brief"]
    assert isinstance(none, api.RecordCheckInRequest)
    assert none.measurement.HasField("completed")
    adjustment = found[9].request
    assert isinstance(adjustment, api.AdjustStrategyRequest)
    assert adjustment.category == Category.CATEGORY_MARKET_CHANGE
    revise, drop, add, align, create = adjustment.changes
    assert len(revise.revise_key_result.definition.trajectory.phased.points) == 2
    assert drop.drop_key_result.name == "objectives/brand/keyResults/site"
    assert add.add_key_result.parent == "objectives/brand"
    assert align.align.kind == AlignmentKind.ALIGNMENT_KIND_SUPPORTS
    assert create.create_objective.key_results[0].key_result_id == "held"
    grade = found[11].request
    assert isinstance(grade, api.GradeObjectiveRequest)
    assert grade.override_score == "0.7"


def test_the_request_ids_are_the_same_at_every_reading(tmp_path: Path) -> None:
    first = [step.request.request_id for step in steps(tmp_path, "a.json", JSON)]
    again = [step.request.request_id for step in steps(tmp_path, "b.json", JSON)]

    assert first == again
    assert len(set(first)) == len(first)


def test_both_examples_can_be_imported() -> None:
    assert len(read(EXAMPLES / "marketing-sales-2026q3.json").steps) > 150
    assert len(read(EXAMPLES / "ipfs-cluster-2019q2.csv").steps) > 40


def test_every_problem_is_told_with_line_and_column(tmp_path: Path) -> None:
    wrong = (
        CSV.replace("100,+20 %", "1e2,100")
        .replace("2026-07-13,110", "2026-10-13,110")
        .replace("plan,", "plann,")
        .replace("not measured", "unmeasured")
        .replace("2026-07-20T09:30", "20 July")
    )

    found = problems(tmp_path, "q.csv", wrong)

    assert [line.split(": ")[0:2] for line in found] == [
        ["7", "baseline"],
        ["8", "kind"],
        ["9", "on"],
        ["11", "source_time"],
        ["11", "value"],
    ]
    assert "2026-10-13 lies outside 2026-07-01 to 2026-09-30" in found[2]
    assert "plann" in found[1]


def test_every_problem_is_told_with_line_and_path(tmp_path: Path) -> None:
    wrong = (
        JSON.replace('"target": "+20 %"', '"target": "+20%%"')
        .replace('"team": "marketing",\n     "key', '"teem": "marketing",\n     "key')
        .replace('"drop": "brand/site"', '"drop": "brand/sight"')
        .replace('"value": 2}', '"value": 2, "confidence": 11}')
        .replace('"category": "market change"', '"category": "weather"')
        .replace('"id": "launch", "title": "Launch"', '"id": "Launch", "title": ""')
    )

    found = problems(tmp_path, "q.json", wrong)

    assert [line.split(": ")[0:2] for line in found] == [
        ["5", "objectives[0].team"],
        ["5", "objectives[0].teem"],
        ["7", "objectives[0].key_results[0].target"],
        ["13", "objectives[0].key_results[1].milestones[1].id"],
        ["13", "objectives[0].key_results[1].milestones[1].title"],
        ["22", "adjustments[0].category"],
        ["26", "adjustments[0].changes[1].drop"],
        ["28", "adjustments[0].changes[2].check_ins[0].confidence"],
    ]


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("cycle,,q3", "team,,q3", "needs one cycle, and has 0"),
        ("objective,,brand", "objective,,Brand", "id: 'Brand' is no id"),
        ("key_result,brand,", "key_result,brandy,", "of: brandy is no objective"),
        ("100,+20 %", "100,100", "target: must differ from the baseline, 100"),
        ("100,+20 %", "0,+20 %", "target: a relative target needs a baseline"),
        ("100,+20 %", "100,", "target: is missing"),
        ("check_in,brand/followers", "check_in,brand", "of: 'brand': a key result is written"),
        ("2026-07-13,110", "2999-07-13,110", "on: 2999-07-13 lies outside"),
        ("2026-07-13,110", "2026-07-06,110", "on: the check-in brand/followers/2026-07-06 stands"),
        ("2026-09-30", "2026-06-30", "last_day: is before 2026-07-01"),
        ("Europe/Budapest", "Europe/Buda", "time_zone: 'Europe/Buda' is no time zone"),
        ("Márka", "M" * 201, "title: must be at most 200 characters"),
        ("Márka", "M\tarka", "title: holds control characters"),
        ("kind,of", "art,of", "the first row must name the columns"),
        ("kind,of", "kind,off", "off: is no column"),
        ("kind,of,id", "kind,of,of", "of: stands twice"),
        ("Márka,marketing", "Márka,marketing,,,,,,,,,,x", "cells, the first row 14"),
        ('"Jól ment', '"Jól" ment', "is no CSV"),
    ],
)
def test_what_a_csv_cannot_say(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in CSV

    assert said in "\n".join(problems(tmp_path, "q.csv", CSV.replace(old, new, 1)))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ('"plan"', '"plans"', "plans: is no part of a quarter"),
        ('"plan": {}', '"plan": []', "plan: must be an object in braces"),
        ('"teams": [{', '"teams": {"a": [{', "teams: must be a list in brackets"),
        ('"drop": "brand/site"', '"dropp": "brand/site"', "changes[1]: a change says exactly"),
        ('"drop": "brand/site"', '"drop": "brand"', "drop: 'brand': a key result is written"),
        ('"target": 110,', '"team": "marketing",', "is no field of objectives/brand/keyResults"),
        ('"value": ["brief"]', '"value": [["brief"]]', "value: must hold plain values"),
        ('"title": "Posts"', '"title": null', "title: is missing"),
        ('"metric": "milestones"', '"metric": "miles"', "metric: 'miles' is none of NUMBER"),
    ],
)
def test_what_a_json_cannot_say(tmp_path: Path, old: str, new: str, said: str) -> None:
    assert old in JSON
    text = JSON.replace(old, new, 1)
    if new.endswith("[{"):
        text = text.replace('"Marketing"}]', '"Marketing"}]}', 1)

    assert said in "\n".join(problems(tmp_path, "q.json", text))


def test_times_must_be_in_the_order_of_what_happened(tmp_path: Path) -> None:
    wrong = JSON.replace('{"value": 103}', '{"value": 103, "source_time": "2026-07-01T08:00Z"}')
    wrong = wrong.replace('"on": "2026-08-17"', '"on": "2026-08-03"')

    found = problems(tmp_path, "q.json", wrong)

    assert [line.split(": ")[0] for line in found] == ["9", "28"]
    assert all("comes later; times must be in the order of what happened" in x for x in found)


def test_teams_come_after_their_parents(tmp_path: Path) -> None:
    nested = JSON.replace(
        '[{"id": "marketing", "title": "Marketing"}]',
        '[{"id": "marketing", "title": "Marketing", "parent": "all"},'
        ' {"id": "all", "title": "All"}]',
    )

    found = steps(tmp_path, "q.json", nested)

    assert [step.key for step in found[1:3]] == ["teams/all", "teams/marketing"]


def test_teams_that_are_each_others_parents_are_refused(tmp_path: Path) -> None:
    circle = JSON.replace(
        '[{"id": "marketing", "title": "Marketing"}]',
        '[{"id": "marketing", "title": "Marketing", "parent": "all"},'
        ' {"id": "all", "title": "All", "parent": "marketing"}]',
    )

    assert "comes later" in "\n".join(problems(tmp_path, "q.json", circle))


def test_other_files_are_refused(tmp_path: Path) -> None:
    assert "neither .csv nor .json" in problems(tmp_path, "q.yaml", "")[0]
    latin = tmp_path / "q.csv"
    latin.write_bytes("kind,title\ncycle,Márka\n".encode("latin-1"))
    with pytest.raises(FileRefused, match=r"q\.csv:2: is not UTF-8"):
        read(latin)


def test_the_documentation_shows_one_quarter_in_both_forms() -> None:
    page = PAGE.read_text("utf-8")
    as_csv, as_json = (
        page.partition(f"```{form}\n")[2].partition("```")[0] for form in ("csv", "json")
    )

    in_csv = quarter(csv_file.records(as_csv, "csv"), "csv").steps
    in_json = quarter(json_file.records(as_json, "json"), "json").steps

    assert len(in_csv) == 8
    assert [step.request for step in in_csv] == [step.request for step in in_json]


def test_the_documentation_names_every_kind_and_column() -> None:
    page = PAGE.read_text("utf-8")

    missing = [name for name in (*KINDS, *COLUMNS) if f"`{name}`" not in page]
    assert not missing
