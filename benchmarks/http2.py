"""One HTTP/2 connection that carries many unary gRPC calls at once, at a few microseconds each.

Only what a benchmark against a gRPC server needs: whole header blocks, no padding, no push.
Anything else raises instead of being measured wrongly.

Source: RFC 9113, and gRPC's mapping onto it, "gRPC over HTTP2".
"""

import socket
import ssl
from typing import Protocol

from benchmarks.frames import (
    ACK,
    CONTINUATION,
    DATA,
    DEFAULT_WINDOW_BYTES,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEAD,
    HEADER_TABLE_SIZE,
    HEADERS,
    INITIAL_WINDOW_SIZE,
    LARGEST_PAYLOAD_BYTES,
    LARGEST_WINDOW_BYTES,
    MAX_CONCURRENT_STREAMS,
    PING,
    PREFACE,
    PUSH_PROMISE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    WORD,
    frame,
    setting_pairs,
    settings,
    window_update,
)
from benchmarks.hpack import RequestBlocks

MESSAGE_PREFIX_BYTES = 5
RECEIVE_BYTES = 256 * 1024
REPLENISH_AFTER_BYTES = 2**30
"""DATA bytes after which the connection's receive window is opened again."""
SOCKET_TIMEOUT_SECONDS = 30.0


class ProtocolError(RuntimeError):
    """The server sent something that this client does not speak."""


class Calls(Protocol):
    """Where a connection gets its requests and leaves the outcomes."""

    def next_message(self) -> bytes | None:
        """The next request as serialised protobuf, or None when no call is to be started."""

    def answered(self, seconds: float, trailers: bytes) -> None:
        """A call ended after so many seconds with this header block."""

    def lost(self, seconds: float, why: str) -> None:
        """A call ended after so many seconds without trailers."""


class Connection:
    """Keeps up to `in_flight` calls open on one socket; the owner closes it.

    `now` is the caller's clock in seconds, read once for a burst of frames: a burst is handled
    in far less time than one call takes. `trusting` says whose certificates are, over TLS.
    """

    def __init__(
        self,
        address: tuple[str, int],
        blocks: RequestBlocks,
        in_flight: int,
        calls: Calls,
        trusting: ssl.SSLContext | None = None,
    ) -> None:
        self.socket = socket.create_connection(address, SOCKET_TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if trusting is not None:
            self.socket = trusting.wrap_socket(self.socket, server_hostname=address[0])
        self.closed = False
        self.response_bytes = 0
        """DATA bytes received, the five-byte message prefixes included."""
        self._calls = calls
        self._slots = in_flight
        self._block = blocks.first
        self._following_block = blocks.following
        self._opened: dict[int, float] = {}
        self._next_stream = 1
        self._send_window_bytes = DEFAULT_WINDOW_BYTES
        self._replenish_at = REPLENISH_AFTER_BYTES
        self._draining = False
        self._rest = b""
        self.socket.sendall(
            PREFACE
            + settings((HEADER_TABLE_SIZE, 0), (INITIAL_WINDOW_SIZE, LARGEST_WINDOW_BYTES))
            + window_update(LARGEST_WINDOW_BYTES - DEFAULT_WINDOW_BYTES)
        )

    @property
    def idle(self) -> bool:
        """No call is open."""
        return not self._opened

    def close(self) -> None:
        """Closes the socket; calls still open are forgotten."""
        self.closed = True
        self.socket.close()

    def fill(self, now: float) -> None:
        """Starts calls until all slots are taken, the window is used up or no request is left."""
        if self._draining or self.closed:
            return
        burst: list[bytes] = []
        while len(self._opened) < self._slots and self._send_window_bytes >= LARGEST_PAYLOAD_BYTES:
            message = self._calls.next_message()
            if message is None:
                break
            size = len(message)
            framed = size + MESSAGE_PREFIX_BYTES
            stream = self._next_stream
            block = self._block
            burst += (
                HEAD.pack(len(block) >> 8, len(block) & 0xFF, HEADERS, END_HEADERS, stream),
                block,
                HEAD.pack(framed >> 8, framed & 0xFF, DATA, END_STREAM, stream),
                b"\0",
                WORD.pack(size),
                message,
            )
            self._block = self._following_block
            self._send_window_bytes -= framed
            self._next_stream += 2
            self._opened[stream] = now
        if burst:
            self.socket.sendall(b"".join(burst))

    def receive(self, now: float) -> None:
        """Handles what the socket holds (call it when readable), then refills the slots.

        Raises:
            ProtocolError: padding, continued headers, push.
            HpackError: see `benchmarks.hpack.literal_fields`.
        """
        try:
            received = self._received()
            if received:
                self._handle(received, now)
                self.fill(now)
        except ConnectionError:
            received = b""
        if not received:
            self.lose_open("connection closed by the server", now)
            self.close()

    def _received(self) -> bytes:
        """What has come, empty at the end; over TLS all that is decrypted: nothing wakes for it."""
        received = self.socket.recv(RECEIVE_BYTES)
        while isinstance(self.socket, ssl.SSLSocket) and received and self.socket.pending():
            received += self.socket.recv(RECEIVE_BYTES)
        return received

    def lose_open(self, why: str, now: float) -> None:
        """Counts every call that is still open as lost."""
        for stream in list(self._opened):
            self._lose(stream, why, now)

    def _handle(self, received: bytes, now: float) -> None:
        buffer = self._rest + received if self._rest else received
        position, end = 0, len(buffer)
        while end - position >= HEAD.size:
            high, low, kind, flags, stream = HEAD.unpack_from(buffer, position)
            start = position + HEAD.size
            stop = start + (high << 8 | low)
            if stop > end:
                break
            position = stop
            if kind == DATA:
                self.response_bytes += stop - start
                if flags & END_STREAM:
                    self._lose(stream, "stream ended without trailers", now)
            elif kind == HEADERS:
                if flags & ~END_STREAM != END_HEADERS:
                    raise ProtocolError(f"a HEADERS frame with flags {flags:#x}")
                if flags & END_STREAM and stream in self._opened:
                    self._calls.answered(now - self._opened.pop(stream), buffer[start:stop])
            else:
                self._control(kind, flags, stream, buffer[start:stop], now)
        self._rest = buffer[position:]
        if self.response_bytes > self._replenish_at:
            self.socket.sendall(window_update(REPLENISH_AFTER_BYTES))
            self._replenish_at += REPLENISH_AFTER_BYTES
        if self._draining and self.idle:
            self.close()

    def _control(self, kind: int, flags: int, stream: int, payload: bytes, now: float) -> None:
        if kind == WINDOW_UPDATE and stream == 0:
            self._send_window_bytes += WORD.unpack(payload)[0]
        elif kind == PING and not flags & ACK:
            self.socket.sendall(frame(PING, ACK, 0, payload))
        elif kind == SETTINGS and not flags & ACK:
            for identifier, value in setting_pairs(payload):
                if identifier == MAX_CONCURRENT_STREAMS:
                    self._slots = min(self._slots, value)
            self.socket.sendall(frame(SETTINGS, ACK, 0, b""))
        elif kind == RST_STREAM:
            self._lose(stream, f"stream reset with code {WORD.unpack(payload)[0]}", now)
        elif kind == GOAWAY:
            self._draining = True
            (last_processed,) = WORD.unpack_from(payload)
            for unprocessed in [key for key in self._opened if key > last_processed]:
                self._lose(unprocessed, "refused by GOAWAY", now)
        elif kind in {PUSH_PROMISE, CONTINUATION}:
            raise ProtocolError(f"a frame of type {kind}")

    def _lose(self, stream: int, why: str, now: float) -> None:
        if stream in self._opened:
            self._calls.lost(now - self._opened.pop(stream), why)
