"""The stock gRPC server: `python -m benchmarks.stock.server --help`."""

from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from decimal import Decimal
from typing import Annotated

import grpc
import typer

from benchmarks.check_in_rpc import check_in_handler
from benchmarks.stock.ledger import Ledger, open_ledger
from benchmarks.workload import key_result_names
from okr.v1.ledger_service_pb2 import RecordCheckInRequest, RecordCheckInResponse

WORKERS = 10
"""As in the examples of gRPC for Python; between 1 and 32 the rate does not depend on it."""
ACTOR = "people/stock"


class StockCheckIns:
    """RecordCheckIn on the stock ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    def record(
        self, request: RecordCheckInRequest, context: grpc.ServicerContext
    ) -> RecordCheckInResponse:
        """Records one check-in, in one transaction of its own."""
        day = request.effective_date
        number, position = self._ledger.record_check_in(
            name=request.parent,
            request_id=request.request_id,
            effective_date=date(day.year, day.month, day.day).isoformat(),
            value=Decimal(request.measurement.value),
            confidence=request.confidence,
            note=request.note,
        )
        response = RecordCheckInResponse(
            position=position, token=f"{request.request_id}.{position}"
        )
        check_in = response.check_in
        check_in.name = f"{request.parent}/checkIns/{number}"
        check_in.measurement.CopyFrom(request.measurement)
        check_in.effective_date.CopyFrom(day)
        check_in.confidence = request.confidence
        check_in.note = request.note
        check_in.actor = ACTOR
        check_in.position = position
        check_in.recorded_time.FromDatetime(datetime.now(UTC))
        return response


def main(
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1.")],
    database: Annotated[
        str,
        typer.Option(
            envvar="STOCK_DATABASE",
            help="The SQLite file, made if there is none; or postgresql://…",
        ),
    ],
) -> None:
    """Adds the workload's key results and serves until the process is ended."""
    ledger = open_ledger(database)
    for name in key_result_names():
        ledger.add_key_result(name)
    server = grpc.server(ThreadPoolExecutor(WORKERS), options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((check_in_handler(StockCheckIns(ledger).record),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    server.start()
    server.wait_for_termination()


if __name__ == "__main__":
    typer.run(main)
