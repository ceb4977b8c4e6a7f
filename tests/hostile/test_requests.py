"""Whatever comes to a method, it answers or refuses; it never fails, and a refusal writes nothing.

`make fuzz` makes many more calls: OKR_FUZZ_CALLS says how many, OKR_FUZZ_SEED which.
"""

from __future__ import annotations

import os
import sys
from collections import Counter
from collections.abc import Iterator
from itertools import islice
from pathlib import Path
from random import Random
from typing import Any, Final

import grpc
import pytest
from grpc import StatusCode

from okr.v1.operations_service_pb2 import GetStatusRequest
from tests.api.conftest import furnish
from tests.api.test_fuzz import DAYS, NAMES, SOUND, WORDS
from tests.hostile.requests import Requests, Sent
from tests.support.ask import team
from tests.support.serving import Refused, shared_loop
from tests.support.whole import Caller, whole_service

CALLS: Final = int(os.environ.get("OKR_FUZZ_CALLS", "800"))
SEED: Final = int(os.environ.get("OKR_FUZZ_SEED", "20260401"))
CALLS_OF_A_LEDGER: Final = 5000
"""After so many a new ledger is begun: what was accepted changes it, until little is left to do."""

STREAM_SECONDS: Final = 0.2
"""How long an answer of a stream is waited for, which may rightly have none."""

pytestmark = [pytest.mark.slow, pytest.mark.timeout(max(120, CALLS))]


def test_no_call_makes_the_service_fail(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    said: Counter[str] = Counter()
    met: set[str] = set()
    left = CALLS
    while left > 0:
        seed = SEED + (CALLS - left)
        folder = tmp_path / str(left)
        folder.mkdir()
        with whole_service(shared_loop(), folder) as me:
            furnish(me)
            requests = Requests(Random(seed), (*NAMES, *WORDS, *DAYS), SOUND)
            for sent in islice(requests, min(left, CALLS_OF_A_LEDGER)):
                said[answered(me, sent, seed)] += 1
                met.add(sent.path)
                if sent.method.client_streaming:
                    until_decided(me)
            projections = me.ask(GetStatusRequest()).projections
            assert all(each.stopped_position == 0 for each in projections)
        left -= CALLS_OF_A_LEDGER
    if "OKR_FUZZ_CALLS" in os.environ:
        with capsys.disabled():
            sys.stdout.write(f"\n{said.total()} calls of {len(met)} methods, seed {SEED}:\n")
            sys.stdout.writelines(f"{count:8} {told}\n" for told, count in said.most_common())


def answered(me: Caller, sent: Sent, seed: int) -> str:
    """What became of a call: OK, or the reason that it was refused for."""
    reads_only = sent.method.GetOptions().idempotency_level
    before = 0 if reads_only else me.head()
    streams = sent.method.server_streaming
    try:
        if streams:
            with me.stream(sent.path, sent.raw, timeout=STREAM_SECONDS) as answers:
                taken(answers)
        else:
            me.post(sent.path, sent.raw, timeout=20)
    except grpc.RpcError as error:
        refused = Refused(error)
        if streams and refused.code is StatusCode.DEADLINE_EXCEEDED:
            return "waiting"
        about = f"{sent.path} seed {seed} {sent.raw.hex()} {refused.code} {refused.message}"
        wrong = (StatusCode.INTERNAL, StatusCode.UNKNOWN, StatusCode.UNIMPLEMENTED)
        assert refused.code not in wrong, about
        assert refused.code is not StatusCode.DEADLINE_EXCEEDED, about
        assert refused.reason, about
        assert reads_only or me.head() == before, about
        return refused.reason
    return "OK"


def until_decided(me: Caller) -> None:
    """Returns when the lane has decided what it had of a stream that was left.

    It decides in the order in which it is given, and what only tries to do something last.
    """
    asked = team("tried")
    asked.validate_only = True
    me.ask(asked)


def taken(answers: Iterator[Any]) -> None:
    """The first few answers of a stream."""
    for _ in islice(answers, 3):
        pass
