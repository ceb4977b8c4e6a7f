"""A generated ledger is one that the service could have written."""

from contextlib import closing
from pathlib import Path

from benchmarks.history import Shape, write_history
from ledger.log.sqlite.recorder import open_log
from okr.v1.score_service_pb2 import GetScorecardRequest, ListCheckInsRequest
from tests.support.serving import shared_loop
from tests.support.whole import whole_service


def test_its_quarters_can_be_read_and_have_the_events_asked_for(tmp_path: Path) -> None:
    told: list[int] = []
    shape = Shape(quarters=2, events_each=200, objectives=2, key_results=3)
    _, (first, second) = write_history(tmp_path, shape, told.append)
    assert told == [200, 400]
    assert (first.last_position, second.last_position) == (200, 400)
    with closing(open_log(tmp_path / "okr-ledger.db")) as log:
        recorded = [record.recorded_us for record in log.read(0, 1000)]
        assert recorded == sorted(recorded)
        assert len(recorded) == 400
    with whole_service(shared_loop(), tmp_path) as caller:
        end = GetScorecardRequest(cycle=first.cycle)
        middle = GetScorecardRequest(cycle=first.cycle)
        middle.as_of.position = first.first_position
        assert caller.ask(end).scorecard.score != caller.ask(middle).scorecard.score
        parent = "objectives/q001-000/keyResults/measure-0"
        check_ins = caller.ask(ListCheckInsRequest(parent=parent, page_size=1000)).check_ins
        assert len(check_ins) > 30
        assert [each.name for each in check_ins] == [
            f"{parent}/checkIns/{number}" for number in range(1, len(check_ins) + 1)
        ]


def test_its_check_ins_may_be_those_of_requests(tmp_path: Path) -> None:
    shape = Shape(quarters=1, events_each=50, objectives=2, key_results=3, requests=True)
    _, (quarter,) = write_history(tmp_path, shape, lambda _: None)
    with (
        closing(open_log(tmp_path / "okr-ledger.db")) as log,
        log.datastore.raw("read", writes=False) as connection,
    ):
        query = "SELECT first_position FROM requests ORDER BY request_digest"
        positions = [position for (position,) in connection.execute(query)]
    assert sorted(positions) == list(range(quarter.first_position + 1, 51))
