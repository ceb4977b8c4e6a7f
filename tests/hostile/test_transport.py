"""Whatever comes over the wire, the server stays up, serves others, and stays as large as it was.

What gRPC does about each is its own; that it does enough is what these tests hold it to.
"""

from __future__ import annotations

import gzip
import random
import socket
import ssl
import struct
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Final

import pytest

from benchmarks.frames import (
    CONTINUATION,
    DATA,
    END_HEADERS,
    END_STREAM,
    GOAWAY,
    HEADERS,
    PING,
    PREFACE,
    RST_STREAM,
    SETTINGS,
    WINDOW_UPDATE,
    settings,
)
from okr.v1.replay_service_pb2 import WatchEventsRequest
from tests.hostile.conftest import READ, WRITE, Target
from tests.hostile.wire import GRPC, POST, Frame, Wire, block, call, literal, message, raw_frame
from tests.support.ask import team
from tests.support.whole import path_of

WATCH: Final = path_of(WatchEventsRequest())

pytestmark = pytest.mark.system

CROWD_MIB: Final = 400.0
"""What ten thousand calls may add that have not ended: some 19 KiB each."""

CANCEL: Final = struct.pack(">I", 8)
MIB: Final = 2**20


def ends(frame: Frame | None, status: int) -> bool:
    """Whether a call was ended with a gRPC status."""
    said = f"grpc-status{chr(len(str(status)))}{status}".encode()
    return frame is not None and frame.kind == HEADERS and said in frame.payload


# Bytes that are no HTTP/2


def test_bytes_of_chance(plain: Target) -> None:
    chance = random.Random(17)
    with plain.holds():
        for _ in range(100):
            with plain.wire(greeting=chance.randbytes(chance.randrange(1, 5000))) as wire:
                wire.send(chance.randbytes(1000))


def test_bytes_of_chance_after_a_sound_greeting(plain: Target) -> None:
    chance = random.Random(18)
    with plain.holds():
        for _ in range(100):
            with plain.wire() as wire:
                wire.send(chance.randbytes(chance.randrange(1, 5000)))


def test_frames_of_chance(plain: Target) -> None:
    """Each is well framed; its kind, flags, stream and content are not."""
    chance = random.Random(19)
    with plain.holds():
        for _ in range(200):
            with plain.wire() as wire:
                wire.open(1, call(READ))
                for _ in range(20):
                    kind, flags = chance.randrange(12), chance.randrange(256)
                    stream = chance.choice((0, 1, 2, 3, 2**31 - 1))
                    wire.send(
                        raw_frame(kind, flags, stream, chance.randbytes(chance.randrange(64)))
                    )


@pytest.mark.parametrize(
    "greeting",
    [
        b"GET / HTTP/1.1\r\nHost: okr\r\n\r\n",
        b"POST /okr.v1.ScoreService/ListTeams HTTP/1.1\r\nContent-Length: 5\r\n\r\n\0\0\0\0\0",
        PREFACE[:-1] + b"X",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(100),
    ],
    ids=["get", "post", "preface", "tls"],
)
def test_another_protocol_is_hung_up_on(plain: Target, greeting: bytes) -> None:
    with plain.holds(), plain.wire(greeting=greeting) as wire:
        assert wire.hung_up()


@pytest.mark.parametrize(
    "frame",
    [
        raw_frame(SETTINGS, 0, 0, b"12345"),
        raw_frame(SETTINGS, 0, 1, b""),
        raw_frame(PING, 0, 0, b"1234"),
        raw_frame(PING, 0, 3, b"12345678"),
        raw_frame(DATA, 0, 0, b"x"),
        raw_frame(HEADERS, END_HEADERS, 0, call(READ)),
        raw_frame(HEADERS, END_HEADERS, 2, call(READ)),
        raw_frame(CONTINUATION, END_HEADERS, 1, b""),
        raw_frame(RST_STREAM, 0, 0, CANCEL),
        raw_frame(RST_STREAM, 0, 1, b"x"),
        raw_frame(WINDOW_UPDATE, 0, 0, b"x"),
        raw_frame(HEADERS, END_HEADERS, 1, b"\xff\xff\xff\xff\xff\xff\xff\xff\xff"),
        raw_frame(DATA, 0, 1, b"", length=2**24 - 1),
        raw_frame(200, 255, 1, b"unknown"),
    ],
)
def test_a_frame_that_breaks_the_rules(plain: Target, frame: bytes) -> None:
    with plain.holds(), plain.wire() as wire:
        wire.send(frame)
        list(wire.frames(0.2))


# Floods


def flooded(target: Target, burst: bytes, times: int) -> None:
    with target.holds(), target.wire() as wire:
        for _ in range(times):
            if not wire.send(burst):
                return
        list(wire.frames(0.5))


def test_a_flood_of_pings_is_hung_up_on(plain: Target) -> None:
    with plain.holds(), plain.wire() as wire:
        for _ in range(100):
            wire.send(raw_frame(PING, 0, 0, b"12345678") * 1000)
        kinds = {frame.kind for frame in wire.frames(3)}
        assert GOAWAY in kinds or wire.hung_up(0.1)


def test_a_flood_of_settings(plain: Target) -> None:
    flooded(plain, settings((4, 100)) * 1000, 100)


def test_a_flood_of_empty_data(plain: Target) -> None:
    flooded(plain, raw_frame(HEADERS, END_HEADERS, 1, call(READ)), 1)
    flooded(plain, raw_frame(DATA, 0, 1, b"") * 1000, 100)


def test_calls_that_are_reset_at_once(plain: Target) -> None:
    """Rapid reset, CVE-2023-44487."""
    headers = call(READ)
    with plain.holds(), plain.wire() as wire:
        for first in range(1, 40_000, 200):
            streams = range(first, first + 200, 2)
            wire.send(
                b"".join(
                    raw_frame(HEADERS, END_HEADERS, stream, headers)
                    + raw_frame(RST_STREAM, 0, stream, CANCEL)
                    for stream in streams
                )
            )
        list(wire.frames(1))


def test_whole_calls_that_are_reset_at_once(plain: Target) -> None:
    headers, body = call(READ), message(b"")
    with plain.holds(), plain.wire() as wire:
        for first in range(1, 10_000, 200):
            wire.send(
                b"".join(
                    raw_frame(HEADERS, END_HEADERS, stream, headers)
                    + raw_frame(DATA, END_STREAM, stream, body)
                    + raw_frame(RST_STREAM, 0, stream, CANCEL)
                    for stream in range(first, first + 200, 2)
                )
            )
        list(wire.frames(1))


def test_headers_that_go_on_for_ever(plain: Target) -> None:
    """A flood of CONTINUATION frames, VU#421644."""
    with plain.holds(), plain.wire() as wire:
        wire.send(raw_frame(HEADERS, 0, 1, call(READ)))
        more = raw_frame(CONTINUATION, 0, 1, literal(b"x", b"y" * 16_000))
        for _ in range(5_000):
            if not wire.send(more):
                return


def test_headers_that_unpack_to_much(plain: Target) -> None:
    """One kept field of 4 kB, named in a byte each, 60 MB a call: 6 GB, were they all kept."""
    with plain.holds(growth_mib=300), plain.wire() as wire:
        wire.open(1, call(READ) + literal(b"a", b"b" * 4000, kept=True))
        for stream in range(3, 200, 2):
            wire.open(stream, call(READ) + bytes([0x80 | 62]) * 15_000)
        assert ends(wire.ended(3), 8)


def test_windows_that_overflow(plain: Target) -> None:
    with plain.holds(), plain.wire() as wire:
        wire.open(1, call(READ))
        for stream in (0, 1):
            wire.send(raw_frame(WINDOW_UPDATE, 0, stream, struct.pack(">I", 2**31 - 1)) * 3)
        wire.send(settings((4, 2**32 - 1)))
        list(wire.frames(0.5))


# Messages


def answer_to(target: Target, body: bytes, *fields: tuple[bytes, bytes]) -> Frame | None:
    with target.holds(), target.wire() as wire:
        wire.open(1, call(READ, *fields))
        wire.data(1, body)
        return wire.ended(1)


def test_a_message_of_4_gib_is_refused_before_it_comes(plain: Target) -> None:
    assert ends(answer_to(plain, message(b"x" * 100, length=2**32 - 1)), 8)


def test_a_message_that_is_said_to_be_compressed_and_is_not(plain: Target) -> None:
    assert ends(answer_to(plain, message(b"abc", compressed=1)), 3)


def test_a_message_that_is_compressed_in_no_known_way(plain: Target) -> None:
    frame = answer_to(plain, message(b"abc", compressed=1), (b"grpc-encoding", b"zstd"))
    assert frame is not None
    assert not ends(frame, 0)


def test_a_message_that_is_no_gzip(plain: Target) -> None:
    frame = answer_to(plain, message(b"abc", compressed=1), (b"grpc-encoding", b"gzip"))
    assert frame is not None
    assert not ends(frame, 0)


@pytest.mark.slow
def test_a_message_of_1_mib_that_unpacks_to_1_gib_is_refused_without_being_unpacked(
    plain: Target,
) -> None:
    packed = gzip.compress(bytes(1024 * MIB), 9)
    assert len(packed) < 1.1 * MIB
    body = message(packed, compressed=1)
    assert ends(answer_to(plain, body, (b"grpc-encoding", b"gzip")), 8)


def test_a_message_a_little_too_large_once_unpacked_is_told_so(plain: Target) -> None:
    body = message(gzip.compress(bytes(5 * MIB)), compressed=1)
    frame = answer_to(plain, body, (b"grpc-encoding", b"gzip"))
    assert ends(frame, 8)
    assert frame is not None
    assert b"4194304 are allowed" in frame.payload


# Calls


@pytest.mark.parametrize(
    ("headers", "status"),
    [
        (call("/okr.v1.ScoreService/Nothing"), 12),
        (call("/nothing"), 12),
        (call(""), None),
        (call("/" + "x" * 8000), 12),
        (call("/grpc.health.v1.Health/Nothing"), 12),
        (block([*POST, GRPC]), None),
        (block([(b":method", b"GET"), *POST[1:], (b":path", READ.encode()), GRPC]), None),
        (call(READ, (b"UPPER", b"x")), None),
        (call(READ, (b"grpc-timeout", b"banana")), None),
        (call(READ, (b"grpc-timeout", b"99999999999999H")), None),
        (call(READ, (b"okr-x-bin", b"!!!")), None),
        (call(READ, (b"okr-actor", b"\xc3\xa9\xff")), 3),
        (call(READ, (b"okr-actor", b"people/\0")), 3),
        (call(READ, (b"okr-actor", b"people/a"), (b"okr-actor", b"people/b")), 3),
        (call(READ, (b":path", b"/twice")), None),
        (call(READ, (b"connection", b"close")), None),
    ],
)
def test_a_call_that_is_none(plain: Target, headers: bytes, status: int | None) -> None:
    with plain.holds(), plain.wire() as wire:
        wire.open(1, headers, message(b""))
        frame = wire.ended(1, 3)
        assert status is None or ends(frame, status)


def test_another_content_type_makes_no_difference(plain: Target) -> None:
    """What it means is checked all the same: bytes that are no request are refused."""
    with plain.holds(), plain.wire() as wire:
        wire.open(1, call(READ, content_type=b"application/json"), message(b'{"pageSize": 1}'))
        assert not ends(wire.ended(1, 3), 0)


def test_a_path_that_is_no_text_tells_nothing_of_the_server(plain: Target) -> None:
    with plain.holds(), plain.wire() as wire:
        wire.open(1, block([*POST, (b":path", b"/\xff\xfe"), GRPC]), message(b""))
        frame = wire.ended(1)
        assert frame is not None
        assert b".py" not in frame.payload


# Slow and many


def slow_senders(target: Target) -> None:
    """Fifty callers who send a request byte by byte."""
    with ExitStack() as stack:
        wires = [stack.enter_context(target.wire()) for _ in range(50)]
        for wire in wires:
            wire.open(1, call(WRITE))
        for octet in message(b"\x0a\x04team" * 3)[:10]:
            for wire in wires:
                wire.send(raw_frame(DATA, 0, 1, bytes([octet])))
            time.sleep(0.1)


def half_open(target: Target) -> None:
    """Three hundred who greet and say nothing more, and as many who do not even greet."""
    with ExitStack() as stack:
        for greeting in (b"", PREFACE[:10]):
            for _ in range(300):
                raw = socket.create_connection(("127.0.0.1", port(target)), 10)
                stack.enter_context(raw)
                raw.sendall(greeting)
        time.sleep(0.5)


def half_open_calls(target: Target) -> None:
    """Calls whose requests never come, as many as a connection takes, on ten of them."""
    with ExitStack() as stack:
        headers = call(READ)
        for _ in range(10):
            wire = stack.enter_context(target.wire())
            wire.send(
                b"".join(raw_frame(HEADERS, END_HEADERS, 2 * n + 1, headers) for n in range(1500))
            )
        time.sleep(1)


def many_connections(target: Target) -> None:
    with ExitStack() as stack:
        for _ in range(1000):
            wire = stack.enter_context(target.wire())
            wire.open(1, call(READ), message(b""))
        time.sleep(0.5)


def slow_readers(target: Target) -> None:
    """Five hundred calls each on five connections that take no byte of an answer."""
    with ExitStack() as stack:
        for _ in range(5):
            wire = stack.enter_context(target.wire(greeting=PREFACE + settings((4, 0))))
            for number in range(500):
                wire.open(2 * number + 1, call(READ), message(b""))
        time.sleep(1)


def slow_watchers(target: Target) -> None:
    """Nine hundred watches from the beginning whose callers take no byte of an answer."""
    write: Any = target.channel.unary_unary(WRITE)
    for _ in range(300):
        write(team("", title="x" * 200).SerializeToString(), timeout=10)
    watch = message(WatchEventsRequest(after_position=0).SerializeToString())
    with ExitStack() as stack:
        for _ in range(9):
            wire = stack.enter_context(target.wire(greeting=PREFACE + settings((4, 0))))
            for number in range(100):
                wire.open(2 * number + 1, call(WATCH), watch)
        time.sleep(1)


CROWDS: Final = [
    slow_senders,
    half_open,
    half_open_calls,
    many_connections,
    slow_readers,
    slow_watchers,
]


@pytest.mark.parametrize("crowd", CROWDS, ids=lambda crowd: crowd.__name__)
def test_a_crowd_does_not_keep_others_out(plain: Target, crowd: Callable[[Target], None]) -> None:
    with plain.holds(CROWD_MIB):
        crowd(plain)


def port(target: Target) -> int:
    return int(target.address.rpartition(":")[2])


# TLS


def test_a_crowd_over_tls_does_not_keep_others_out(encrypted: Target) -> None:
    with encrypted.holds(CROWD_MIB):
        slow_senders(encrypted)
        half_open(encrypted)
        half_open_calls(encrypted)


def test_a_flood_over_tls(encrypted: Target) -> None:
    flooded(encrypted, settings((4, 100)) * 1000, 100)


def test_bytes_of_chance_in_place_of_tls(encrypted: Target) -> None:
    chance = random.Random(20)
    with encrypted.holds():
        for _ in range(100):
            with Wire(encrypted.address, greeting=chance.randbytes(500)):
                pass


def test_plain_http2_in_place_of_tls_is_hung_up_on(encrypted: Target) -> None:
    with encrypted.holds(), Wire(encrypted.address) as wire:
        assert wire.hung_up()


@pytest.mark.slow
def test_handshakes_of_tls_that_are_never_finished_are_given_up(encrypted: Target) -> None:
    """The first message of each is sent, and cut short; the server gives up after ten seconds."""
    hello = client_hello()
    with encrypted.holds(), ExitStack() as stack:
        before = encrypted.descriptors()
        for number in range(200):
            raw = socket.create_connection(("127.0.0.1", port(encrypted)), 10)
            stack.enter_context(raw)
            raw.sendall(hello if number % 2 else hello[:50])
        until = time.monotonic() + 20
        while encrypted.descriptors() > before + 5:
            assert time.monotonic() < until
            time.sleep(0.2)


def client_hello() -> bytes:
    """What a client says first."""
    context = ssl.create_default_context()
    context.set_alpn_protocols(["h2"])
    outgoing = ssl.MemoryBIO()
    with pytest.raises(ssl.SSLWantReadError):
        context.wrap_bio(ssl.MemoryBIO(), outgoing, server_hostname="okr.example").do_handshake()
    return outgoing.read()
