"""The client for asyncio: the same calls, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Awaitable, Callable
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, cast

import grpc
import grpc.aio

from okr.calls import (
    CHANNEL_OPTIONS,
    DEFAULT_ADDRESS,
    DEFAULT_TIMEOUT_SECONDS,
    Calls,
    Metadata,
    Prepared,
)
from okr.errors import OkrError
from okr.resuming import DEFAULT_PATIENCE_SECONDS, Request, Resuming, ended
from okr.v1.audit_service_pb2_grpc import AuditServiceStub
from okr.v1.ledger_service_pb2_grpc import LedgerServiceStub
from okr.v1.operations_service_pb2_grpc import OperationsServiceStub
from okr.v1.replay_service_pb2 import (
    WatchEventsRequest,
    WatchEventsResponse,
    WatchScoresRequest,
    WatchScoresResponse,
)
from okr.v1.replay_service_pb2_grpc import ReplayServiceStub
from okr.v1.score_service_pb2_grpc import ScoreServiceStub

if TYPE_CHECKING:
    from okr.v1.audit_service_pb2_grpc import AuditServiceAsyncStub
    from okr.v1.ledger_service_pb2_grpc import LedgerServiceAsyncStub
    from okr.v1.operations_service_pb2_grpc import OperationsServiceAsyncStub
    from okr.v1.replay_service_pb2_grpc import ReplayServiceAsyncStub
    from okr.v1.score_service_pb2_grpc import ScoreServiceAsyncStub


class AsyncOkrClient:
    """A ledger's client for one event loop: `await okr.ledger.RecordCheckIn(request)`.

    As `OkrClient` in everything else. Make it, use it and close it in the same loop.
    """

    ledger: LedgerServiceAsyncStub
    scores: ScoreServiceAsyncStub
    audit: AuditServiceAsyncStub
    replay: ReplayServiceAsyncStub
    operations: OperationsServiceAsyncStub

    def __init__(
        self,
        address: str = DEFAULT_ADDRESS,
        *,
        actor: str = "",
        on_behalf_of: str = "",
        timeout_seconds: float = DEFAULT_TIMEOUT_SECONDS,
        credentials: grpc.ChannelCredentials | None = None,
    ) -> None:
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
        self._closed = False
        self._calls = Calls(actor, on_behalf_of, timeout_seconds)
        # The library's own interceptors cannot raise another error than its own.
        channel = cast(grpc.aio.Channel, _Channel(self.channel, self._calls))
        self.ledger = LedgerServiceStub(channel)
        self.scores = ScoreServiceStub(channel)
        self.audit = AuditServiceStub(channel)
        self.replay = ReplayServiceStub(channel)
        self.operations = OperationsServiceStub(channel)

    @property
    def token(self) -> str:
        """Token of the client's latest write, for others to read it; empty before the first."""
        return self._calls.token

    def watch_events(
        self,
        request: WatchEventsRequest,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> AsyncGenerator[WatchEventsResponse, None]:
        """Every event after the request's start: as `OkrClient.watch_events`, with `async for`."""
        return self._watch(self.replay.WatchEvents, request, patience_seconds)

    def watch_scores(
        self,
        request: WatchScoresRequest,
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
    ) -> AsyncGenerator[WatchScoresResponse, None]:
        """A scorecard and then what moves in it: as `OkrClient.watch_scores`."""
        return self._watch(self.replay.WatchScores, request, patience_seconds)

    async def _watch(
        self,
        method: Callable[[Request], Any],
        request: Request,
        patience_seconds: float,
    ) -> AsyncGenerator[Any, None]:
        watch = Resuming(request, patience_seconds)
        while True:
            answers = method(watch.request)
            try:
                async for answer in answers:
                    watch.took(answer)
                    yield answer
                raise ended()
            except OkrError as error:
                if self._closed:
                    raise
                await asyncio.sleep(watch.pause(error))
            finally:
                answers.cancel()

    async def close(self) -> None:
        """Close the channel; calls under way are cancelled."""
        self._closed = True
        await self.channel.close()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()


class _Channel:
    """What the generated stubs need of a channel: their calls, prepared and learnt from."""

    def __init__(self, channel: grpc.aio.Channel, calls: Calls) -> None:
        self._channel = channel
        self._calls = calls

    def unary_unary(self, *args: Any, **kwargs: Any) -> Callable[..., Awaitable[Any]]:
        send: Callable[..., grpc.aio.UnaryUnaryCall[Any, Any]]
        send = self._channel.unary_unary(*args, **kwargs)

        async def call(
            request: Any,
            *,
            timeout: float | None = None,  # noqa: ASYNC109 - the stubs' argument: gRPC's deadline
            metadata: Metadata | None = None,
            **options: Any,
        ) -> Any:
            sent = self._calls.prepared(request, timeout, metadata)
            under_way = send(
                sent.request, timeout=sent.timeout_seconds, metadata=sent.metadata, **options
            )
            try:
                answer = await under_way
            except grpc.RpcError as failure:
                raise self._calls.failed(sent, failure) from None
            finally:
                # An abandoned call is never cancelled by the library (grpc/grpc#43462).
                under_way.cancel()
            self._calls.learn(sent, answer)
            return answer

        return call

    def unary_stream(self, *args: Any, **kwargs: Any) -> Callable[..., _Stream]:
        send: Callable[..., grpc.aio.UnaryStreamCall[Any, Any]]
        send = self._channel.unary_stream(*args, **kwargs)

        def call(
            request: Any,
            *,
            timeout: float | None = None,
            metadata: Metadata | None = None,
            **options: Any,
        ) -> _Stream:
            sent = self._calls.prepared(request, timeout, metadata, streamed=True)
            under_way = send(
                sent.request, timeout=sent.timeout_seconds, metadata=sent.metadata, **options
            )
            return _Stream(under_way, self._calls, sent)

        return call


class _Stream:
    """The call of a stream: its answers, which fail with `OkrError`. Cancel it when done."""

    def __init__(
        self, call: grpc.aio.UnaryStreamCall[Any, Any], calls: Calls, sent: Prepared
    ) -> None:
        self._call = call
        self._calls = calls
        self._sent = sent

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for answer in self._call:
                yield answer
        except grpc.RpcError as failure:
            raise self._calls.failed(self._sent, failure) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)
