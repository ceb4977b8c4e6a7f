"""The load generator: unary gRPC calls, so many in flight, as fast as one server answers them.

A process of its own: `python -m benchmarks.load --help`. It prints JSON lines, `{"calls": n}`
while it runs and one `LoadReport` at the end.
"""

import json
import selectors
import ssl
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.hpack import SCHEME_HTTP, SCHEME_HTTPS, RequestBlocks
from benchmarks.http2 import MESSAGE_PREFIX_BYTES, Connection
from benchmarks.outcomes import LoadReport, Outcomes, percentile_ms
from benchmarks.requests import RequestSource, read_requests

PROGRESS_SECONDS = 0.25
POLL_SECONDS = 0.05
SILENCE_SECONDS = 30.0
"""A server that says nothing for so long has hung; its open calls are lost."""
DEADLINE = b"20S"


@dataclass(frozen=True, slots=True)
class LoadPlan:
    """One run: `seconds` after a warm-up, or exactly `calls` calls, all of them measured."""

    host: str
    port: int
    method: str
    """`/package.Service/Method`"""
    messages: Sequence[bytes]
    seconds: float = 0.0
    warmup_seconds: float = 0.0
    calls: int = 0
    in_flight: int = 64
    connections: int = 4
    ordered: bool = True
    """Whether request ids are in order of time, or random."""
    authority: Path | None = None
    """Who signed the server's certificate, as PEM; without one the calls are in plain text."""
    token: str = ""
    """What every call says who it is with."""


class _Calls(Outcomes):
    """The requests and outcomes of one run. Implements `benchmarks.http2.Calls`."""

    def __init__(self, messages: Sequence[bytes], limit: int, *, ordered: bool) -> None:
        super().__init__()
        self._take = RequestSource(messages, ordered=ordered)
        self._limit = limit
        self.stopped = False

    def next_message(self) -> bytes | None:
        """The next request, or None once the run is over."""
        self.stopped = self.stopped or 0 < self._limit <= self._take.taken
        return None if self.stopped else self._take()


def run(plan: LoadPlan, on_progress: Callable[[int], None] = lambda calls: None) -> LoadReport:
    """Drives one server and returns when the last call has ended.

    `on_progress` gets the number of calls answered OK, every `PROGRESS_SECONDS`.

    Raises:
        OSError: the server cannot be reached.
        ProtocolError, HpackError: it speaks what this client does not.
    """
    calls = _Calls(plan.messages, plan.calls, ordered=plan.ordered)
    trusting = _trusting(plan.authority) if plan.authority else None
    blocks = RequestBlocks.for_fields(_fields(plan), SCHEME_HTTPS if trusting else SCHEME_HTTP)
    connections = [
        Connection((plan.host, plan.port), blocks, slots, calls, trusting)
        for slots in _shares(plan.in_flight, plan.connections)
    ]
    try:
        window = _drive(plan, calls, connections, on_progress)
    finally:
        for connection in connections:
            connection.close()
    return _report(plan, calls, connections, window)


@dataclass(slots=True)
class _Window:
    """The measured time: its ends on the clock and the processor time at each."""

    began: float = 0.0
    ended: float = 0.0
    processor_seconds: float = 0.0

    def begin(self, now: float) -> None:
        self.began = now
        self.processor_seconds = -time.process_time()

    def end(self, now: float) -> None:
        self.ended = now
        self.processor_seconds += time.process_time()


def _drive(
    plan: LoadPlan,
    calls: _Calls,
    connections: Sequence[Connection],
    on_progress: Callable[[int], None],
) -> _Window:
    window = _Window()
    with selectors.DefaultSelector() as selector:
        now = time.perf_counter()
        heard_at = now
        measure_at = now + plan.warmup_seconds
        stop_at = float("inf")
        report_at = now + PROGRESS_SECONDS
        for connection in connections:
            selector.register(connection.socket, selectors.EVENT_READ, connection)
            connection.fill(now)
        while selector.get_map() and not (calls.stopped and all(c.idle for c in connections)):
            for key, _ in selector.select(POLL_SECONDS):
                heard_at = time.perf_counter()
                key.data.receive(heard_at)
                if key.data.closed:
                    selector.unregister(key.fileobj)
            now = time.perf_counter()
            if not window.began and now >= measure_at:
                window.begin(now)
                calls.measuring = True
                if not plan.calls:
                    stop_at = now + plan.seconds
            if calls.measuring and now >= stop_at:
                window.end(now)
                calls.measuring = False
                calls.stopped = True
            if now >= report_at:
                on_progress(calls.ok)
                report_at = now + PROGRESS_SECONDS
            if now >= heard_at + SILENCE_SECONDS:
                break
    if calls.measuring:
        window.end(now)
    for connection in connections:
        connection.lose_open("not answered when the run ended", now)
    return window


def _report(
    plan: LoadPlan, calls: _Calls, connections: Sequence[Connection], window: _Window
) -> LoadReport:
    latencies = sorted(calls.latencies_us)
    seconds = max(window.ended - window.began, 1e-9)
    received = sum(connection.response_bytes for connection in connections)
    return LoadReport(
        rate=len(latencies) / seconds,
        seconds=seconds,
        p50_ms=percentile_ms(latencies, 50),
        p99_ms=percentile_ms(latencies, 99),
        max_ms=percentile_ms(latencies, 100),
        cpu_share=window.processor_seconds / seconds,
        ok=calls.ok,
        failures=dict(calls.failures),
        examples=calls.examples,
        request_bytes=sum(map(len, plan.messages)) / len(plan.messages),
        response_bytes=max(0.0, received / max(calls.ok, 1) - MESSAGE_PREFIX_BYTES),
    )


def _trusting(authority: Path) -> ssl.SSLContext:
    context = ssl.create_default_context(cafile=authority)
    context.set_alpn_protocols(["h2"])
    return context


def _fields(plan: LoadPlan) -> list[tuple[bytes, bytes]]:
    bearer = [(b"authorization", b"Bearer " + plan.token.encode())] if plan.token else []
    return [
        (b":path", plan.method.encode()),
        (b":authority", f"{plan.host}:{plan.port}".encode()),
        (b"te", b"trailers"),
        (b"content-type", b"application/grpc"),
        (b"grpc-timeout", DEADLINE),
        (b"user-agent", b"okr-ledger-bench"),
        *bearer,
    ]


def _shares(total: int, parts: int) -> list[int]:
    """`total` split into at most `parts` whole shares that differ by one at most."""
    parts = min(parts, total)
    return [total // parts + (part < total % parts) for part in range(parts)]


def main(
    *,
    port: Annotated[int, typer.Option(help="Where the server listens on 127.0.0.1.")],
    method: Annotated[str, typer.Option(help="/package.Service/Method")],
    requests: Annotated[Path, typer.Option(help="A file written by benchmarks.requests.")],
    seconds: Annotated[float, typer.Option(help="Measured time after the warm-up.")] = 10.0,
    warmup: Annotated[float, typer.Option(help="Seconds that are not measured.")] = 1.0,
    calls: Annotated[int, typer.Option(help="Send exactly so many calls instead.")] = 0,
    in_flight: Annotated[int, typer.Option(help="Calls open at once, over all connections.")] = 64,
    connections: Annotated[int, typer.Option(help="TCP connections.")] = 4,
    ordered: Annotated[
        bool, typer.Option("--ordered/--random", help="Request ids in order of time, or random.")
    ] = True,
    authority: Annotated[
        Path | None, typer.Option(help="Call over TLS; who signed the server's certificate, PEM.")
    ] = None,
    token_file: Annotated[Path | None, typer.Option(help="A token that each call carries.")] = None,
) -> None:
    """Sends the file's requests round and round, each under a request id of its own."""
    plan = LoadPlan(
        host="127.0.0.1",
        port=port,
        method=method,
        messages=read_requests(requests),
        seconds=seconds,
        warmup_seconds=0.0 if calls else warmup,
        calls=calls,
        in_flight=in_flight,
        connections=connections,
        ordered=ordered,
        authority=authority,
        token=token_file.read_text(encoding="utf-8").strip() if token_file else "",
    )
    report = run(plan, lambda count: print(json.dumps({"calls": count}), flush=True))
    print(json.dumps(report.as_json()), flush=True)


if __name__ == "__main__":
    typer.run(main)
