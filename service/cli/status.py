"""`okr-ledger status`: a running server, asked how it is."""

from __future__ import annotations

from typing import Annotated, Any, Final

import grpc
import typer
from rich.table import Table

from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse
from okr.v1.operations_service_pb2_grpc import OperationsServiceStub
from service.cli.output import console

CALL_SECONDS: Final = 5.0


def status(
    address: Annotated[
        str,
        typer.Option(envvar="OKR_LISTEN", metavar="ADDRESS", help="Where the server listens."),
    ] = "127.0.0.1:50051",
) -> None:
    """Ask a running server how far its ledger and its read models are.

    Ends with exit code 1 if it does not answer or a projection has stopped, so that it can serve
    as a probe.
    """
    with grpc.insecure_channel(address) as channel:
        try:
            answer = OperationsServiceStub(channel).GetStatus(
                GetStatusRequest(), timeout=CALL_SECONDS
            )
        except grpc.RpcError as error:
            # What a call raises is a call as well; the types do not say so.
            call: Any = error
            typer.echo(f"okr-ledger: {address} does not answer: {call.details()}", err=True)
            raise typer.Exit(1) from None
    console().print(_table(answer))
    raise typer.Exit(1 if any(each.stopped_position for each in answer.projections) else 0)


def _table(answer: GetStatusResponse) -> Table:
    table = Table(show_header=False)
    recorded = answer.head_time.ToJsonString() if answer.head_position else "nothing yet"
    table.add_row("version", answer.server_version)
    table.add_row("ledger", f"{answer.log_id}, epoch {answer.epoch}")
    table.add_row("head", f"{answer.head_position}, recorded {recorded}")
    for each in answer.projections:
        state = (
            f"stopped at {each.stopped_position}"
            if each.stopped_position
            else f"{each.lag_events} events behind"
        )
        leader = f", followed by {each.leader}" if each.leader else ""
        table.add_row(each.projection, f"{each.position}, {state}{leader}")
        if each.HasField("rebuild"):
            built = each.rebuild
            share = f"{built.position} of {answer.head_position}"
            table.add_row("rebuild", f"{share} by {built.builder}, generation {built.generation}")
    if answer.HasField("replica"):
        replica = answer.replica
        state = f"{replica.position}, {replica.lag_events} events behind"
        table.add_row("replica", "left alone; the log says why" if replica.is_left_alone else state)
    lane = answer.lane
    table.add_row("written", f"{lane.events} events in {lane.flushes} flushes")
    table.add_row("refused", str(lane.refusals))
    table.add_row("waiting", str(lane.waiting))
    return table
