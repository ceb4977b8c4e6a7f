"""No read costs by the size of the ledger: each finds its rows by an index."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import Select, create_engine

from projections import adjustments, alignments, chronicle, known_check_ins, plan, revisions
from projections.audit import measured, revision_lists
from projections.audit.revision_lists import Level
from projections.filtering.order import Order
from projections.following.follower import Follower
from projections.known_check_ins import counts, in_force
from projections.store.tables import TABLES, WIDTHS
from tests.projections.feed import DAY, Feed, views_beside

QUERIES: dict[str, Select[Any]] = {
    f"{name} of {width}": statement(width)
    for width in WIDTHS
    for name, statement in (
        ("revisions", revisions._of),
        ("revisions of adjustments", revisions._of_adjustments),
        ("members", plan._of),
        ("check-ins in force", known_check_ins._in_force),
        ("all check-ins in force", known_check_ins._all_in_force),
        ("counts", known_check_ins._counts),
        ("check-ins recorded since", measured._recorded),
        ("check-ins changed since", measured._changed),
        ("alignments by child", alignments._of_children),
        ("alignments by parent", alignments._of_parents),
        ("alignments of adjustments", alignments._of_adjustments),
        ("adjustments", adjustments._of),
    )
} | {
    "page of check-ins": known_check_ins._page(),
    "recorded check-in by number": known_check_ins._one(corrected=False),
    "corrected check-in by number": known_check_ins._one(corrected=True),
    **{
        f"revisions in order of {level.name}, {order}": revision_lists._ordered(
            level, order, 16, first=first
        )
        for level in Level
        for order in (Order("position", descending=True), Order("effective_date"))
        for first in (True, False)
    },
    "entry of a chronicle": chronicle._named(),
    "chronicle of a cycle": chronicle._of_cycle(about=False),
    "chronicle about something": chronicle._of_cycle(about=True),
}


@pytest.mark.parametrize("name", QUERIES)
def test_rows_are_searched_for(name: str) -> None:
    engine = create_engine("sqlite://")
    TABLES.create_all(engine)
    compiled = QUERIES[name].compile(dialect=engine.dialect)
    values = tuple(1 for _ in compiled.positiontup or ())
    with engine.connect() as connection:
        steps = [
            row[3] for row in connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {compiled}", values)
        ]
    aliases = {
        *TABLES.tables,
        "objectives_of_scope",
        "form",
        "candidate",
        "later",
        "origin",
        "known",
    }
    for step in steps:
        scanned = re.match(r"SCAN (\w+)", step)
        assert scanned is None or scanned[1] not in aliases, steps
    if name.startswith("counts") or name.endswith("by number"):
        assert any("key_result=? AND number=?" in step for step in steps)
    if name.startswith("check-ins in force"):
        assert any("candidate USING COVERING INDEX check_ins_in_order" in s for s in steps)
        assert not any("ORDER BY" in step for step in steps)
    if name == "page of check-ins":
        assert not any("ORDER BY" in step for step in steps)


def test_every_statement_is_compiled_once() -> None:
    """SQLAlchemy keeps what it compiled under a key; a statement without one is compiled again."""
    for name, statement in QUERIES.items():
        assert statement._generate_cache_key() is not None, name


def test_finding_the_last_of_many_check_ins_reads_few_of_them(tmp_path: Path) -> None:
    feed = Feed()
    for number in range(1, 2001):
        feed.check_in("objectives/o/keyResults/metric", number, DAY + timedelta(number // 25))
        if number % 40 == 1:
            week = DAY + timedelta(number // 25)
            feed.check_in("objectives/o/keyResults/weekly", 1 + number // 40, week)
    views = views_beside(tmp_path, feed)
    Follower(feed, views).catch_up()
    known, on = len(feed.records), DAY + timedelta(200)
    with views.reading() as reading:
        driver: Any = reading.connection.connection.driver_connection

        def instructions(name: str, known: int) -> int:
            """How many steps SQLite takes for the check-in in force and the count."""
            taken = [0]

            def step() -> int:
                taken[0] += 1
                return 0

            driver.set_progress_handler(step, 1)
            assert in_force(reading.connection, [name], known, on)
            assert counts(reading.connection, [name], known)[name]
            driver.set_progress_handler(None, 1)
            return taken[0]

        few = instructions("objectives/o/keyResults/weekly", known)
        assert instructions("objectives/o/keyResults/metric", known) < 1.1 * few
    views.close()
