"""How calls ended: counted by gRPC status, timed, and summed up as a `LoadReport`."""

from array import array
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any
from urllib.parse import unquote

from google.rpc.code_pb2 import Code

from benchmarks.hpack import literal_fields

NO_STATUS = "NO_STATUS"
"""The call ended with headers that hold no gRPC status this client knows."""
LOST = "LOST"
"""The call ended without trailers: reset, connection closed, or never answered."""
OK_TRAILERS_KEPT = 1_000
"""A server that adds something of its own to every trailer does not fill the memory."""


@dataclass(frozen=True, slots=True)
class LoadReport:
    """What one run of the load generator saw.

    Rate, seconds, latencies and cpu_share are those of the measured time, which leaves the
    warm-up and the drain out; the counts are those of the whole run.
    """

    rate: float
    """Calls answered OK per second."""
    seconds: float
    p50_ms: float
    p99_ms: float
    max_ms: float
    cpu_share: float
    """Processor seconds of the generator per second; near 1.0 it is the generator that limits."""
    ok: int
    failures: dict[str, int]
    """Calls by code name, NO_STATUS or LOST."""
    examples: dict[str, str]
    """One error message for each key of `failures`."""
    request_bytes: float
    """Mean length of a serialised request."""
    response_bytes: float
    """Mean length of a serialised response to a call that was answered OK."""

    @property
    def failed(self) -> int:
        """Calls that were not answered OK."""
        return sum(self.failures.values())

    def as_json(self) -> dict[str, Any]:
        """The fields by name, for `LoadReport(**fields)`."""
        return asdict(self)


class Outcomes:
    """Counts the ends of calls; latencies only while `measuring`."""

    def __init__(self) -> None:
        self.measuring = False
        self.ok = 0
        self.failures: Counter[str] = Counter()
        self.examples: dict[str, str] = {}
        self.latencies_us = array("Q")
        self._ok_trailers: set[bytes] = set()

    def answered(self, seconds: float, trailers: bytes) -> None:
        """A call ended after so many seconds with this header block.

        Equal trailers are equal bytes (see `benchmarks.hpack`), so an OK block is decoded once.
        """
        if trailers not in self._ok_trailers:
            fields = literal_fields(trailers)
            code = _code(fields.get(b"grpc-status", b""))
            if code != "OK":
                self._fail(code, unquote(fields.get(b"grpc-message", b"").decode()))
                return
            if len(self._ok_trailers) < OK_TRAILERS_KEPT:
                self._ok_trailers.add(trailers)
        self.ok += 1
        if self.measuring:
            self.latencies_us.append(int(seconds * 1e6))

    def lost(self, seconds: float, why: str) -> None:
        """A call ended after so many seconds without trailers."""
        self._fail(LOST, f"{why} after {seconds:.3f} s")

    def _fail(self, code: str, example: str) -> None:
        self.failures[code] += 1
        self.examples.setdefault(code, example)


def percentile_ms(sorted_us: Sequence[int], percent: float) -> float:
    """The smallest latency that `percent` of all calls do not exceed; 0 without calls."""
    if not sorted_us:
        return 0.0
    rank = max(1, -(-len(sorted_us) * percent // 100))
    return sorted_us[int(rank) - 1] / 1000


def _code(status: bytes) -> str:
    if status.isdigit() and int(status) in Code.values():
        return Code.Name(Code.ValueType(int(status)))
    return NO_STATUS
