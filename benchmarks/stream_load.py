"""The load generator of streams: check-ins in messages, as fast as one server acknowledges them.

A process of its own: `python -m benchmarks.stream_load --help`. It prints one `StreamReport`.
"""

import json
import threading
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Annotated, Any

import grpc
import typer

from benchmarks.requests import RequestSource, read_requests
from okr.v1.ledger_service_pb2 import StreamCheckInsResponse

PATH = "/okr.v1.LedgerService/StreamCheckIns"
AHEAD = 4
"""Messages that are sent and not acknowledged; full ones are what a server takes of a stream."""
ANSWER_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class StreamReport:
    """What one run saw. Rate, seconds and cpu_share are those of the time after the warm-up."""

    rate: float
    """Check-ins acknowledged as recorded, per second."""
    seconds: float
    cpu_share: float
    """Processor seconds of the generator per second; near 1.0 it is the generator that limits."""
    recorded: int
    refused: dict[str, int]
    """Refused check-ins by the message of their status."""


def run(
    port: int, requests: list[bytes], *, check_ins: int, seconds: float, warmup_seconds: float
) -> StreamReport:
    """Streams for so long after a warm-up, then half-closes and takes the last acknowledgements.

    Raises:
        grpc.RpcError: the stream broke off.
    """
    take = RequestSource(requests)
    room = threading.Semaphore(AHEAD)
    stopped = threading.Event()

    def messages() -> Iterator[bytes]:
        while True:
            room.acquire()
            if stopped.is_set():
                return
            yield _message([take() for _ in range(check_ins)])

    recorded = 0
    refused: Counter[str] = Counter()
    measured, processor, began = 0, 0.0, 0.0
    with grpc.insecure_channel(f"127.0.0.1:{port}") as channel:
        method: Any = channel.stream_stream(PATH)
        started = time.perf_counter()
        ended = started
        for raw in method(messages(), timeout=warmup_seconds + seconds + ANSWER_SECONDS):
            room.release()
            now = time.perf_counter()
            good = _recorded(StreamCheckInsResponse.FromString(raw), refused)
            recorded += good
            if not began:
                if now >= started + warmup_seconds:
                    began, processor = now, time.process_time()
            elif not stopped.is_set():
                measured += good
                ended = now
                if now >= began + seconds:
                    processor = time.process_time() - processor
                    stopped.set()
    elapsed = max(ended - began, 1e-9)
    return StreamReport(measured / elapsed, elapsed, processor / elapsed, recorded, dict(refused))


def _message(requests: list[bytes]) -> bytes:
    """A StreamCheckInsRequest of serialised requests, which are its field 1."""
    return b"".join([b"\x0a%b%b" % (_varint(len(each)), each) for each in requests])


def _varint(number: int) -> bytes:
    return bytes((number,)) if number < 128 else bytes((number & 0x7F | 0x80, number >> 7))


def _recorded(answer: StreamCheckInsResponse, refused: Counter[str]) -> int:
    bad = [each for each in answer.acknowledgements if not each.position]
    refused.update(each.refused.message for each in bad)
    return len(answer.acknowledgements) - len(bad)


def main(
    *,
    port: Annotated[int, typer.Option(help="Where the server listens on 127.0.0.1.")],
    requests: Annotated[Path, typer.Option(help="A file written by benchmarks.requests.")],
    check_ins: Annotated[int, typer.Option(help="Check-ins in a message.")] = 256,
    seconds: Annotated[float, typer.Option(help="Measured time after the warm-up.")] = 10.0,
    warmup: Annotated[float, typer.Option(help="Seconds that are not measured.")] = 1.0,
) -> None:
    """Streams the file's requests round and round, each under a request id of its own."""
    report = run(
        port,
        read_requests(requests),
        check_ins=check_ins,
        seconds=seconds,
        warmup_seconds=warmup,
    )
    print(json.dumps(asdict(report)), flush=True)


if __name__ == "__main__":
    typer.run(main)
