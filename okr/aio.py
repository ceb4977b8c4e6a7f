"""The client for asyncio: the same calls, awaited."""

from __future__ import annotations

import asyncio
from collections.abc import (
    AsyncGenerator,
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Iterable,
    Iterator,
)
from contextlib import suppress
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
)
from okr.credentials import Bearer, check_way
from okr.errors import OkrError
from okr.feeding import Acknowledged, Feed, acknowledged
from okr.request_ids import identified
from okr.resuming import DEFAULT_PATIENCE_SECONDS, Request, Resuming, ended
from okr.retrying import Again
from okr.v1.audit_service_pb2_grpc import AuditServiceStub
from okr.v1.ledger_service_pb2 import (
    BatchRecordCheckInsRequest,
    RecordCheckInRequest,
    StreamCheckInsResponse,
)
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
        bearer: Bearer | None = None,
    ) -> None:
        """As `OkrClient`.

        Raises:
            ValueError: the token would go to another machine in plain text.
        """
        if bearer is not None:
            check_way(address, encrypted=credentials is not None)
        if credentials is None:
            self.channel = grpc.aio.insecure_channel(address, options=CHANNEL_OPTIONS)
        else:
            self.channel = grpc.aio.secure_channel(address, credentials, options=CHANNEL_OPTIONS)
        self._closed = False
        self._calls = Calls(actor, on_behalf_of, timeout_seconds, bearer)
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

    async def batch_record_check_ins(
        self, check_ins: Iterable[RecordCheckInRequest], *, timeout_seconds: float | None = None
    ) -> list[Acknowledged]:
        """What became of each of up to 256 check-ins: as `OkrClient.batch_record_check_ins`."""
        request = identified(BatchRecordCheckInsRequest(requests=check_ins))
        answer = await self.ledger.BatchRecordCheckIns(request, timeout=timeout_seconds)
        return acknowledged(request.requests, answer.outcomes)

    async def stream_check_ins(
        self,
        check_ins: AsyncIterable[RecordCheckInRequest],
        *,
        patience_seconds: float = DEFAULT_PATIENCE_SECONDS,
        metadata: Metadata | None = None,
    ) -> AsyncGenerator[Acknowledged, None]:
        """Records check-ins as they come, and tells in their order what became of each.

        As `OkrClient.stream_check_ins`, but that what has come is sent at once, alone or with what
        came meanwhile. An error of `check_ins` itself is raised when those before it are told.
        """
        source = _Source(check_ins, Feed(patience_seconds))
        try:
            while not source.feed.finished():
                call: Any = self.ledger.StreamCheckIns(metadata=metadata)
                sending = asyncio.ensure_future(source.send_on(call))
                try:
                    async for answer in call:
                        self._calls.learn(answer)
                        for each in source.took(answer):
                            yield each
                    if not source.feed.finished():
                        raise ended()
                except OkrError as error:
                    if source.feed.finished():
                        break
                    if self._closed:
                        raise
                    await asyncio.sleep(source.feed.pause(error))
                finally:
                    sending.cancel()
                    call.cancel()
            await source.end()
        finally:
            await source.close()

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
            again = Again(sent.timeout_seconds)
            while True:
                under_way = send(
                    sent.request, timeout=again.left(), metadata=sent.metadata, **options
                )
                try:
                    answer = await under_way
                except grpc.RpcError as failure:
                    pause = again.pause(self._calls.failed(failure, sent.request_id))
                else:
                    if sent.writes:
                        self._calls.learn(answer)
                    return answer
                finally:
                    # An abandoned call is never cancelled by the library (grpc/grpc#43462).
                    under_way.cancel()
                await asyncio.sleep(pause)

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
            return _Stream(under_way, self._calls)

        return call

    def stream_stream(self, *args: Any, **kwargs: Any) -> Callable[..., _Stream]:
        send: Callable[..., grpc.aio.StreamStreamCall[Any, Any]]
        send = self._channel.stream_stream(*args, **kwargs)

        def call(
            requests: Any = None, *, metadata: Metadata | None = None, **options: Any
        ) -> _Stream:
            under_way = send(requests, metadata=self._calls.metadata(metadata), **options)
            return _Stream(under_way, self._calls)

        return call


class _Stream:
    """The call of a stream: its answers, which fail with `OkrError`. Cancel it when done."""

    def __init__(self, call: Any, calls: Calls) -> None:
        self._call = call
        self._calls = calls

    async def __aiter__(self) -> AsyncIterator[Any]:
        try:
            async for answer in self._call:
                yield answer
        except grpc.RpcError as failure:
            raise self._calls.failed(failure) from None

    def __getattr__(self, name: str) -> Any:
        return getattr(self._call, name)


class _Source:
    """Takes a stream's check-ins as they come, whatever becomes of its connections."""

    def __init__(self, check_ins: AsyncIterable[RecordCheckInRequest], feed: Feed) -> None:
        self.feed = feed
        self._check_ins = check_ins
        self._news = asyncio.Event()
        self._room = asyncio.Event()
        self._taking = asyncio.ensure_future(self._take())

    async def _take(self) -> None:
        try:
            async for request in self._check_ins:
                while not self.feed.room:
                    self._room.clear()
                    await self._room.wait()
                self.feed.add(request)
                self._news.set()
        finally:
            self.feed.ended = True
            self._news.set()

    async def send_on(self, call: Any) -> None:
        """Sends on one connection what is not acknowledged and what comes, then half-closes."""
        self.feed.connected()
        # A connection that fails says why where its answers are read.
        with suppress(grpc.RpcError, asyncio.InvalidStateError):
            while self.feed.unsent or not self.feed.ended:
                while self.feed.unsent:
                    await call.write(self.feed.message())
                if not self.feed.ended:
                    self._news.clear()
                    await self._news.wait()
            await call.done_writing()

    def took(self, answer: StreamCheckInsResponse) -> Iterator[Acknowledged]:
        """What an answer says; makes room for more."""
        yield from self.feed.took(answer)
        self._room.set()

    async def end(self) -> None:
        """Raises what the check-ins themselves raised, if they did."""
        await self._taking

    async def close(self) -> None:
        """Takes no more."""
        self._taking.cancel()
        await asyncio.gather(self._taking, return_exceptions=True)
