"""What is asked for, as policies see it: a kind, the team that it belongs to, who owns it."""

from __future__ import annotations

from typing import Final, NamedTuple

LEDGER: Final = "Ledger"
CYCLE: Final = "Cycle"
TEAM: Final = "Team"
OBJECTIVE: Final = "Objective"
KEY_RESULT: Final = "KeyResult"
ADJUSTMENT: Final = "Adjustment"
REVIEW: Final = "Review"
PERSON: Final = "Person"
SERVICE: Final = "Service"

KINDS: Final = {
    "cycles": CYCLE,
    "teams": TEAM,
    "objectives": OBJECTIVE,
    "adjustments": ADJUSTMENT,
    "reviews": REVIEW,
    "people": PERSON,
    "services": SERVICE,
}
"""The kinds by the collections of their names; whatever else there is belongs to the ledger."""

COLLECTIONS: Final = {kind: collection for collection, kind in KINDS.items()} | {
    LEDGER: "ledger",
    KEY_RESULT: "objectives/-/keyResults",
}

LOOKED_UP: Final = frozenset({TEAM, OBJECTIVE, KEY_RESULT, ADJUSTMENT, REVIEW})
"""The kinds of which the directory knows each one; of the others there is nothing to know."""

TOP: Final = "teams"
"""The root of the tree of teams: every team is in it, and whatever belongs to no team."""

ANY: Final = "-"
"""The id of one that does not exist, or not yet; the grammar gives it to none that does."""


class Resource(NamedTuple):
    """What an action is done to.

    `team` and `cycle` are full names, empty where there is none. `owner` is a person's name or
    empty; `owners` are those of an objective and of its key results. `private` says that an
    objective, or a key result's, is not for everybody to see. `proposer` is an adjustment's.
    """

    kind: str
    name: str
    team: str = ""
    cycle: str = ""
    owner: str = ""
    owners: frozenset[str] = frozenset()
    private: bool = False
    proposer: str = ""


def unknown(kind: str) -> Resource:
    """One that there is not: it belongs to no team, and is like any other that there is not."""
    return Resource(kind, f"{COLLECTIONS[kind]}/{ANY}")


WHOLE_LEDGER: Final = Resource(LEDGER, LEDGER.lower())


class Subject(NamedTuple):
    """The thing that a name is about, and its kind."""

    kind: str
    name: str


def subject_of(name: str) -> Subject:
    """What a resource name is about.

    A check-in or a revision is about its key result or objective, a seal about its cycle. The
    whole ledger where it names nothing of its own, as "" or "objectives/-" do.
    """
    parts = name.split("/")
    kind = KINDS.get(parts[0])
    if kind is None or len(parts) < 2 or ANY in (parts[1], *parts[3:4]):
        return Subject(LEDGER, WHOLE_LEDGER.name)
    if kind is OBJECTIVE and len(parts) >= 4 and parts[2] == "keyResults":
        return Subject(KEY_RESULT, "/".join(parts[:4]))
    return Subject(kind, f"{parts[0]}/{parts[1]}")


def objective_of(key_result: str) -> str:
    """The name of a key result's objective."""
    return key_result.partition("/keyResults/")[0]
