"""The server: settings, wiring, signals."""

from __future__ import annotations

# First, since it sets gRPC up, which reads that as it is imported.
import service  # noqa: F401

# isort: split

import asyncio
import gc
import signal
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, closing, contextmanager
from functools import partial
from typing import Annotated, Final

import structlog
import typer
import uvloop
from grpc import ServerCredentials

from ledger.log.clock import now_us
from ledger.log.contract import EventLog, LogReader
from ledger.log.database import Database
from ledger.log.opening import open_log
from ledger.texts.finding import keys_at_hand
from ledger.texts.keyring import Keyring
from ledger.tokens import Tokens
from okr.v1.audit_service_pb2_grpc import add_AuditServiceServicer_to_server
from okr.v1.operations_service_pb2_grpc import add_OperationsServiceServicer_to_server
from okr.v1.replay_service_pb2_grpc import add_ReplayServiceServicer_to_server
from okr.v1.score_service_pb2_grpc import add_ScoreServiceServicer_to_server
from projections.errors import ProjectionStopped
from projections.reading import Reader
from projections.replay.rpc import ReplayRpc
from projections.replay.tail import Tail
from projections.rpc import AuditRpc, ScoreRpc
from projections.store.replica import Replica
from projections.store.views import Views
from service.access.authority import Authority
from service.access.running import authority_over
from service.checking import checked
from service.cli import identity_options as options
from service.cli.options import (
    CheckpointFileOption,
    CheckpointKeyFile,
    DatabaseSchema,
    DatabaseUrl,
    KeysUrl,
    LogFormatOption,
    LogLevelOption,
    PolicyPath,
    ProofsOption,
    RolesFile,
)
from service.cli.output import failures_told
from service.connections import room_for
from service.erasing import erasures_finished
from service.exchange import Gate
from service.following import Following, running_beside
from service.identity.opening import identifying
from service.identity.watching import looked_at
from service.lane.desk import Desk
from service.lane.places import InProcess, InThread
from service.listening import WHOLE_SERVER, Listener
from service.logging import logs
from service.proofs.keeping import Proving
from service.quotas import Quotas
from service.rpc.operations import VERSION, OperationsRpc, Progress
from service.sealing import Sealing
from service.settings import Follower as FollowerPlace
from service.settings import Lane as LanePlace
from service.settings import Settings
from service.tls import Tls

log = structlog.get_logger()

LEDGER: Final = "okr.v1.LedgerService"
WRITES: Final = (LEDGER, "okr.v1.OperationsService")
PROOFS: Final = "okr.v1.AuditService/proofs"
"""What health says of the proofs; a ledger that does not fit what was signed still serves."""
READS: Final = ("okr.v1.ScoreService", "okr.v1.AuditService", "okr.v1.ReplayService")


@asynccontextmanager
async def running(
    settings: Settings, *, clock: Callable[[], int] | None = None
) -> AsyncIterator[str]:
    """The whole service, listening: gives its address, and drains when the block ends.

    First no new calls and an end to streams, then the running calls end, then what the lane holds,
    then the follower.

    `clock` gives µs since 1970 UTC to reads, and to a lane in a thread in place of the log's own; a
    lane in a process has the log's.

    Raises:
        LogError: the log cannot be opened, or another server has it.
        AddressTaken: it cannot be listened on.
        FileError: a file that is set cannot be taken in.
    """
    async with AsyncExitStack() as stack:
        # First, so that a server that cannot listen makes no files.
        gate, listener, address = await stack.enter_async_context(_bound(settings))

        def grown(position: int) -> None:
            tail.wake(position)
            if gate.authority is not None:
                gate.authority.wake()

        def committed(position: int) -> None:
            following.wake()
            grown(position)

        async def lane_serves(serves: bool) -> None:
            await (listener.ready if serves else listener.unready)([LEDGER])

        database = settings.database
        desk = Desk(
            InThread(database, clock)
            if settings.lane == "thread"
            else InProcess(database, settings.log_format, settings.log_level),
            database,
            on_committed=committed,
            on_change=lane_serves,
            waiting_at_most=settings.max_waiting,
        )
        await desk.open()
        stack.push_async_callback(desk.close)

        ledger, keyring = stack.enter_context(_readable(database, gate))
        tail = Tail(ledger)
        identity = ledger.identity()
        tokens = Tokens(identity.log_id, identity.epoch)

        views = Views(database, identity)
        stack.callback(views.close)
        views.open(ledger)
        head = ledger.head().position
        following = Following(
            database, ledger, views, follows=settings.follower == "in_process", on_grown=grown
        )
        stack.enter_context(following.running())

        gate.authority = await stack.enter_async_context(_authority(settings, ledger))
        proving = stack.enter_context(_proving(settings, ledger, listener))
        replica = stack.enter_context(_replica(settings, views))
        reader = Reader(ledger, views, tokens, clock or now_us, replica)
        sealing = Sealing(ledger, tokens, desk.ask, reader)
        erasing = await stack.enter_async_context(erasures_finished(ledger, keyring, desk.ask))
        finished = {"CloseCycle": sealing.close, **checked(desk, gate.validation), **erasing}
        listener.add_writes(LEDGER, finished, desk.ask)
        add_ScoreServiceServicer_to_server(ScoreRpc(reader), listener.server)
        add_AuditServiceServicer_to_server(
            AuditRpc(reader, proving.prover(tokens) if proving else None), listener.server
        )
        add_ReplayServiceServicer_to_server(ReplayRpc(reader, tail), listener.server)
        add_OperationsServiceServicer_to_server(
            OperationsRpc(
                ledger, desk.counts, partial(_progress, views, following, proving), replica
            ),
            listener.server,
        )
        await listener.start(WRITES + READS, reflected=settings.reflection)
        await listener.ready(WRITES)
        catching_up = asyncio.create_task(_ready_to_read(listener, views, head, proving))
        await sealing.resume()
        try:
            yield address
        finally:
            catching_up.cancel()
            await listener.drain(settings.drain_seconds)
            sealing.stop()
            await desk.close()


@asynccontextmanager
async def _bound(settings: Settings) -> AsyncIterator[tuple[Gate, Listener, str]]:
    """The gate that knows callers, and a listener that has its address but does not answer yet."""
    with closing(Gate(quotas=Quotas(settings.quota))) as gate, _tls(settings) as tls:
        listener = Listener(gate, settings.connections)
        address = listener.bind(settings.listen, tls)
        if settings.tls_at_proxy:
            log.warning("in plain text, for a proxy alone", address=address)
        async with identifying(settings) as gate.identify:
            yield gate, listener, address


@contextmanager
def _readable(database: Database, gate: Gate) -> Iterator[tuple[EventLog, Keyring | None]]:
    """The log for reading, and the keys of its texts, which are at hand while the block runs.

    Where there are keys, the gate's log calls people by pseudonyms.
    """
    with (
        closing(open_log(database, read_only=True)) as ledger,
        keys_at_hand(database, ledger) as keyring,
    ):
        gate.alias = keyring.alias if keyring else str
        yield ledger, keyring


@contextmanager
def _tls(settings: Settings) -> Iterator[ServerCredentials | None]:
    """What to listen with, None without TLS; its files are followed while the block runs."""
    if not (settings.tls_cert_file and settings.tls_key_file):
        yield None
        return
    tls = Tls(settings.tls_cert_file, settings.tls_key_file, settings.tls_client_ca_file)
    with looked_at(tls.look):
        yield tls.credentials()


@asynccontextmanager
async def _authority(settings: Settings, ledger: LogReader) -> AsyncIterator[Authority | None]:
    """Who decides who may do what; nobody where callers only say who they are."""
    if not settings.authenticates:
        yield None
        return
    async with authority_over(ledger, settings.policy_path, settings.roles_file) as authority:
        yield authority


def _progress(views: Views, following: Following, proving: Proving | None) -> list[Progress]:
    """How far the read models are, and the proofs."""
    at = views.progress
    return [
        Progress(
            at.projection,
            max(at.position, 0),
            at.stopped_position,
            following.leader(),
            views.serving(),
            views.unfinished(),
        ),
        *([] if proving is None else [proving.told()]),
    ]


@contextmanager
def _proving(settings: Settings, ledger: LogReader, listener: Listener) -> Iterator[Proving | None]:
    """The ledger's proofs, kept or watched while the block runs."""
    if settings.proofs == "off":
        yield None
        return
    loop = asyncio.get_running_loop()

    def stopped() -> None:
        asyncio.run_coroutine_threadsafe(listener.unready([PROOFS]), loop)

    keeps = settings.follower == "in_process"
    proving = Proving(settings, ledger, now_us, keeps=keeps, on_stopped=stopped)
    with proving.running():
        yield proving


@contextmanager
def _replica(settings: Settings, views: Views) -> Iterator[Replica | None]:
    """The replica that reads may go to, watched while the block runs."""
    if settings.replica is None:
        yield None
        return
    replica = Replica(settings.replica, views, settings.replica_lag_seconds)
    with running_beside("replica", replica.run):
        yield replica


async def _ready_to_read(
    listener: Listener, views: Views, head: int, proving: Proving | None
) -> None:
    """Says that reads serve once they know what the ledger held when the server started.

    Tables that are made anew would answer from the past until then. Proofs wait by themselves.
    """
    if proving is not None and not proving.progress.stopped_position:
        await listener.ready([PROOFS])
    try:
        await views.wait_for(head, None)
    except ProjectionStopped:
        # The follower has said so, and why; the server goes on without reads.
        return
    await listener.ready((*READS, WHOLE_SERVER))


def tune() -> None:
    """Takes what start-up made, which lives as long as the process, out of the collector's sight.

    And collects less often: a call makes hundreds of objects and hardly any cycle.
    """
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000, 50, 100)


async def run(settings: Settings) -> None:
    """Serves until SIGTERM or SIGINT."""
    ended = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    room = room_for(settings.max_connections)
    if room < settings.max_connections:
        log.warning("fewer connections than set: no more files may be open", connections=room)
        settings = settings.model_copy(update={"max_connections": room})
    async with running(settings) as address:
        tune()
        log.info("listening on", address=address, database=str(settings.database), version=VERSION)
        await ended.wait()
        log.info("draining", seconds=settings.drain_seconds)
    log.info("stopped")


def serve(
    *,
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    database_connections: Annotated[
        int | None,
        typer.Option(
            envvar="OKR_DATABASE_CONNECTIONS",
            help="Connections to PostgreSQL that each process reads with at most.",
            show_default="16",
        ),
    ] = None,
    database_connect_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="OKR_DATABASE_CONNECT_SECONDS",
            help="How long a connection to PostgreSQL may take to be made or to come free.",
            show_default="5",
        ),
    ] = None,
    database_statement_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="OKR_DATABASE_STATEMENT_SECONDS",
            help="How long PostgreSQL may take for a statement; 0 is without a limit.",
            show_default="30",
        ),
    ] = None,
    keys_url: KeysUrl = None,
    replica_url: Annotated[
        str | None,
        typer.Option(
            envvar="OKR_REPLICA_URL",
            metavar="URL",
            help="A streaming replica of the PostgreSQL, which takes the reads that it is fresh"
            " enough for.",
            show_default="none",
        ),
    ] = None,
    replica_lag_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="OKR_REPLICA_LAG_SECONDS",
            help="How far the replica may be behind for reads without a token.",
            show_default="5",
        ),
    ] = None,
    listen: Annotated[
        str | None,
        typer.Option(
            envvar="OKR_LISTEN",
            metavar="ADDRESS",
            help="127.0.0.1:PORT, [::1]:PORT or unix:PATH; others only where callers show who"
            " they are, over TLS. Port 0 takes a free one.",
            show_default="127.0.0.1:50051",
        ),
    ] = None,
    tls_cert_file: options.TlsCertFile = None,
    tls_key_file: options.TlsKeyFile = None,
    tls_client_ca_file: options.TlsClientCaFile = None,
    tls_at_proxy: options.TlsAtProxy = None,
    jwt_jwks: options.JwtJwks = None,
    jwt_issuer: options.JwtIssuer = None,
    jwt_audience: options.JwtAudience = None,
    jwt_algorithms: options.JwtAlgorithms = None,
    jwt_leeway_seconds: options.JwtLeewaySeconds = None,
    jwt_jwks_max_age_seconds: options.JwtJwksMaxAgeSeconds = None,
    jwt_name_claim: options.JwtNameClaim = None,
    jwt_kind_claim: options.JwtKindClaim = None,
    jwt_roles_claim: options.JwtRolesClaim = None,
    pseudonym_key_file: options.PseudonymKeyFile = None,
    certificate_names_file: options.CertificateNamesFile = None,
    spiffe_trust_domains: options.SpiffeTrustDomains = None,
    policy_path: PolicyPath = None,
    roles_file: RolesFile = None,
    follower: Annotated[
        FollowerPlace | None,
        typer.Option(
            envvar="OKR_FOLLOWER",
            help="Where read models are kept up: here, or in `okr-ledger follow`.",
            show_default="in_process",
        ),
    ] = None,
    lane: Annotated[
        LanePlace | None,
        typer.Option(
            envvar="OKR_LANE",
            help="Where writes are decided: in a process of their own, or in a thread.",
            show_default="process",
        ),
    ] = None,
    max_connections: Annotated[
        int | None,
        typer.Option(
            envvar="OKR_MAX_CONNECTIONS",
            help="Connections at most; further ones are hung up on.",
            show_default="4000",
        ),
    ] = None,
    connection_age_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="OKR_CONNECTION_AGE_SECONDS",
            help="After how long a connection is told to go; 0 is never. Clients make another.",
            show_default="3600",
        ),
    ] = None,
    caller_calls_per_second: Annotated[
        float | None,
        typer.Option(
            envvar="OKR_CALLER_CALLS_PER_SECOND",
            help="Calls per second that an authenticated caller may make; 0 is without a limit.",
            show_default="1000",
        ),
    ] = None,
    caller_calls: Annotated[
        int | None,
        typer.Option(
            envvar="OKR_CALLER_CALLS",
            help="Calls that an authenticated caller may have at a time; 0 is without a limit.",
            show_default="500",
        ),
    ] = None,
    caller_streams: Annotated[
        int | None,
        typer.Option(
            envvar="OKR_CALLER_STREAMS",
            help="Streams that an authenticated caller may have at a time; 0 is without a limit.",
            show_default="100",
        ),
    ] = None,
    max_waiting: Annotated[
        int | None,
        typer.Option(
            envvar="OKR_MAX_WAITING",
            help="Writes that wait at most; further ones are told to come back.",
            show_default="10000",
        ),
    ] = None,
    drain_seconds: Annotated[
        float | None,
        typer.Option(
            envvar="OKR_DRAIN_SECONDS",
            help="What running calls get to end in after SIGTERM or SIGINT.",
            show_default="10",
        ),
    ] = None,
    reflection: Annotated[
        bool | None,
        typer.Option(
            envvar="OKR_REFLECTION",
            help="Whether callers may ask for the API's definition.",
            show_default="reflection",
        ),
    ] = None,
    proofs: ProofsOption = None,
    checkpoint_key_file: CheckpointKeyFile = None,
    checkpoint_file: CheckpointFileOption = None,
    log_format: LogFormatOption = None,
    log_level: LogLevelOption = None,
) -> None:
    """Run the server until SIGTERM or SIGINT.

    Without authentication (--jwt-jwks, --tls-client-ca-file) it listens on this machine only, and
    callers name themselves.
    """
    with failures_told():
        settings = Settings.read(
            database_url=database_url,
            database_schema=database_schema,
            database_connections=database_connections,
            database_connect_seconds=database_connect_seconds,
            database_statement_seconds=database_statement_seconds,
            keys_url=keys_url,
            replica_url=replica_url,
            replica_lag_seconds=replica_lag_seconds,
            listen=listen,
            tls_cert_file=tls_cert_file,
            tls_key_file=tls_key_file,
            tls_client_ca_file=tls_client_ca_file,
            tls_at_proxy=tls_at_proxy,
            jwt_jwks=jwt_jwks,
            jwt_issuer=jwt_issuer,
            jwt_audience=jwt_audience,
            jwt_algorithms=jwt_algorithms,
            jwt_leeway_seconds=jwt_leeway_seconds,
            jwt_jwks_max_age_seconds=jwt_jwks_max_age_seconds,
            jwt_name_claim=jwt_name_claim,
            jwt_kind_claim=jwt_kind_claim,
            jwt_roles_claim=jwt_roles_claim,
            pseudonym_key_file=pseudonym_key_file,
            certificate_names_file=certificate_names_file,
            spiffe_trust_domains=spiffe_trust_domains,
            policy_path=policy_path,
            roles_file=roles_file,
            follower=follower,
            lane=lane,
            max_connections=max_connections,
            connection_age_seconds=connection_age_seconds,
            caller_calls_per_second=caller_calls_per_second,
            caller_calls=caller_calls,
            caller_streams=caller_streams,
            max_waiting=max_waiting,
            drain_seconds=drain_seconds,
            reflection=reflection,
            proofs=proofs,
            checkpoint_key_file=checkpoint_key_file,
            checkpoint_file=checkpoint_file,
            log_format=log_format,
            log_level=log_level,
        )
        with (
            logs(settings.log_format, settings.log_level),
            asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner,
        ):
            runner.run(run(settings))


if __name__ == "__main__":
    typer.run(serve)
