"""The whole service in this process, asked over a real channel: what a caller would notice."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import grpc
from google.protobuf.descriptor import MethodDescriptor
from google.protobuf.descriptor_pool import Default
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass

from ledger.log.clock import now_us
from okr.v1.operations_service_pb2 import GetStatusRequest
from server import running
from service.settings import Settings
from tests.support.databases import ledger
from tests.support.serving import LoopThread, Refused, refused

TIMEOUT_SECONDS: Final = 20.0
SERVICES: Final = (
    "okr.v1.LedgerService",
    "okr.v1.ScoreService",
    "okr.v1.AuditService",
    "okr.v1.ReplayService",
    "okr.v1.OperationsService",
)
Metadata = Sequence[tuple[str, str]]


def methods(service: str) -> dict[str, MethodDescriptor]:
    """The methods of a service by the full name of the request that each one takes."""
    found = Default().FindServiceByName(service).methods
    return {method.input_type.full_name: method for method in found}


METHODS: Final = {name: method for service in SERVICES for name, method in methods(service).items()}
"""Every method of the API by the full name of its request: no two take the same."""


STREAMS: Final = {
    f"/{method.containing_service.full_name}/{method.name}"
    for method in METHODS.values()
    if method.server_streaming
}
"""The paths of the methods that answer with a stream."""

FEEDS: Final = {
    f"/{method.containing_service.full_name}/{method.name}"
    for method in METHODS.values()
    if method.client_streaming
}
"""The paths of those that also take one."""


def request_types(service: str) -> dict[str, type[Message]]:
    """The requests of a service's methods by the methods' names."""
    return {m.name: GetMessageClass(m.input_type) for m in methods(service).values()}


def path_of(request: Message) -> str:
    """The path of the method that takes a request: "/okr.v1.LedgerService/Align"."""
    method = METHODS[request.DESCRIPTOR.full_name]
    return f"/{method.containing_service.full_name}/{method.name}"


class Caller:
    """Somebody with a channel to the service, who reads at least what they wrote.

    `token` is that of the latest write, empty before the first. `address` is for channels of one's
    own, which outlive this one. `credential` is metadata that each call carries.
    """

    def __init__(self, channel: grpc.Channel, address: str = "", credential: Metadata = ()) -> None:
        self.channel = channel
        self.address = address
        self.credential = tuple(credential)
        self.token = ""
        self._position = 0

    def ask(
        self, request: Message, metadata: Metadata = (), timeout: float = TIMEOUT_SECONDS
    ) -> Any:
        """The answer of the only method that takes the request."""
        kind: Any = GetMessageClass(METHODS[request.DESCRIPTOR.full_name].output_type)
        answer = kind.FromString(self.send(self._fresh(request), metadata, timeout))
        # The answer to a repeated request is of the past.
        if "request_id" in request.DESCRIPTOR.fields_by_name and answer.position > self._position:
            self.token, self._position = answer.token, answer.position
        return answer

    def _fresh(self, request: Message) -> Message:
        """The request; a read without a token gets that of the latest write."""
        if not getattr(request, "at_least_as_fresh", "given"):
            fresh: Any = type(request)()
            fresh.CopyFrom(request)
            fresh.at_least_as_fresh = self.token
            return fresh  # type: ignore[no-any-return]
        return request

    def send(
        self, request: Message, metadata: Metadata = (), timeout: float = TIMEOUT_SECONDS
    ) -> bytes:
        """The answer's bytes, as they came."""
        return self.post(path_of(request), request.SerializeToString(), metadata, timeout)

    def post(
        self,
        path: str,
        raw: bytes,
        metadata: Metadata = (),
        timeout: float = TIMEOUT_SECONDS,
    ) -> bytes:
        """Bytes for bytes: also what no message class would write.

        Of a stream the first answer; empty where it ends without one.
        """
        if path in STREAMS:
            with self.stream(path, raw, metadata, timeout) as answers:
                return next(answers, b"")
        method: Any = self.channel.unary_unary(path)
        answer: bytes = method(raw, timeout=timeout, metadata=(*self.credential, *metadata))
        return answer

    @contextmanager
    def stream(
        self,
        path: str,
        raw: bytes,
        metadata: Metadata = (),
        timeout: float = TIMEOUT_SECONDS,
    ) -> Iterator[Iterator[bytes]]:
        """The answers of a stream as they come; it is cancelled at the end of the block."""
        answers: Any
        if path in FEEDS:
            fed: Any = self.channel.stream_stream(path)
            answers = fed(iter([raw]), timeout=timeout, metadata=(*self.credential, *metadata))
        else:
            method: Any = self.channel.unary_stream(path)
            answers = method(raw, timeout=timeout, metadata=(*self.credential, *metadata))
        try:
            yield answers
        finally:
            answers.cancel()

    @contextmanager
    def watch(self, request: Message, timeout: float = TIMEOUT_SECONDS) -> Iterator[Iterator[Any]]:
        """The same of the only method that takes the request."""
        kind: Any = GetMessageClass(METHODS[request.DESCRIPTOR.full_name].output_type)
        raw = self._fresh(request).SerializeToString()
        with self.stream(path_of(request), raw, timeout=timeout) as answers:
            yield map(kind.FromString, answers)

    def all_of(self, *requests: Message) -> list[Any]:
        """The answers of several requests, one after the other."""
        return [self.ask(request) for request in requests]

    def refused(
        self, request: Message, metadata: Metadata = (), timeout: float = TIMEOUT_SECONDS
    ) -> Refused:
        """What the service says to a request that it has to refuse."""
        return refused(lambda: self.ask(request, metadata, timeout))

    def head(self) -> int:
        """The position of the ledger's last event."""
        position: int = self.ask(GetStatusRequest()).head_position
        return position


@contextmanager
def serving(
    loop: LoopThread, folder: Path, *, clock: Callable[[], int] = now_us, **settings: Any
) -> Iterator[str]:
    """The service on a free port, with the ledger of the folder; gives its address.

    The write lane is a thread here, so that a test may reach into it and set its `clock`.
    """
    chosen = {"listen": "127.0.0.1:0", "drain_seconds": 5.0, "lane": "thread", **settings}
    database = ledger(folder)
    place = {"database_url": database.url, "database_schema": database.schema}
    service = running(Settings(**{**place, **chosen}), clock=clock)
    address = loop.run(service.__aenter__())
    try:
        yield address
    finally:
        loop.run(service.__aexit__(None, None, None))


@contextmanager
def whole_service(
    loop: LoopThread, folder: Path, *, clock: Callable[[], int] = now_us, **settings: Any
) -> Iterator[Caller]:
    """A caller of a service as `serving` starts it."""
    with (
        serving(loop, folder, clock=clock, **settings) as address,
        grpc.insecure_channel(address) as channel,
    ):
        yield Caller(channel, address)
