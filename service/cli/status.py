"""`okr-ledger status`: a running server, asked how it is."""

from __future__ import annotations

from typing import Annotated, Any, Final, NoReturn

import grpc
import typer
from rich.table import Table

from okr.cli import showing
from okr.credentials import AUTHORIZATION_KEY, Shown, authorization, check_way
from okr.errors import OkrError
from okr.v1.operations_service_pb2 import GetStatusRequest, GetStatusResponse
from okr.v1.operations_service_pb2_grpc import OperationsServiceStub
from service.cli.output import console

CALL_SECONDS: Final = 5.0


def status(
    *,
    address: Annotated[
        str,
        typer.Option(envvar="OKR_LISTEN", metavar="ADDRESS", help="Where the server listens."),
    ] = "127.0.0.1:50051",
    tls: showing.Tls = False,
    ca_file: showing.CaFile = None,
    cert_file: showing.CertFile = None,
    key_file: showing.KeyFile = None,
    token_file: showing.TokenFile = None,
) -> None:
    """Ask a running server how far its ledger and its read models are.

    Ends with exit code 1 if it does not answer or a projection has stopped, so that it can serve
    as a probe.
    """
    shown = showing.shown(tls, ca_file, cert_file, key_file, token_file)
    try:
        with _channel(address, shown) as channel:
            answer = OperationsServiceStub(channel).GetStatus(
                GetStatusRequest(), timeout=CALL_SECONDS, metadata=_metadata(shown)
            )
    except grpc.RpcError as error:
        # What a call raises is a call as well; the types do not say so.
        call: Any = error
        if call.code() is grpc.StatusCode.UNAUTHENTICATED:
            _fail(f"{address} wants to know who asks: give --token-file or --cert-file")
        _fail(f"{address} does not answer: {call.details()}")
    except (OSError, ValueError, OkrError) as error:
        _fail(str(error))
    console().print(_table(answer))
    raise typer.Exit(1 if any(each.stopped_position for each in answer.projections) else 0)


def _channel(address: str, shown: Shown) -> grpc.Channel:
    credentials = shown.credentials()
    if shown.bearer():
        check_way(address, encrypted=credentials is not None)
    if credentials is None:
        return grpc.insecure_channel(address)
    return grpc.secure_channel(address, credentials)


def _metadata(shown: Shown) -> tuple[tuple[str, str], ...]:
    bearer = shown.bearer()
    return ((AUTHORIZATION_KEY, authorization(bearer)),) if bearer else ()


def _fail(message: str) -> NoReturn:
    typer.echo(f"okr-ledger: {message}", err=True)
    raise typer.Exit(1) from None


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
