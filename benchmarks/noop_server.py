"""The yardstick: a bare grpc.aio and uvloop server whose RecordCheckIn does nothing.

It parses the real request and serialises a real response, recorded from the real server, so
that both servers move the same bytes. No interceptors, no validation, no storage.
"""

import asyncio
from pathlib import Path
from typing import Annotated, Any

import grpc.aio
import typer
import uvloop

from benchmarks.check_in_rpc import check_in_handler
from okr.v1.ledger_service_pb2 import RecordCheckInRequest, RecordCheckInResponse


async def serve(port: int, response: RecordCheckInResponse) -> None:
    """Answers every check-in with `response`, on 127.0.0.1, until the process is ended."""

    async def record_check_in(
        _request: RecordCheckInRequest, _context: Any
    ) -> RecordCheckInResponse:
        return response

    server = grpc.aio.server(options=[("grpc.so_reuseport", 0)])
    server.add_generic_rpc_handlers((check_in_handler(record_check_in),))
    server.add_insecure_port(f"127.0.0.1:{port}")
    await server.start()
    await server.wait_for_termination()


def main(
    port: Annotated[int, typer.Option(help="Where to listen on 127.0.0.1.")],
    response: Annotated[Path, typer.Option(help="A file with a serialised response.")],
) -> None:
    """Runs the no-op server."""
    recorded = RecordCheckInResponse.FromString(response.read_bytes())
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(serve(port, recorded))


if __name__ == "__main__":
    typer.run(main)
