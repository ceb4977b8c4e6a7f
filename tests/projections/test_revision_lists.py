"""The revisions of many subjects in one order, from any place on."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import Connection

from okr.v1 import events_pb2 as facts
from okr.v1.values_pb2 import ObjectiveDefinition
from projections import plan
from projections.audit.revision_lists import BY_DAY, BY_POSITION, Level, Scope, rows_of
from projections.filtering.order import Order
from projections.following.follower import Follower
from projections.paging import Cursor
from projections.store.tables import WIDTHS
from tests.projections.feed import DAY, Feed, views_beside

pytestmark = pytest.mark.usefixtures("each_database")


TEAMS = [f"teams/t{number}" for number in range(WIDTHS[-1] + 20)]
"""More than one statement asks for."""


@pytest.fixture(scope="module")
def connection(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Connection]:
    """An objective of each team, with a key result; each then goes to the next team."""
    feed = Feed()
    for number, team in enumerate(TEAMS):
        objective = f"objectives/o{number}"
        definition = ObjectiveDefinition(team=team)
        feed.add(facts.ObjectiveCreated(objective=objective, definition=definition))
        feed.add(facts.KeyResultAdded(key_result=f"{objective}/keyResults/k"))
    for number in range(len(TEAMS)):
        later = TEAMS[(number + 1) % len(TEAMS)]
        moved = facts.ObjectiveRevised(
            objective=f"objectives/o{number}", after=ObjectiveDefinition(team=later)
        )
        moved.changed.paths.append("team")
        feed.add(moved, day=DAY + timedelta(number % 7))
    views = views_beside(tmp_path_factory.mktemp("views"), feed)
    Follower(feed, views).catch_up()
    with views.reading() as reading:
        yield reading.connection
    views.close()


def listed(
    connection: Connection, level: Level, order: Order, after: Cursor = (), known: int = 1 << 40
) -> list[tuple[int, Cursor]]:
    """The positions of the revisions of all teams, with their cursors."""
    scope = Scope(level, [plan.objectives_of(team) for team in TEAMS])
    found = rows_of(connection, scope, known, order, after)
    return [(row.position, cursor) for rows in found for row, cursor in rows]


@pytest.mark.parametrize("name", [BY_POSITION, BY_DAY])
@pytest.mark.parametrize("descending", [False, True])
def test_all_are_listed_once_in_order_and_from_any_place_on(
    connection: Connection, name: str, descending: bool
) -> None:
    order = Order(name, descending)
    found = listed(connection, Level.COLLECTIONS, order)
    cursors = [cursor for _, cursor in found]
    assert len({position for position, _ in found}) == len(found) == 2 * len(TEAMS)
    assert cursors == sorted(cursors, reverse=descending)
    for place in range(0, len(found), 50):
        assert listed(connection, Level.COLLECTIONS, order, cursors[place]) == found[place + 1 :]


def test_key_results_are_those_of_the_teams_objectives(connection: Connection) -> None:
    order = Order(BY_POSITION)
    found = listed(connection, Level.OWNERS_OF_KEY_RESULTS, order)
    assert [position for position, _ in found] == list(range(2, 2 * len(TEAMS) + 1, 2))
    early = listed(connection, Level.OWNERS_OF_KEY_RESULTS, order, known=10)
    assert [position for position, _ in early] == [2, 4, 6, 8, 10]
