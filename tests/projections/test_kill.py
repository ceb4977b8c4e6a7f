"""A follower process that is killed at any instant leaves tables that can be followed on."""

from __future__ import annotations

import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

from projections.follower import Follower
from tests.projections.feed import Feed, dump, quarter, views_beside

CHECK_INS = 800

SCRIPT = """
import sys
from pathlib import Path
from projections import follower
from tests.projections.feed import Feed, quarter, serving_from_the_start
from tests.projections.test_kill import CHECK_INS

follower.BATCH = 20
feed = quarter(Feed(), CHECK_INS)
views = serving_from_the_start(Path(sys.argv[1]), feed)
tell = lambda position: print(position, flush=True)
follower.Follower(feed, views, on_progress=tell).catch_up()
"""


@pytest.mark.system
def test_a_killed_follower_is_followed_on(tmp_path: Path) -> None:
    feed = quarter(Feed(), CHECK_INS)
    (tmp_path / "expected").mkdir()
    views = views_beside(tmp_path / "expected", feed)
    Follower(feed, views).catch_up()
    views.close()
    expected = dump(tmp_path / "expected")
    instants = random.Random(11)
    reached: set[int | None] = set()
    for attempt in range(4):
        folder = tmp_path / str(attempt)
        folder.mkdir()
        with subprocess.Popen(
            [sys.executable, "-c", SCRIPT, str(folder)], stdout=subprocess.PIPE
        ) as process:
            assert process.stdout is not None
            for _ in range(instants.randint(1, 60)):
                process.stdout.readline()
            time.sleep(instants.uniform(0, 0.005))
            process.kill()
        views = views_beside(folder, feed)
        follower = Follower(feed, views)
        reached.add(views.open(feed))
        assert follower.catch_up() == len(feed.records)
        views.close()
        assert dump(folder) == expected
    assert len(reached) > 1
    assert reached != {None, len(feed.records)}
