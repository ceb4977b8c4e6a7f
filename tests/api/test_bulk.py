"""Many check-ins in a message: each has the outcome that it would have had alone."""

from __future__ import annotations

import io
import json
import queue
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import grpc
import pytest
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status import rpc_status

from ledger.log.sqlite import datastore
from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as scores
from okr.v1.ledger_service_pb2 import RecordCheckInRequest as CheckIn
from okr.v1.operations_service_pb2 import GetStatusRequest
from service.feed import AHEAD, AHEAD_BYTES
from service.logging import logs
from tests.api.cases import TABLES
from tests.api.test_reasons import Place
from tests.support.ask import FOLLOWERS, TRAFFIC, check_in, commit, cycle, objective, team
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.serving import LoopThread, Refused, refused
from tests.support.whole import Caller, path_of, whole_service

MIB: Final = 1024 * 1024
AT_MOST: Final = 256
STREAM: Final = "/okr.v1.LedgerService/StreamCheckIns"
BAD: Final = [
    (case.name, case.request, case.reason)
    for cases in TABLES.values()
    for case in cases
    if isinstance(case.request, CheckIn)
]
ONCE: Final = "0d4a5c1e-8a8b-4f0e-9a35-6d9c8d1f2b7a"


def good(value: str = "1100", parent: str = FOLLOWERS, **rest: Any) -> CheckIn:
    """A check-in that is accepted, with a request id of its own."""
    return check_in(parent, value, on="2024-07-08", **{"request_id": str(uuid4()), **rest})


def batch(*requests: CheckIn) -> api.BatchRecordCheckInsRequest:
    return api.BatchRecordCheckInsRequest(requests=requests)


def message(*requests: CheckIn, first: int = 0) -> api.StreamCheckInsRequest:
    return api.StreamCheckInsRequest(requests=requests, first_sequence=first)


class Feeding:
    """An open stream of check-ins: what is put in is sent, answers are taken when asked for."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._messages: queue.SimpleQueue[Message | None] = queue.SimpleQueue()
        method: Any = channel.stream_stream(STREAM, api.StreamCheckInsRequest.SerializeToString)
        self.call: Any = method(iter(self._messages.get, None), timeout=30)

    def send(self, *messages: Message) -> None:
        for each in messages:
            self._messages.put(each)

    def half_close(self) -> None:
        self._messages.put(None)

    def answer(self) -> api.StreamCheckInsResponse:
        return api.StreamCheckInsResponse.FromString(next(self.call))

    def rest(self) -> list[api.StreamCheckInsResponse]:
        return [api.StreamCheckInsResponse.FromString(raw) for raw in self.call]

    def refused(self) -> Refused:
        return refused(lambda: next(self.call))


@contextmanager
def feeding(me: Caller) -> Iterator[Feeding]:
    stream = Feeding(me.channel)
    try:
        yield stream
    finally:
        stream.half_close()
        stream.call.cancel()


def outcomes_by_batch(me: Caller, requests: list[CheckIn]) -> list[tuple[int, Status]]:
    """Position and refusal of each."""
    answer = me.ask(batch(*requests))
    return [(each.recorded.position, each.refused) for each in answer.outcomes]


def outcomes_by_stream(me: Caller, requests: list[CheckIn]) -> list[tuple[int, Status]]:
    with feeding(me) as stream:
        stream.send(message(*requests))
        return [(each.position, each.refused) for each in stream.answer().acknowledgements]


Outcomes = Callable[[Caller, list[CheckIn]], list[tuple[int, Status]]]
both = pytest.mark.parametrize("outcomes", [outcomes_by_batch, outcomes_by_stream])


def reason(status: Status) -> str:
    info = ErrorInfo()
    assert any(detail.Unpack(info) for detail in status.details)
    return info.reason


def alone(me: Caller, request: CheckIn, metadata: Any = ()) -> Status:
    """The status that the same request is refused with in a call of its own."""
    with pytest.raises(grpc.RpcError) as failed:
        me.ask(request, metadata)
    told: Any = rpc_status.from_call(failed.value)  # type: ignore[arg-type]  # it is a call too
    assert isinstance(told, Status)
    return told


def numbers(me: Caller, parent: str = FOLLOWERS) -> list[str]:
    """The measured values in order of their numbers, all that are in the ledger."""
    # Gives the caller the head's token.
    me.ask(good(validate_only=True))
    found = me.ask(scores.ListCheckInsRequest(parent=parent)).check_ins
    in_order = sorted(found, key=lambda each: int(each.name.rpartition("/")[2]))
    return [each.measurement.value for each in in_order]


@pytest.fixture
def quarter(me: Caller) -> Caller:
    me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"), objective(), commit())
    return me


# Each its own outcome


def test_a_batch_answers_each_as_a_call_of_its_own_does(quarter: Caller) -> None:
    before = quarter.head()
    requests = [good(str(1000 + n), note="ő", confidence=n % 11) for n in range(AT_MOST)]
    answer = quarter.ask(batch(*requests))
    recorded = [each.recorded for each in answer.outcomes]
    assert [each.position for each in recorded] == list(range(before + 1, before + AT_MOST + 1))
    assert (answer.position, answer.token) == (recorded[-1].position, recorded[-1].token)
    assert [quarter.ask(request) for request in requests] == recorded
    assert quarter.head() == answer.position
    listed = quarter.ask(
        scores.ListCheckInsRequest(parent=FOLLOWERS, page_size=1000, at_least_as_fresh=answer.token)
    )
    assert len(listed.check_ins) == AT_MOST


def test_a_stream_acknowledges_in_order_and_ends_when_it_is_half_closed(quarter: Caller) -> None:
    before = quarter.head()
    with feeding(quarter) as stream:
        for first in range(0, 90, 9):
            stream.send(message(*(good(str(first + n)) for n in range(9)), first=first))
        stream.half_close()
        answers = stream.rest()
        assert stream.call.code() is StatusCode.OK
    assert [each.first_sequence for each in answers] == list(range(0, 90, 9))
    told = [each for answer in answers for each in answer.acknowledgements]
    assert [each.position for each in told] == list(range(before + 1, before + 91))
    assert [each.number for each in told] == list(range(1, 91))
    assert [each.position for each in answers] == list(range(before + 9, before + 91, 9))
    newest = scores.ListCheckInsRequest(parent=FOLLOWERS, at_least_as_fresh=answers[-1].token)
    assert quarter.ask(newest).position >= before + 90
    assert numbers(quarter) == [str(n) for n in range(90)]


def test_a_stream_without_messages_ends(quarter: Caller) -> None:
    with feeding(quarter) as stream:
        stream.half_close()
        assert stream.rest() == []


@both
@pytest.mark.parametrize(
    ("request_", "expected"), [pytest.param(bad, why, id=name) for name, bad, why in BAD]
)
def test_a_bad_one_is_told_what_it_is_told_alone_and_spoils_no_other(
    furnished: Caller, outcomes: Outcomes, request_: CheckIn, expected: str
) -> None:
    before = furnished.head()
    told = outcomes(furnished, [good(parent=TRAFFIC), request_, good(parent=TRAFFIC)])
    assert [position for position, _ in told] == [before + 1, 0, before + 2]
    assert told[1][1] == alone(furnished, request_)
    assert reason(told[1][1]) == expected
    assert furnished.head() == before + 2


def test_there_are_bad_ones_of_many_kinds() -> None:
    assert len({why for _, _, why in BAD}) >= 5


@both
def test_all_refused_is_an_answer_too(furnished: Caller, outcomes: Outcomes) -> None:
    before = furnished.head()
    told = outcomes(furnished, [check_in("objectives/none/keyResults/none")] * 3)
    assert [reason(status) for _, status in told] == ["RESOURCE_NOT_FOUND"] * 3
    assert furnished.head() == before
    nothing = furnished.ask(batch(check_in("objectives/none/keyResults/none")))
    assert (nothing.position, nothing.token) == (0, "")


@both
def test_a_field_that_is_not_known_refuses_the_one_that_has_it(
    furnished: Caller, outcomes: Outcomes
) -> None:
    odd = CheckIn.FromString(good(parent=TRAFFIC).SerializeToString() + b"\x12\x03\xa0\x06\x01")
    (_, first), (position, _) = outcomes(furnished, [odd, good(parent=TRAFFIC)])
    named = BadRequest()
    assert any(detail.Unpack(named) for detail in first.details)
    assert [violation.field for violation in named.field_violations] == ["measurement.100"]
    assert position == furnished.head()


@both
def test_validate_only_writes_nothing_beside_others_that_do(
    quarter: Caller, outcomes: Outcomes
) -> None:
    before = quarter.head()
    told = outcomes(quarter, [good("1"), good("2", validate_only=True), good("3")])
    assert [status.code for _, status in told] == [0, 0, 0]
    assert quarter.head() == before + 2
    assert numbers(quarter) == ["1", "3"]


def test_who_asks_is_who_checked_in(quarter: Caller) -> None:
    bea = [("okr-actor", "services/crm"), ("okr-on-behalf-of", "people/bea")]
    (outcome,) = quarter.ask(batch(good()), bea).outcomes
    assert outcome.recorded.check_in.actor == "services/crm"


# Request ids


@both
def test_the_same_id_twice_in_a_message_is_recorded_once(
    quarter: Caller, outcomes: Outcomes
) -> None:
    before = quarter.head()
    once = good(request_id=ONCE)
    other = good("1200", request_id=ONCE)
    told = outcomes(quarter, [once, good("7"), once, other])
    positions = [position for position, _ in told]
    assert positions == [before + 1, before + 2, before + 1, 0]
    assert reason(told[3][1]) == "REQUEST_ID_REUSED"
    assert quarter.head() == before + 2


@both
def test_what_is_sent_again_gets_the_same_answer(quarter: Caller, outcomes: Outcomes) -> None:
    requests = [good(str(n)) for n in range(20)]
    first = outcomes(quarter, requests)
    head = quarter.head()
    assert outcomes(quarter, [*requests[10:], *requests[:10]]) == [*first[10:], *first[:10]]
    assert quarter.ask(requests[3]).position == first[3][0]
    assert quarter.head() == head


# The whole message


@pytest.mark.parametrize("kind", [batch, message])
def test_no_request_and_too_many_refuse_the_message(
    quarter: Caller, kind: Callable[..., Message]
) -> None:
    before = quarter.head()
    for requests in ([], [good() for _ in range(AT_MOST + 1)]):
        error = quarter.refused(kind(*requests))
        assert (error.code, error.fields) == (StatusCode.INVALID_ARGUMENT, ["requests"])
    assert quarter.head() == before


@pytest.mark.parametrize("kind", [batch, message])
def test_a_field_of_the_message_that_is_not_known_refuses_it(
    quarter: Caller, kind: Callable[..., Message]
) -> None:
    request = kind(good())
    before = quarter.head()
    raw = request.SerializeToString() + b"\xfa\x01\x01x"
    error = refused(lambda: quarter.post(path_of(request), raw))
    assert (error.reason, error.fields) == ("FIELD_UNKNOWN", ["31"])
    error = refused(lambda: quarter.post(path_of(request), b"\x0a\x7fabc"))
    assert (error.code, error.reason) == (StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert quarter.head() == before


@pytest.mark.parametrize("kind", [batch, message])
@pytest.mark.parametrize("mib", [1, 5])
def test_more_than_1_mib_is_refused_with_the_limit(
    quarter: Caller, kind: Callable[..., Message], mib: int
) -> None:
    before = quarter.head()
    error = quarter.refused(kind(good(), good(note="x" * mib * MIB)))
    assert (error.code, error.reason) == (StatusCode.RESOURCE_EXHAUSTED, "REQUEST_TOO_LARGE")
    assert quarter.head() == before


def test_the_longest_answers_fit(quarter: Caller) -> None:
    """Notes that grow threefold when they are normalised."""
    note = "\ufb2c" * 1300
    answer = quarter.ask(batch(*(good(note=note) for _ in range(AT_MOST))))
    assert all(each.recorded.position for each in answer.outcomes)
    nowhere = f"objectives/{'o' * 63}/keyResults/{'k' * 63}"
    told = quarter.ask(batch(*(check_in(nowhere, "x" * 64, note="\0") for _ in range(AT_MOST))))
    assert all(each.refused.code for each in told.outcomes)


def test_what_went_before_a_bad_message_is_acknowledged(quarter: Caller) -> None:
    with feeding(quarter) as stream:
        stream.send(message(good("1")), message(good("2")), message(), message(good("3")))
        assert [stream.answer().acknowledgements[0].number for _ in range(2)] == [1, 2]
        assert stream.refused().fields == ["requests"]
    assert numbers(quarter)[:2] == ["1", "2"]


def test_an_unknown_caller_is_refused_before_anything_is_read(quarter: Caller) -> None:
    error = refused(
        lambda: quarter.post(STREAM, message(good()).SerializeToString(), [("okr-actor", "anna")])
    )
    assert error.code in (StatusCode.UNAUTHENTICATED, StatusCode.INVALID_ARGUMENT)


# A service that cannot


@pytest.fixture
def place(loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """Where a service may be started on a committed quarter."""
    with whole_service(loop, tmp_path) as me:
        me.all_of(team(), cycle(first="2024-07-01", last="2024-09-30"), objective(), commit())
    return Place(loop, tmp_path, monkeypatch)


@ON_SQLITE_ALONE
def test_a_log_that_cannot_be_written_fails_the_message_and_ids_settle_each(place: Place) -> None:
    place.patch.setattr(datastore, "LOCK_TIMEOUT_SECONDS", 0.2)
    requests = [good("1"), check_in("objectives/none/keyResults/none"), good("2")]
    with place.service() as me:
        head = me.head()
        with place.held():
            error = me.refused(batch(*requests))
            assert (error.code, error.reason) == (StatusCode.UNAVAILABLE, "LOG_UNAVAILABLE")
            assert error.retry.HasField("retry_delay")
            with feeding(me) as stream:
                stream.send(message(*requests))
                assert stream.refused().reason == "LOG_UNAVAILABLE"
        assert me.head() == head
        recorded = [each.recorded.position for each in me.ask(batch(*requests)).outcomes]
        assert recorded == [head + 1, 0, head + 2]


@contextmanager
def held_for(place: Place, seconds: float) -> Iterator[None]:
    """Nothing can be appended from now on and for so long, while the block goes on."""
    begun = threading.Event()

    def hold() -> None:
        with place.held():
            begun.set()
            time.sleep(seconds)

    holder = threading.Thread(target=hold)
    holder.start()
    assert begun.wait(5)
    yield
    holder.join()


@ON_SQLITE_ALONE
def test_a_drain_acknowledges_what_was_taken_and_says_when_to_come_back(place: Place) -> None:
    with ExitStack() as until_the_end:
        with place.service() as me:
            own = until_the_end.enter_context(grpc.insecure_channel(me.address))
            until_the_end.enter_context(held_for(place, 0.6))
            stream = Feeding(own)
            stream.send(message(good("1")), message(good("2")))
            wait_for(lambda: lane(me).waiting == 2)
        answers = [stream.answer(), stream.answer()]
        assert [each.acknowledgements[0].number for each in answers] == [1, 2]
        error = stream.refused()
    assert (error.code, error.reason) == (StatusCode.UNAVAILABLE, "SHUTTING_DOWN")
    assert error.retry.HasField("retry_delay")


def test_an_idle_stream_does_not_hold_up_a_drain(place: Place) -> None:
    with ExitStack() as until_the_end:
        with place.service(drain_seconds=30.0) as me:
            own = until_the_end.enter_context(grpc.insecure_channel(me.address))
            stream = Feeding(own)
            stream.send(message(good("1")))
            assert stream.answer().acknowledgements[0].number == 1
            until = time.monotonic() + 10
        assert time.monotonic() < until
        assert stream.refused().reason == "SHUTTING_DOWN"


# What a stream may hold


@ON_SQLITE_ALONE
def test_no_more_of_a_stream_is_taken_than_it_may_have_unacknowledged(place: Place) -> None:
    with place.service() as me, feeding(me) as stream:
        with held_for(place, 0.6):
            stream.send(*(message(good(str(n))) for n in range(2 * AHEAD)))
            wait_for(lambda: lane(me).waiting == AHEAD)
            time.sleep(0.2)
            assert lane(me).waiting == AHEAD
        stream.half_close()
        numbered = [each.acknowledgements[0].number for each in stream.rest()]
        assert numbered == list(range(1, 2 * AHEAD + 1))


@ON_SQLITE_ALONE
def test_nor_than_so_many_bytes(place: Place) -> None:
    """Each message is about a third of what may be taken before one is acknowledged."""
    note = "x" * 4000
    large = [message(*(good(note=note) for _ in range(10))) for _ in range(8)]
    assert 2 < AHEAD_BYTES / large[0].ByteSize() < 4
    with place.service() as me, feeding(me) as stream:
        with held_for(place, 0.6):
            stream.send(*large)
            wait_for(lambda: lane(me).waiting == 4)
            time.sleep(0.2)
            assert lane(me).waiting == 4
        stream.half_close()
        assert len(stream.rest()) == 8


@pytest.mark.slow
def test_who_takes_no_acknowledgements_is_not_read_from(place: Place) -> None:
    """Refusals of some 100 kB a message: the transport's windows take some of them."""
    lost = message(*[check_in("objectives/none/keyResults/none")] * AT_MOST)
    count = 200
    with place.service() as me, feeding(me) as stream:
        stream.send(*[lost] * count)
        taken = settled(lambda: lane(me).refusals)
        assert 0 < taken < AT_MOST * count / 2
        stream.half_close()
        assert len(stream.rest()) == count
        assert lane(me).refusals == AT_MOST * count


@ON_SQLITE_ALONE
def test_what_the_lane_has_not_begun_is_dropped_when_the_caller_is_gone(place: Place) -> None:
    with place.service() as me:
        head = me.head()
        first, second = [good(str(n)) for n in range(5)], [good(str(n)) for n in range(5, 10)]
        with held_for(place, 0.5), feeding(me) as stream:
            stream.send(message(*first), message(*second))
            wait_for(lambda: lane(me).waiting == 2)
            stream.call.cancel()
            wait_for(lambda: lane(me).waiting == 0)
        # The lane had the first, whose outcome its ids tell; the second left no trace.
        again = [each.recorded.position for each in me.ask(batch(*first)).outcomes]
        assert again == list(range(head + 1, head + 6))
        assert me.head() == head + 5


@ON_SQLITE_ALONE
def test_single_requests_do_not_wait_for_all_that_streams(place: Place) -> None:
    """What is asked for alone is decided before messages that came earlier."""
    with place.service() as me, ThreadPoolExecutor(1) as caller, feeding(me) as stream:
        many = [message(*(good() for _ in range(AT_MOST))) for _ in range(4)]
        with held_for(place, 0.5):
            stream.send(*many)
            wait_for(lambda: lane(me).waiting == 4)
            alone_ = caller.submit(me.ask, good())
            wait_for(lambda: lane(me).waiting == 5)
        last = max(stream.answer().position for _ in many)
        assert alone_.result().position < last - 2 * AT_MOST


def test_the_request_log_counts_what_a_call_carried(place: Place) -> None:
    written = io.BytesIO()
    lost = check_in("objectives/none/keyResults/none")
    with logs("json", "info", written), place.service() as me:
        position = me.ask(batch(good(), lost)).position
        with feeding(me) as stream:
            stream.send(message(good(), lost), message(lost, good(), good()))
            stream.half_close()
            assert len(stream.rest()) == 2
    entries = [json.loads(line) for line in written.getvalue().splitlines()]
    told = {each["method"].rpartition("/")[2]: each for each in entries if "requests" in each}
    assert told.keys() == {"BatchRecordCheckIns", "StreamCheckIns"}
    for method, expected in (
        ("BatchRecordCheckIns", {"requests": 2, "refused": 1, "position": position}),
        ("StreamCheckIns", {"requests": 5, "refused": 2, "position": position + 3}),
    ):
        assert told[method]["code"] == "OK"
        assert {name: told[method][name] for name in expected} == expected


def lane(me: Caller) -> Any:
    return me.ask(GetStatusRequest()).lane


def wait_for(met: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 10
    while not met():
        assert time.monotonic() < deadline
        time.sleep(0.01)


def settled(count: Callable[[], int]) -> int:
    """A count that has not changed for a while."""
    seen, since = count(), time.monotonic()
    while time.monotonic() - since < 0.3:
        time.sleep(0.02)
        if (now := count()) != seen:
            seen, since = now, time.monotonic()
    return seen
