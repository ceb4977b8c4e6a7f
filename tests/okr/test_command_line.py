"""The command line against the real service, which runs as a process of its own."""

from __future__ import annotations

import io
import json
import os
import re
from collections.abc import Callable, Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from google.protobuf.json_format import ParseDict
from rich.console import Console
from typer.testing import CliRunner, Result

from examples.stage import free_address, serving
from okr.cli import app
from okr.cli.show.replay import screen
from okr.cli.watching import print_moves
from okr.v1.replay_service_pb2 import ReplayFrame, ScoreMove, WatchScoresResponse
from okr.v1.resources_pb2 import Scorecard, Status

pytestmark = pytest.mark.system

ROOT = Path(__file__).parents[2]
GOLDEN = Path(__file__).parent / "golden"
MARKETING = str(ROOT / "examples" / "marketing-sales-2026q3.json")
IPFS = str(ROOT / "examples" / "ipfs-cluster-2019q2.csv")

WHY = ("--reason", "r", "--category", "other")

Okr = Callable[..., Result]


def command_line(address: str) -> Okr:
    def okr(*arguments: str) -> Result:
        environment = {"OKR_ADDRESS": address, "COLUMNS": "130", "OKR_ACTOR": "people/p-1"}
        return CliRunner().invoke(app, arguments, env=environment, catch_exceptions=False)

    return okr


@pytest.fixture(scope="module")
def okr(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Okr]:
    """The command line of a service that holds both example quarters."""
    folder = tmp_path_factory.mktemp("ledger")
    address = free_address()
    with serving(address, f"sqlite:///{folder / 'okr.db'}", folder / "server.log"):
        run = command_line(address)
        assert run("import", MARKETING).exit_code == 0
        assert run("import", IPFS).exit_code == 0
        yield run


def told(result: Result) -> str:
    return re.sub(r"\s+", " ", result.output)


def same_as_golden(name: str, output: str) -> None:
    """Compare with a stored output; times of recording and the head's position may differ.

    `OKR_WRITE_GOLDEN=1 pytest …` stores what is shown now; read the difference before keeping it.
    """
    shown = re.sub(r"recorded [-0-9]+ [:0-9]+Z", "recorded TIME", output)
    shown = re.sub(r"known at @[0-9]+", "known at @HEAD", shown)
    golden = GOLDEN / f"{name}.txt"
    if os.environ.get("OKR_WRITE_GOLDEN"):
        golden.write_text(shown, "utf-8")
    assert shown == golden.read_text("utf-8"), f"differs from {golden}"


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("scorecard", ("scorecard", "2026-q3")),
        ("scorecard-day-before", ("scorecard", "2026-q3", "--as-of", "2026-08-09")),
        (
            "scorecard-known-before",
            ("scorecard", "2026-q3", "--team", "marketing", "--as-of", "@97"),
        ),
        ("adjustments", ("adjustments", "2026-q3")),
        ("revisions", ("revisions", "leads/qualified")),
        ("alignments", ("alignments", "2026-q3")),
        ("deviations", ("deviations", "2026-q3", "--as-of", "2026-08-12")),
        ("retro", ("retro", "2026-q3")),
        ("why", ("why", "2026-q3", "--team", "marketing", "--from", "2026-08-01", "--limit", "12")),
        ("why-known-since", ("why", "leads", "--from", "@97", "--to", "2026-10-05")),
        ("due", ("due", "2026-q3", "--team", "sales", "--within", "7", "--as-of", "2026-08-12")),
        ("check-ins", ("check-in", "list", "brand/followers")),
        ("objective", ("objective", "show", "brand")),
        ("diff", ("diff", "2026-q3", "--to", "@180")),
        (
            "diff-day",
            (
                *(
                    "diff",
                    "2026-q3",
                    "--team",
                    "marketing",
                    "--from",
                    "2026-08-10",
                    "--from",
                    "@180",
                ),
                *("--to", "2026-08-09", "--to", "@180"),
            ),
        ),
        ("explain-key-result", ("explain", "brand/followers", "--as-of", "2026-08-09")),
        ("explain-objective", ("explain", "brand", "--as-of", "2026-08-09", "--full")),
        (
            "explain-team",
            ("explain", "2026-q3", "--team", "marketing", "--kind", "original", "--as-of", "@180"),
        ),
        (
            "what-if",
            ("what-if", "2026-q3", "--change", "formula=ratio", "--change", "clamp=none"),
        ),
        ("policies", ("policies",)),
        ("as-of-key-result", ("as-of", "@97", "leads/qualified", "--about", "2026-08-09")),
        ("as-of-objective", ("as-of", "@97", "leads", "--about", "2026-08-09")),
        ("as-of-cycle", ("as-of", "@103", "2026-q3", "--about", "2026-08-10")),
        ("ipfs-mid-quarter", ("scorecard", "ipfs-cluster-2019-q2", "--as-of", "2019-05-15")),
    ],
)
def test_what_is_shown(okr: Okr, name: str, arguments: tuple[str, ...]) -> None:
    result = okr(*arguments)

    assert result.exit_code == 0
    same_as_golden(name, result.stdout)


@pytest.mark.parametrize(
    "arguments",
    [
        ("scorecard", "2026-q3"),
        ("revisions", "leads/qualified"),
        ("adjustments", "2026-q3"),
        ("alignments", "2026-q3"),
        ("deviations", "2026-q3", "--kind", "stale", "--kind", "at-risk"),
        ("due", "2026-q3", "--owner", "people/p-19c2"),
        ("retro", "2026-q3", "--team", "marketing"),
        ("why", "brand"),
        ("events", "--limit", "5"),
        ("cycle", "show", "2026-q3"),
        ("cycle", "list"),
        ("team", "list"),
        ("objective", "show", "brand"),
        ("explain", "brand/site"),
        ("explain", "2026-q3", "--kind", "as-judged"),
        ("what-if", "2026-q3", "--policy", "ipfs"),
        ("objective", "list", "2026-q3", "--team", "marketing"),
        ("key-result", "show", "brand/site"),
        ("check-in", "list", "brand/site"),
        ("cycle", "seals", "2026-q3"),
        ("cycle", "amendments", "2026-q3"),
        ("review", "list", "2026-q3"),
        ("lesson", "list", "2026-q3"),
    ],
)
@pytest.mark.parametrize("as_of", [(), ("--as-of", "2026-08-09"), ("--as-of", "@97")])
def test_every_read_has_json_and_as_of(
    okr: Okr, arguments: tuple[str, ...], as_of: tuple[str, ...]
) -> None:
    result = okr(*arguments, *as_of, "--json")

    assert result.exit_code == 0, result.output
    answer = json.loads(result.stdout)
    if "@97" in as_of:
        assert answer["position"] == "97"


def test_what_was_believed_is_one_object(okr: Okr) -> None:
    told = json.loads(okr("as-of", "@97", "leads/qualified", "--json").stdout)

    assert list(told) == ["keyResult", "checkIns", "revisions"]
    assert {answer["position"] for answer in told.values()} == {"97"}
    assert told["keyResult"]["keyResult"]["keyResult"]["definition"]["target"] == "450"
    assert len(told["checkIns"]["checkIns"]) == 6


def test_a_day_is_known_by_its_end(okr: Okr) -> None:
    today = datetime.now(ZoneInfo("Europe/Budapest")).date()
    told = json.loads(okr("as-of", today.isoformat(), "2026-q3", "--json").stdout)
    head = json.loads(okr("status", "--json").stdout)["headPosition"]

    assert list(told) == ["scorecard", "alignments", "adjustments"]
    assert told["scorecard"]["position"] == head
    early = okr("as-of", "2020-01-01", "2026-q3")
    assert (early.exit_code, "INSTANT_OUT_OF_RANGE" in early.stderr) == (1, True)


def test_two_plans_as_json(okr: Okr) -> None:
    told = json.loads(
        okr("diff", "cycles/2026-q3", "--from", "plan", "--to", "now", "--json").stdout
    )

    kinds = [change["kind"] for change in told["comparison"]["changes"]]
    assert "PLAN_CHANGE_KIND_RETARGETED" in kinds
    assert told["comparison"]["before"]["keyResultCount"] == 12


def test_hungarian_text_comes_back_as_it_went_in(okr: Okr) -> None:
    shown = okr("objective", "show", "brand")
    as_json = json.loads(okr("objective", "show", "brand", "--json").stdout)

    title = "Márkaismertség növelése a célpiacon"
    assert title in shown.stdout
    assert as_json["objective"]["definition"]["title"] == title
    assert title in okr("objective", "show", "brand", "--json").stdout


def test_the_published_roll_ups_are_reproduced(okr: Okr) -> None:
    def score(*as_of: str) -> str:
        answer = okr("scorecard", "ipfs-cluster-2019-q2", "--json", *as_of)
        return str(json.loads(answer.stdout)["scorecard"]["score"])

    assert score("--as-of", "2019-05-15").startswith("0.344")
    assert score().startswith("0.357")


def test_why_begins_on_a_day_and_with_what_was_known(okr: Okr) -> None:
    begun = ("--from", "2026-08-01", "--from", "@97", "--json")
    answer = json.loads(okr("why", "cycles/2026-q3", *begun).stdout)["attribution"]

    assert answer["sincePosition"] == "97"
    assert answer["sinceEffectiveAt"] == {"year": 2026, "month": 8, "day": 1}
    moved = sum(Decimal(part["difference"]) for part in answer["parts"])
    assert moved == Decimal(answer["difference"])
    assert any("köztéri felületek" in each["reason"] for each in answer["movements"])


def test_events_are_watched_line_by_line(okr: Okr) -> None:
    shown = okr("watch", "objectives/brand", "--from", "beginning", "--limit", "3")

    assert shown.exit_code == 0
    first, second, third = shown.stdout.splitlines()
    assert "ObjectiveCreated" in first
    assert "Márkaismertség növelése a célpiacon" in first
    assert "KeyResultAdded" in second
    position = int(second.split()[0].removeprefix("@"))
    rest = okr("watch", "objectives/brand", "--from", f"@{position}", "--limit", "1")
    assert rest.stdout.splitlines() == [third]


def test_watched_events_are_json_lines(okr: Okr) -> None:
    filters = ("--cycle", "2026-q3", "--team", "marketing", "--type", "CheckInRecorded")
    shown = okr("watch", "--from", "beginning", *filters, "--limit", "5", "--json")

    assert shown.exit_code == 0
    events = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [event["header"]["eventType"] for event in events] == ["okr.v1.CheckInRecorded"] * 5
    positions = [int(event["header"]["position"]) for event in events]
    assert positions == sorted(set(positions))


def test_a_quarter_is_replayed_in_lines(okr: Okr) -> None:
    shown = okr("replay", "2026-q3", "--team", "sales")

    assert shown.exit_code == 0
    weeks = [line.split()[0] for line in shown.stdout.splitlines() if line.startswith("2026-")]
    assert (weeks[0], weeks[-1], len(weeks)) == ("2026-07-07", "2026-10-05", 14)
    assert "Ügyfélajánlás (NPS) 30-ról 50-re" in shown.stdout
    assert "retention/churn  1.00 → 0.00  ▼ −1.000  ● at risk" in shown.stdout
    card = okr("scorecard", "2026-q3", "--team", "sales", "--json")
    score = Decimal(json.loads(card.stdout)["scorecard"]["score"]).quantize(Decimal("0.01"))
    assert f"2026-10-05  {score} " in shown.stdout


def test_frames_are_json_lines(okr: Okr) -> None:
    arguments = ("--by", "event", "--from", "2026-09-01", "--as-of", "2026-09-20")
    shown = okr("replay", "2026-q3", *arguments, "--json")

    assert shown.exit_code == 0
    frames = [json.loads(line) for line in shown.stdout.splitlines()]
    assert [frame["number"] for frame in frames] == [*range(1, len(frames) + 1)]
    assert frames[-1]["day"] == {"year": 2026, "month": 9, "day": 14}
    assert all(frame["scorecard"]["score"] for frame in frames)


def test_a_frame_is_drawn_as_a_screen(okr: Okr) -> None:
    shown = okr("replay", "2026-q3", "--json", "--as-of", "2026-08-18").stdout.splitlines()[-1]
    frame = ParseDict(json.loads(shown), ReplayFrame())
    page = io.StringIO()
    Console(width=120, file=page).print(screen(frame))
    drawn = page.getvalue()
    assert "2026. III. negyedév  2026-08-18" in drawn
    assert "53 % of the time" in drawn
    assert re.search(r"Márkaismertség növelése a célpiacon +███▌······ +0.35 +▲ \+0.073", drawn)
    assert "… and 5 more" in drawn


def test_a_watched_scorecard_is_shown_and_then_what_moves(
    okr: Okr, capsys: pytest.CaptureFixture[str]
) -> None:
    """The first answer and one with moves, as a pipe gets them."""
    first = json.loads(okr("scorecard", "2026-q3", "--json").stdout)
    card = ParseDict(first["scorecard"], Scorecard())
    move = ScoreMove(
        name="objectives/brand/keyResults/followers",
        score_before="0.25",
        score_after="0.5",
        difference="0.25",
        status_after=Status.STATUS_ON_TRACK,
    )
    answers = [
        WatchScoresResponse(scorecard=card, position=7),
        WatchScoresResponse(position=9),
        WatchScoresResponse(moves=[move], position=11),
    ]
    for answer in answers:
        print_moves(answer, as_json=False)
    shown = capsys.readouterr().out
    assert "known at @7" in shown
    assert shown.splitlines()[-1] == "@11  brand/followers  0.25 → 0.50  ▲ +0.250  ● on track"


def test_to_import_again_adds_nothing(okr: Okr) -> None:
    before = json.loads(okr("status", "--json").stdout)["headPosition"]
    result = okr("import", MARKETING)

    assert result.exit_code == 0
    assert re.search(r"together +0 +180", result.stdout)
    assert json.loads(okr("status", "--json").stdout)["headPosition"] == before


def test_another_actor_does_not_import_it_once_more(okr: Okr) -> None:
    result = okr("--actor", "people/p-2", "import", IPFS)

    assert result.exit_code == 1
    assert "RESOURCE_EXISTS" in told(result)
    assert "Import as the same one" in told(result)
    assert "0 of 47 steps" in told(result)


def test_a_line_that_changed_is_told_and_the_rest_goes_in(okr: Okr, tmp_path: Path) -> None:
    text = Path(MARKETING).read_text("utf-8")
    line = text[: text.index('"value": 12455')].count("\n") + 1
    changed = tmp_path / "changed.json"
    changed.write_text(text.replace('"value": 12455', '"value": 12456'), "utf-8")

    result = okr("import", str(changed))

    assert result.exit_code == 1
    assert f"changed.json:{line}: objectives[1].key_results[0].check_ins[0]: differs" in told(
        result
    )
    assert "12 455" in okr("check-in", "list", "brand/followers").stdout.replace("\u202f", " ")


def test_every_check_in_of_a_row_is_tried_and_each_refused_one_told(
    okr: Okr, tmp_path: Path
) -> None:
    """What no rule of the file's shows: a binary key result takes 0 and 1."""
    rows = [
        "kind,of,id,title,team,first_day,last_day,metric,target,on,value,reason",
        "cycle,,yes-no,Q,,2026-01-01,2026-03-31,,,,,",
        "objective,,launch,Launch,marketing,,,,,,,",
        "key_result,launch,done,Done,,,,binary,1,,,",
        "plan,,,,,,,,,,,",
        "check_in,launch/done,,,,,,,,2026-01-05,0,",
        "check_in,launch/done,,,,,,,,2026-01-06,5,",
        "check_in,launch/done,,,,,,,,2026-01-07,0,",
        "check_in,launch/done,,,,,,,,2026-01-08,7,",
        "correction,launch/done/2026-01-05,,,,,,,,,1,a slip",
    ]
    file = tmp_path / "launch.csv"
    file.write_text("\n".join(rows), "utf-8")
    refused = okr("import", str(file))
    assert refused.exit_code == 1
    assert "launch.csv:7: value:" in told(refused)
    assert "launch.csv:9: value:" in told(refused)
    assert "6 of 8 steps are in the ledger" in told(refused)

    right = [row.replace(",5,", ",1,").replace(",7,", ",1,") for row in rows]
    file.write_text("\n".join(right), "utf-8")
    again = okr("import", str(file))
    assert again.exit_code == 0, again.output
    assert re.search(r"check-ins +2 +2", again.stdout)
    assert re.search(r"corrections +0 +1", again.stdout)


def test_an_objective_is_imported_with_its_key_results_or_not_at_all(
    okr: Okr, tmp_path: Path
) -> None:
    rows = [
        "kind,of,id,title,team,first_day,last_day,metric,baseline,target,commit,stretch,on,value",
        "cycle,,q1,Q1,,2026-01-01,2026-03-31,,,,,,,",
        "objective,,whole,Whole,marketing,,,,,,,,,",
        "key_result,whole,a,A,,,,,0,10,,,,",
        "objective,,torn,Torn,marketing,,,,,,,,,",
        "key_result,torn,b,B,,,,,0,10,,,,",
        "key_result,torn,c,C,,,,zones,0,10,50,100,,",
        "plan,,,,,,,,,,,,,",
        "check_in,torn/b,,,,,,,,,,,2026-01-05,3",
    ]
    file = tmp_path / "q1.csv"
    file.write_text("\n".join(rows), "utf-8")

    refused = okr("import", str(file))

    assert refused.exit_code == 1
    assert "q1.csv:7: target:" in told(refused)
    assert "2 of 5 steps are in the ledger" in told(refused)
    assert okr("objective", "show", "whole").exit_code == 0
    assert okr("objective", "show", "torn").exit_code == 1

    file.write_text("\n".join(rows).replace("zones,0,10,50", "zones,0,60,50"), "utf-8")
    repaired = okr("import", str(file))

    assert repaired.exit_code == 0, repaired.output
    assert re.search(r"together +3 +2", repaired.stdout)


def test_what_the_file_needs_must_be_there(okr: Okr, tmp_path: Path) -> None:
    file = tmp_path / "q.csv"
    file.write_text(
        "kind,id,title,team,first_day,last_day\n"
        "cycle,q0,Q0,,2025-10-01,2025-12-31\n"
        "objective,lonely,Lonely,nobodies,,\n",
        "utf-8",
    )

    result = okr("import", str(file))

    assert result.exit_code == 1
    assert "q.csv:3: team: teams/nobodies is neither in this file nor in the ledger" in told(result)
    assert okr("cycle", "show", "q0").exit_code == 1, "nothing was sent"


def test_a_file_that_is_wrong_is_not_sent(okr: Okr, tmp_path: Path) -> None:
    file = tmp_path / "q.json"
    file.write_text('{"cycle": {"id": "Q", "title": 1}, "plan": {"on": "soon"}}', "utf-8")

    for arguments in (("import", str(file)), ("import", "--check", str(file))):
        result = okr(*arguments)
        assert result.exit_code == 1
        assert len(result.stderr.strip().split("\n")) == 4, result.stderr


def test_a_quarter_by_hand(okr: Okr) -> None:
    def do(*arguments: str) -> str:
        result = okr(*arguments)
        assert result.exit_code == 0, result.output
        return told(result)

    do("team", "create", "--id", "support", "--parent", "company", "Ügyfélszolgálat")
    do("cycle", "create", "--id", "h2", "H2 [b]", "2026-07-01", "2026-12-31")
    do("objective", "create", "--id", "help", "h2", "support", "Gyors segítség")
    assert "visibility team" in do("objective", "revise", "help", "--private")
    assert "visibility public" in do("objective", "revise", "help", "--public")
    do("key-result", "add", "help", "Kérdések", "--id", "asked", "--target", "100")
    do("key-result", "add", "help", "Válaszok", "--id", "answered", "--target", "50")
    do(
        "key-result", "add", "help", "Tudástár", "--id", "base", "--metric", "milestones",
        "--milestone", "plan=Terv", "--milestone", "live=Élesítés",
    )  # fmt: skip
    assert "H2 [b] h2" in do("cycle", "commit", "h2"), "brackets are text"
    assert "0.30" in do("check-in", "record", "help/asked", "30", "--on", "2026-08-03")
    assert "1 of 2" in do("check-in", "record", "help/base", "plan", "--on", "2026-08-03")
    assert "pending" in do("check-in", "record", "help/base", "not measured")
    do("check-in", "retract", "help/base/2", "--reason", "Mégis mértük")
    corrected = do("check-in", "correct", "help/asked/1", "25", "--reason", "Elírás")
    assert "0.25" in corrected, "its day stayed"
    do(
        "key-result", "revise", "help/asked", "--target", "50",
        "--reason", "Kevesebb ember", "--category", "capacity",
    )  # fmt: skip
    before = json.loads(okr("status", "--json").stdout)["headPosition"]
    adjust = (
        "adjust", "h2", "--title", "Kevesebb, de jobb", "--reason", "Tanultunk",
        "--category", "learning", "--target", "help/asked=40", "--drop", "help/answered",
        "--add", "help/nps=title=NPS; baseline=20; target=40",
    )  # fmt: skip
    assert "nothing was written" in do(*adjust, "--dry-run")
    assert json.loads(okr("status", "--json").stdout)["headPosition"] == before
    assert "target 50 → 40" in do(*adjust)
    assert "0.62" in do("key-result", "show", "help/asked"), "read after the write"
    do("objective", "create", "--id", "all", "h2", "company", "Minden", *WHY)
    do("align", "--contributes", "help", "all", *WHY)
    assert "help contributes → all" in do("alignments", "h2")
    assert "graded" in do(
        "objective", "grade", "help", "--score", "0.6", "--reason", "Megbeszéltük"
    )


def test_a_proposal_by_one_and_its_approval_by_another(okr: Okr) -> None:
    def do(*arguments: str) -> str:
        result = okr(*arguments)
        assert result.exit_code == 0, result.output
        return told(result)

    do("cycle", "create", "--id", "slow", "Lassú", "2026-07-01", "2026-12-31")
    do("objective", "create", "--id", "calm", "slow", "company", "Nyugalom")
    do("key-result", "add", "calm", "Szünetek", "--id", "breaks", "--target", "10")
    do("cycle", "commit", "slow")
    flag = ("--revise-cycle", "adjustments_need_approval=yes")
    do("adjust", "slow", "--title", "Négy szem", *flag, *WHY)
    assert "approval needed" in do("cycle", "show", "slow")
    refused = okr("key-result", "drop", "calm/breaks", *WHY)
    assert "Propose it: okr propose CYCLE" in told(refused)

    less = ("--title", "Kevesebb szünet", "--target", "calm/breaks=8", *WHY)
    assert "nothing was written" in do("propose", "slow", "--id", "less", *less, "--dry-run")
    shown = do("propose", "slow", "--id", "less", *less)
    assert "Kevesebb szünet less proposed" in shown
    assert "target 10 → 8" in shown
    assert "Ask another person" in told(okr("approve", "less"))
    bea = ("--actor", "people/bea")
    assert "nothing was written" in do(*bea, "approve", "less", "--dry-run")
    assert "approved by people/bea" in do(*bea, "approve", "less", "--reason", "Rendben")

    do("propose", "slow", "--id", "late", "--title", "Túl késő", "--drop", "calm/breaks", *WHY)
    assert okr("reject", "late").exit_code == 1
    assert "rejected by people/p-1" in do("reject", "late", "--reason", "Mégsem")
    off = ("--revise-cycle", "adjustments_need_approval=no")
    assert "yes → no" in do("propose", "slow", "--id", "off", "--title", "Elég", *off, *WHY)
    listed = do("adjustments", "slow")
    assert "less applied" in listed
    assert "late rejected" in listed
    assert "off proposed" in listed
    assert "Rendben" in listed
    told_again = told(okr(*bea, "approve", "late"))
    assert "adjustments/late is REJECTED already" in told_again
    do("propose", "slow", "--id", "more", "--title", "x", "--target", "calm/breaks=9", *WHY)
    do("propose", "slow", "--id", "most", "--title", "x", "--target", "calm/breaks=12", *WHY)
    do(*bea, "approve", "most")
    assert 'calm/keyResults/breaks was "2" and is "3"' in told(okr(*bea, "approve", "more"))


def test_a_quarter_ends(okr: Okr) -> None:
    def do(*arguments: str) -> str:
        result = okr(*arguments)
        assert result.exit_code == 0, result.output
        return told(result)

    do("cycle", "create", "--id", "q2", "Második negyedév", "2026-04-01", "2026-06-30")
    do("objective", "create", "--id", "reach", "q2", "marketing", "Elérés")
    do("key-result", "add", "reach", "Olvasók", "--id", "readers", "--target", "200")
    do("cycle", "commit", "q2")
    do("check-in", "record", "reach/readers", "150", "--on", "2026-06-29")
    do(
        "adjust", "q2", "--id", "spring", "--title", "Tavasz", "--target", "reach/readers=300",
        *WHY,
    )  # fmt: skip
    shown = do(
        "review", "record", "q2", "quarterly", "--id", "retro-q2", "--team", "marketing",
        "--with", "people/anna", "--with", "Béla", "--decided", "spring",
        "--notes", "Jó negyedév volt", "--on", "2026-07-02",
    )  # fmt: skip
    assert "quarterly review of q2 retro-q2" in shown
    assert "Jó negyedév volt" in do("review", "show", "retro-q2")
    listed = do("review", "list", "q2", "--team", "marketing")
    assert "people/anna, Béla spring Jó negyedév volt" in listed
    do("lesson", "record", "q2", "Korábban mérni", "--about", "reach", "--review", "retro-q2")
    assert "reach learning retro-q2" in do("lesson", "list", "q2")
    assert "Korábban mérni" in do("lesson", "list", "q2", "--about", "reach")

    tried = do("cycle", "close", "q2", "--dry-run")
    assert "nobody graded reach" in tried
    assert "nothing was written" in tried
    closed = do("cycle", "close", "q2", "--reason", "Vége")
    assert "seal 1 q2 of 2026-06-30" in closed
    assert "SHA-256 of 1 key results" in closed
    refused = okr("check-in", "record", "reach/readers", "160", "--on", "2026-06-29")
    assert refused.exit_code == 1
    assert "CYCLE_STATE" in told(refused)
    do("cycle", "amend", "q2", "Tíz olvasó kimaradt", "--about", "reach/readers", "--value", "160")
    assert "reach/readers 160" in do("cycle", "amendments", "q2")
    card = do("scorecard", "q2")
    assert "sealed 0.50 seal 1 of 2026-06-30" in card
    assert "amended after it was sealed" in card
    assert "Tíz olvasó kimaradt" in card

    do("cycle", "create", "--id", "q3-next", "Következő", "2026-07-01", "2026-09-30")
    do("objective", "create", "--id", "farther", "q3-next", "marketing", "Messzebb")
    carried = do("key-result", "carry-over", "reach/readers", "farther", "--target", "400")
    assert "150 → 400" in carried, "from the value that it reached"
    assert "continues reach/readers" in carried
    assert "continued by farther/readers" in do("key-result", "show", "reach/readers")

    assert okr("cycle", "reopen", "q2").exit_code == 1, "needs a reason"
    assert "q2 is active again" in do("cycle", "reopen", "q2", "--reason", "Kimaradt egy hét")
    assert "opened again" in do("cycle", "seals", "q2")
    do("check-in", "record", "reach/readers", "240", "--on", "2026-06-30")
    do("cycle", "close", "q2")
    assert "Kimaradt egy hét" in do("cycle", "seals", "q2", "1")
    for number in ("1", "2"):
        assert "it is the same" in do("cycle", "seals", "q2", number, "--check")
    assert okr("cycle", "seals", "q2", "--check").exit_code == 2
    found = json.loads(okr("cycle", "seals", "q2", "--json").stdout)["seals"]
    assert [(seal["number"], seal["score"]) for seal in found] == [("1", "0.5"), ("2", "0.8")]
    told_again = do("events", "cycles/q2")
    for said in ("seal 1: 0.50", "reach/readers: Tíz olvasó kimaradt", "after seal 1"):
        assert said in told_again


def test_revisions_of_many_and_through_filters(okr: Okr) -> None:
    def do(*arguments: str) -> str:
        result = okr(*arguments)
        assert result.exit_code == 0, result.output
        return told(result)

    wide = do("revisions", "--cycle", "2026-q3", "--after-plan", "--filter", "field : target")
    assert "leads/qualified revision 2 revised" in wide
    assert "added" not in wide
    of_objectives = do("revisions", "--team", "marketing", "--of", "objectives")
    assert "brand revision 1 created" in of_objectives
    assert "graded" in do("revisions", "brand")
    every = json.loads(okr("revisions", "brand", "--of", "key-results", "--json").stdout)
    first = every["revisions"][-1]["name"]
    assert first.startswith("objectives/brand/keyResults/")
    upwards = ("revisions", "brand", "--of", "key-results", "--order-by", "position")
    assert json.loads(okr(*upwards, "--json").stdout)["revisions"][0]["name"] == first
    compared = do("compare", "leads/qualified", "1", "2")
    assert "revision 1 added" in compared
    assert "target" in compared
    assert "the definitions are equal" in do("compare", "brand", "1", "1")
    assert "no adjustments" in do("adjustments", "2026-q3", "--filter", "state = REJECTED")
    only = ("--filter", "event_type = KeyResultDropped AND cycle = cycles/2026-q3")
    dropped = json.loads(okr("events", *only, "--limit", "0", "--json").stdout)["events"]
    assert {each["header"]["eventType"] for each in dropped} == {"okr.v1.KeyResultDropped"}
    wrong = okr("events", "--filter", "colour = red")
    assert wrong.exit_code == 1
    assert "column 1: expected one of the fields" in told(wrong)


def test_an_adjustment_from_a_file(okr: Okr, tmp_path: Path) -> None:
    file = tmp_path / "a.json"
    wrong = {"id": "a1", "title": "A", "changes": [{"drop": "brand"}]}
    file.write_text(json.dumps(wrong, indent=1), "utf-8")

    refused = okr("adjust", "2026-q3", "--file", str(file))

    assert refused.exit_code == 1
    assert "a.json:6: changes[0].drop: 'brand': a key result is written" in told(refused)
    assert "a.json:1: reason: is missing" in told(refused)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("key-result", "drop", "growth/revenue", *WHY), "OBJECTIVE_STATE"),
        (("cycle", "commit", "2026-q3"), "CYCLE_STATE"),
        (("cycle", "show", "none"), "→ Look for the right name"),
        (("scorecard", "2026-q3", "--as-of", "@99999"), "POSITION_AHEAD"),
        (("watch", "--from", "@99999"), "POSITION_AHEAD"),
        (("why", "brand", "--from", "@99", "--to", "@98"), "Begin earlier or end later"),
        (("why", "nothing"), "cycles/nothing does not exist"),
        (("watch", "--from", "AAAA"), "TOKEN_FOREIGN"),
        (("watch", "--cycle", "none"), "RESOURCE_NOT_FOUND"),
        (("scorecard", "none", "--watch"), "RESOURCE_NOT_FOUND"),
        (("replay", "2026-q3", "--from", "2025-01-01"), "DAY_OUTSIDE_CYCLE"),
        (("team", "create", "--id", "sales", "Sales"), "ids are never used again"),
        (("cycle", "create", "x" * 201, "2026-01-01", "2026-01-31"), "definition.title"),
    ],
)
def test_what_is_refused_says_why_and_what_next(
    okr: Okr, arguments: tuple[str, ...], said: str
) -> None:
    result = okr(*arguments)

    assert result.exit_code == 1
    assert result.stdout == ""
    assert said in re.sub(r"\s+", " ", result.stderr)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("scorecard",), "Missing argument"),
        (("scorecard", "Q3"), "lower-case letters"),
        (("scorecard", "2026-q3", "--as-of", "soon"), "2026-08-10T18:00"),
        (("watch", "--from", "@now"), "no whole number"),
        (("scorecard", "2026-q3", "--watch", "--as-of", "@97"), "does not move"),
        (("replay", "2026-q3", "--by", "event", "--known", "now"), "by what was known then"),
        (("check-in", "record", "brand/followers", "1e5"), "no decimal number"),
        (
            ("check-in", "record", "brand/followers", "1", "--confidence", "11"),
            "less than or equal to 10",
        ),
        (("key-result", "add", "brand", "T", "--target", "+x %"), "no decimal number"),
        (("key-result", "add", "brand", "T", "--milestone", "x"), "brief=Brief accepted"),
        (("adjust", "2026-q3", "--title", "T"), "at least one change"),
        (("diff", "2026-q3", "--from", "soon"), "no day such as"),
        (("diff", "2026-q3", "--to", "@1", "--to", "@2"), "at most"),
        (("explain", "brand/site", "--team", "marketing"), "okr explain CYCLE --team TEAM"),
        (("explain", "brand", "--kind", "best"), "CURRENT, ORIGINAL, AS_JUDGED"),
        (("what-if", "2026-q3"), "--policy"),
        (("what-if", "2026-q3", "--change", "colour=red"), "no 'colour'"),
        (("as-of", "soon", "2026-q3"), "no day such as"),
        (("propose", "2026-q3", "--title", "T"), "at least one change"),
        (("adjust", "2026-q3", "--revise-cycle", "colour=red"), "no 'colour'"),
        (("revisions",), "or a --cycle or --team"),
        (("compare", "brand", "0", "1"), "greater than or equal to 1"),
        (("adjust", "2026-q3", "--add", "brand/x=colour=red"), "no 'colour'"),
        (("objective", "abandon", "brand", "--category", "weather"), "MARKET_CHANGE"),
        (("import", "nowhere.csv"), "does not exist"),
        (("deviations", "--kind", "late"), "NOT_STARTED"),
        (("due", "Q3"), "lower-case letters"),
        (("why", "brand/x/1"), "expected OBJECTIVE"),
        (("why", "brand", "--from", "soon"), "no day such as"),
        (("why", "brand", "--from", "@1", "--from", "@2"), "one time or position"),
        (("why", "brand/followers", "--team", "sales"), "okr why CYCLE --team TEAM"),
    ],
)
def test_wrong_usage_is_told_before_anything_is_sent(
    okr: Okr, arguments: tuple[str, ...], said: str
) -> None:
    result = okr(*arguments)

    assert result.exit_code == 2
    assert said in re.sub(r"[\s│]+", " ", result.stderr)


def test_nobody_there() -> None:
    result = command_line("127.0.0.1:1")("cycle", "list")

    assert result.exit_code == 3
    assert "Nothing answers at 127.0.0.1:1" in told(result)


def test_help_teaches() -> None:
    result = command_line("127.0.0.1:1")("--help")

    assert result.exit_code == 0
    assert "okr check-in record brand/followers" in told(result)
