"""The generator of streams against the real service: what it reports is in the ledger."""

from datetime import UTC, datetime
from pathlib import Path

from benchmarks.quarter import commit_quarter, sample_response
from benchmarks.requests import PLACEHOLDER
from benchmarks.stream_load import run
from benchmarks.workload import check_ins, key_result_names
from okr.v1.ledger_service_pb2 import RecordCheckInRequest
from tests.support.serving import shared_loop
from tests.support.whole import whole_service


def test_what_it_counts_is_recorded(tmp_path: Path) -> None:
    today = datetime.now(UTC).date()
    requests = list(check_ins(today))
    with whole_service(shared_loop(), tmp_path) as me:
        commit_quarter(me.channel, today)
        sample_response(me.channel, requests[0])
        head = me.head()
        port = int(me.address.rpartition(":")[2])
        report = run(port, requests, check_ins=100, seconds=0.2, warmup_seconds=0.1)
        assert report.recorded == me.head() - head > 0
        assert report.recorded % 100 == 0
        assert report.rate > 0
        assert report.refused == {}

        lost = RecordCheckInRequest(
            parent=next(key_result_names()), request_id=PLACEHOLDER.decode()
        )
        lost.measurement.value = "no number"
        bad = [*requests[:99], lost.SerializeToString()]
        report = run(port, bad, check_ins=100, seconds=0.1, warmup_seconds=0.0)
        assert sum(report.refused.values()) * 99 == report.recorded
