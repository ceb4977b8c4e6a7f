"""The demo: two quarters played through a server of its own, then asked about.

Run it with `make demo` or `python -m examples.demo`. It ends with 0 if everything it claims held.
"""

from __future__ import annotations

import os
import shutil
import sqlite3
import sys
import tempfile
from contextlib import closing
from decimal import ROUND_HALF_UP, Decimal
from pathlib import Path

from examples.stage import ROOT, DemoFailed, Narrator, free_address, serving
from okr import OkrClient
from okr.pages import pages
from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf

FILE = "okr-ledger.db"
MARKETING = "examples/marketing-sales-2026q3.json"
IPFS = "examples/ipfs-cluster-2019q2.csv"
Q3 = "cycles/2026-q3"
ADJUSTED = "objectives/leads/keyResults/qualified"
PUBLISHED = {"2019-05-15": "0.3", "2019-06-30": "0.4"}
"""The roll-ups that the IPFS Cluster team published, by the day they are of."""


def main() -> int:
    """Play the demo; 0 if all of it held, 1 if not."""
    # gRPC writes remarks of its own to standard error, which belongs to the story here.
    os.environ.setdefault("GRPC_VERBOSITY", "NONE")
    os.chdir(ROOT)
    folder = Path(tempfile.mkdtemp(prefix="okr-demo-"))
    address = free_address()
    database = f"sqlite:///{folder / FILE}"
    log = folder / "server.log"
    tell = Narrator(address)
    try:
        tell.say(f"A server starts on {address} with an empty ledger in {folder}.")
        with serving(address, database, log), OkrClient(address) as okr:
            play_the_quarter(tell)
            ask_why(tell)
            look_back(tell, adjustment_position(okr))
            end_the_quarter(tell)
            reproduce_published(tell, okr)
            adjusted = adjustment_position(okr)
            prove(tell, adjusted, folder / "held")
            before = answers(okr)
        find_tampering(tell, folder, adjusted)
        replay(tell, database)
        with serving(address, database, log), OkrClient(address) as okr:
            same = answers(okr) == before
        tell.check(f"the same {len(before)} answers, byte for byte", holds=same)
    except DemoFailed as failed:
        sys.stderr.write(f"the demo failed: {failed}\n")
        return 1
    tell.section("Go on", "The ledger is yours: serve it, and repeat any command from above.")
    tell.say(f"OKR_DATABASE_URL={database} make serve")
    return 0


def play_the_quarter(tell: Narrator) -> None:
    """Import the marketing and sales quarter and show how it ended."""
    tell.section(
        "A quarter is played",
        "Two teams, five objectives, thirteen weeks of check-ins, one change of strategy: all of"
        " it goes through gRPC, in the order in which it was lived.",
    )
    tell.okr("import", MARKETING)
    tell.section(
        "How it ended",
        "Three scores stand side by side: against the plan as it is, as it was committed, and as"
        " it was on the day of each check-in.",
    )
    tell.okr("scorecard", "2026-q3")
    tell.section(
        "The change of strategy in week 6",
        "One decision, all or nothing: a target lowered, a key result dropped, one added; with its"
        " reason, before and after, who depends on it, and what it did to the scores that day.",
    )
    tell.okr("adjustments", "2026-q3")
    tell.section(
        "Every revision of the adjusted key result", "Who, when, why, before, after: for good."
    )
    tell.okr("revisions", "leads/qualified")


def ask_why(tell: Narrator) -> None:
    """What moved the scores, how the plan changed, and where a number comes from."""
    tell.section(
        "What moved the score",
        "Every movement has a cause and an event, and the parts add up to the difference exactly:"
        " not all of the leads' 93 points are progress.",
    )
    tell.okr("why", "leads")
    tell.section("The plan then and now", "What was committed on 1 July beside what stands now.")
    tell.okr("diff", "2026-q3")
    tell.section(
        "Where a number comes from",
        "The arithmetic of a score, down to the positions of the events.",
    )
    tell.okr("explain", "leads/cost-per-lead")
    tell.section(
        "What needed attention in week 6",
        "The attention list as it was on the evening before the change: worst first, with the pace"
        " that was needed and where the recent one would have led.",
    )
    tell.okr("deviations", "2026-q3", "--team", "marketing", "--as-of", "2026-08-09")


def end_the_quarter(tell: Narrator) -> None:
    """Close the cycle, and look back on it."""
    tell.section(
        "The quarter is closed",
        "Its scores are sealed with a digest of every key result's. What comes later is an"
        " amendment beside the seal.",
    )
    tell.okr("cycle", "close", "2026-q3")
    amendment = "Három szerződést a következő negyedévre számlázunk."
    tell.okr(
        "cycle", "amend", "2026-q3", amendment, "--about", "new-customers/signed", "--value", "3"
    )
    tell.section("Retrospective", "The plan, the outcome, and what lies between.")
    tell.okr("retro", "2026-q3")


def look_back(tell: Narrator, adjusted: int) -> None:
    """Ask for the past, on both axes; `adjusted` is the position of the adjustment."""
    known_before = f"@{adjusted - 1}"
    tell.section(
        "The day before the change",
        "The same scorecard as of Sunday, 9 August, by all we know now.",
    )
    tell.okr("scorecard", "2026-q3", "--as-of", "2026-08-09")
    day = ("--effective-at", "2026-08-09")
    tell.section(
        "What was known then",
        f"The change was recorded at @{adjusted}. As known at {known_before} the marketing team saw"
        " this when it decided: the committed plan, and no sign of the late entries below.",
    )
    tell.okr("scorecard", "2026-q3", "--team", "marketing", "--as-of", known_before, *day)
    tell.section(
        "A late check-in, on both axes",
        "The customer survey of 3 August reached the ledger on 12 August: it counts for its own"
        " day, and yet it was not known when the team decided on 10 August.",
    )
    tell.okr("key-result", "show", "retention/nps", *day)
    tell.okr("key-result", "show", "retention/nps", *day, "--known-at", known_before)
    tell.section(
        "A corrected one, and one taken back",
        "On 31 August two digits were swapped, on 2 September a value went to the wrong key"
        " result. Both mistakes are still there to be seen.",
    )
    tell.okr("check-in", "list", "brand/followers")
    tell.okr(
        "events", "objectives/brand", "--type", "CheckInCorrected", "--type", "CheckInRetracted"
    )


def reproduce_published(tell: Narrator, okr: OkrClient) -> None:
    """Import the published quarter and compare its roll-ups with the published ones."""
    tell.section(
        "A real, published quarter",
        "The IPFS Cluster team published its grades of 2019 Q2. Key results that were never graded"
        " do not count, and one grade left blank at the end says: not measured.",
    )
    tell.okr("import", IPFS)
    tell.okr("scorecard", "ipfs-cluster-2019-q2")
    for day, published in PUBLISHED.items():
        year, month, day_of_month = map(int, day.split("-"))
        as_of = AsOf()
        as_of.effective_at.year, as_of.effective_at.month = year, month
        as_of.effective_at.day = day_of_month
        request = scores.GetScorecardRequest(cycle="cycles/ipfs-cluster-2019-q2", as_of=as_of)
        score = okr.scores.GetScorecard(request).scorecard.score
        rounded = Decimal(score).quantize(Decimal("0.1"), ROUND_HALF_UP)
        claim = f"as of {day} the roll-up is {score}: {rounded}, and published was {published}"
        tell.check(claim, holds=str(rounded) == published)
    tell.section("Once more", "To import a file again adds nothing.")
    tell.okr("import", MARKETING)


def prove(tell: Narrator, adjusted: int, held: Path) -> None:
    """Have the adjustment proven against a signed checkpoint, and keep that."""
    tell.section(
        "Proof",
        "An event is proven to be in the ledger as it was hashed, against a checkpoint that the"
        " ledger has signed. You keep that: from then on it has to prove to you that it still"
        " begins as it did, and you need not trust its database.",
    )
    tell.okr("prove", str(adjusted), "--kept-in", str(held))
    tell.okr("checkpoint", "--kept-in", str(held))


def find_tampering(tell: Narrator, folder: Path, position: int) -> None:
    """Verify the ledger, and a copy of it in which somebody has altered an event."""
    tell.section(
        "An event is altered in the database",
        f"The ledger is verified from its stored rows. Then somebody with the database's password"
        f" takes a copy of it and alters one byte of the event at @{position}.",
    )
    tell.shell("verify", "--database-url", f"sqlite:///{folder / FILE}")
    altered = folder / "altered"
    altered.mkdir()
    for file in folder.glob(f"{Path(FILE).stem}*.db"):
        shutil.copy(file, altered)
    with closing(sqlite3.connect(altered / FILE)) as connection, connection:
        connection.execute("DROP TRIGGER events_refuse_update")
        ((payload,),) = connection.execute(
            "SELECT payload FROM events WHERE position = ?", (position,)
        )
        changed = bytes([*payload[:-1], payload[-1] ^ 1])
        connection.execute("UPDATE events SET payload = ? WHERE position = ?", (changed, position))
    tell.shell("verify", "--database-url", f"sqlite:///{altered / FILE}", code=1)


def replay(tell: Narrator, database: str) -> None:
    """Throw the read models away and make them anew from the events."""
    tell.section(
        "Replay",
        "Scores and audit are only a reading of the events. The server stops, the read models are"
        " thrown away, and the ledger is replayed.",
    )
    tell.shell("projections", "rebuild", "--database-url", database)


def adjustment_position(okr: OkrClient) -> int:
    """The position at which the adjustment begins."""
    found = okr.audit.ListAdjustments(audit.ListAdjustmentsRequest(cycle=Q3)).adjustments
    return found[0].first_position


def answers(okr: OkrClient) -> list[bytes]:
    """Answers from every read model, as the bytes that callers get."""
    past = AsOf(position=100)
    asked = [
        okr.scores.ListCycles(scores.ListCyclesRequest()),
        okr.scores.ListTeams(scores.ListTeamsRequest()),
        okr.scores.ListObjectives(scores.ListObjectivesRequest(cycle=Q3)),
        okr.scores.ListAlignments(scores.ListAlignmentsRequest(cycle=Q3)),
        okr.scores.ListCheckIns(scores.ListCheckInsRequest(parent=ADJUSTED)),
        okr.scores.GetScorecard(scores.GetScorecardRequest(cycle=Q3)),
        okr.scores.GetScorecard(scores.GetScorecardRequest(cycle=Q3, as_of=past)),
        okr.audit.ListAdjustments(audit.ListAdjustmentsRequest(cycle=Q3)),
        okr.audit.ListKeyResultRevisions(audit.ListKeyResultRevisionsRequest(parent=ADJUSTED)),
        *pages(okr.audit.ListEvents, audit.ListEventsRequest(page_size=1000)),
    ]
    return [answer.SerializeToString(deterministic=True) for answer in asked]


if __name__ == "__main__":
    sys.exit(main())
