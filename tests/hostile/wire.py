"""HTTP/2 as somebody writes it who means no good: any bytes in any order, over one socket."""

from __future__ import annotations

import socket
import ssl
import struct
import time
from collections.abc import Iterable, Iterator, Sequence
from types import TracebackType
from typing import Final, NamedTuple, Self

from benchmarks.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW_BYTES,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    setting_pairs,
    settings,
)
from benchmarks.hpack import encode_integer

Fields = Sequence[tuple[bytes, bytes]]

POST: Final = (
    (b":method", b"POST"),
    (b":scheme", b"http"),
    (b":authority", b"127.0.0.1"),
    (b"te", b"trailers"),
)
GRPC: Final = (b"content-type", b"application/grpc")

SOCKET_SECONDS: Final = 10.0
FRAME_BYTES: Final = 16_384


class Frame(NamedTuple):
    """One frame that the server sent."""

    kind: int
    flags: int
    stream: int
    payload: bytes


def raw_frame(
    kind: int, flags: int, stream: int, payload: bytes, length: int | None = None
) -> bytes:
    """A frame, whose length may be a lie."""
    size = len(payload) if length is None else length
    return HEAD.pack(size >> 8, size & 0xFF, kind, flags, stream) + payload


def literal(name: bytes, value: bytes, *, kept: bool = False) -> bytes:
    """A field spelled out; the other end puts it into its table if it is to be `kept`."""
    first = b"\x40" if kept else b"\x00"
    return first + encode_integer(len(name), 7, 0) + name + encode_integer(len(value), 7, 0) + value


def block(fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    return b"".join(literal(name, value) for name, value in fields)


def call(path: str, *more: tuple[bytes, bytes], content_type: bytes = GRPC[1]) -> bytes:
    """The header block of a call."""
    return block([*POST, (b":path", path.encode()), (b"content-type", content_type), *more])


def message(raw: bytes, *, compressed: int = 0, length: int | None = None) -> bytes:
    """A gRPC message, whose length may be a lie."""
    return struct.pack(">BI", compressed, len(raw) if length is None else length) + raw


class Wire:
    """One connection; closed at the end of the block."""

    def __init__(
        self,
        address: str,
        *,
        greeting: bytes = PREFACE + settings(),
        context: ssl.SSLContext | None = None,
    ) -> None:
        host, _, port = address.rpartition(":")
        self.socket = socket.create_connection((host, int(port)), SOCKET_SECONDS)
        if context is not None:
            self.socket = context.wrap_socket(self.socket, server_hostname=host)
        self._rest = b""
        self._kept: list[Frame] = []
        self._speaks = greeting.startswith(PREFACE)
        if greeting:
            self.send(greeting)

    def send(self, raw: bytes) -> bool:
        """Whether the other end still takes it."""
        try:
            self.socket.sendall(raw)
        except OSError:
            return False
        return True

    def open(self, stream: int, headers: bytes, data: bytes | None = None) -> bool:
        """Begins a call, and ends what it sends if there is `data`."""
        raw = raw_frame(HEADERS, END_HEADERS, stream, headers)
        if data is not None:
            raw += raw_frame(DATA, END_STREAM, stream, data)
        return self.send(raw)

    def open_long(self, stream: int, headers: bytes, data: bytes) -> bool:
        """The same with a header block that may be longer than a frame."""
        parts = [headers[at : at + FRAME_BYTES] for at in range(0, len(headers), FRAME_BYTES)]
        raw = b""
        for number, part in enumerate(parts):
            kind = CONTINUATION if number else HEADERS
            flags = END_HEADERS if number + 1 == len(parts) else 0
            raw += raw_frame(kind, flags, stream, part)
        return self.send(raw + raw_frame(DATA, END_STREAM, stream, data))

    def data(self, stream: int, body: bytes) -> None:
        """Sends all of a call's data, as fast as the other end makes room for it."""
        room = {0: DEFAULT_WINDOW_BYTES, stream: DEFAULT_WINDOW_BYTES}
        at = 0
        while at < len(body):
            size = min(FRAME_BYTES, len(body) - at, *room.values())
            if size > 0:
                flags = END_STREAM if at + size == len(body) else 0
                if not self.send(raw_frame(DATA, flags, stream, body[at : at + size])):
                    return
                at += size
                room = {each: left - size for each, left in room.items()}
                continue
            for frame in self.frames():
                if frame.kind == WINDOW_UPDATE and frame.stream in room:
                    room[frame.stream] += struct.unpack(">I", frame.payload)[0]
                if frame.kind == SETTINGS:
                    for setting, value in setting_pairs(frame.payload):
                        if setting == INITIAL_WINDOW_SIZE:
                            room[stream] += value - DEFAULT_WINDOW_BYTES
                if frame.kind in (RST_STREAM, GOAWAY) or frame.kind == HEADERS:
                    self._kept.append(frame)
                    return
                if min(room.values()) > 0:
                    break
            else:
                return

    def frames(self, seconds: float = SOCKET_SECONDS) -> Iterator[Frame]:
        """What the server sends, until it hangs up or says nothing for so long."""
        while self._kept:
            yield self._kept.pop(0)
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self.socket.settimeout(left)
            try:
                received = self.socket.recv(65536)
            except OSError:
                return
            if not received:
                return
            self._rest += received
            while len(self._rest) >= HEAD.size:
                high, low, kind, flags, stream = HEAD.unpack_from(self._rest)
                end = HEAD.size + (high << 8 | low)
                if len(self._rest) < end:
                    break
                payload, self._rest = self._rest[HEAD.size : end], self._rest[end:]
                if kind == SETTINGS and not flags & ACK and self._speaks:
                    self.send(raw_frame(SETTINGS, ACK, 0, b""))
                yield Frame(kind, flags, stream, payload)

    def ended(self, stream: int, seconds: float = SOCKET_SECONDS) -> Frame | None:
        """What ends a stream, or the connection with it; None if nothing does in time."""
        for frame in self.frames(seconds):
            if frame.kind == GOAWAY or (
                frame.stream == stream
                and (
                    frame.kind == RST_STREAM or (frame.kind == HEADERS and frame.flags & END_STREAM)
                )
            ):
                return frame
        return None

    def hung_up(self, seconds: float = SOCKET_SECONDS) -> bool:
        """Whether the server ends the connection in time."""
        for _ in self.frames(seconds):
            pass
        try:
            self.socket.settimeout(0.01)
            return self.socket.recv(1) == b""
        except TimeoutError:
            return False
        except OSError:
            return True

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.socket.close()
