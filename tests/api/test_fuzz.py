"""Whatever a request holds, the service answers or refuses it; it never fails."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

import grpc
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import Message
from google.protobuf.message_factory import GetMessageClass
from google.type.date_pb2 import Date
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import score_service_pb2 as scores
from okr.v1.ledger_service_pb2 import BatchRecordCheckInsRequest, StreamCheckInsRequest
from okr.v1.operations_service_pb2 import GetStatusRequest
from okr.v1.plan_comparison_pb2 import PlanInstant
from okr.v1.replay_service_pb2 import (
    REPLAY_STEP_DAY,
    ReplayCycleRequest,
    WatchEventsRequest,
    WatchScoresRequest,
)
from okr.v1.values_pb2 import AsOf, ScoringPolicy
from tests.api.case import BINARY, CUSTOMERS, NEWSLETTER, PACE, PLANNED, REVENUE, STEPS, TRAFFIC
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    Q3,
    SUPPORTS,
    WHY,
    add,
    adjust,
    align,
    check_in,
    completed,
    correct,
    cycle,
    day,
    drop,
    grade,
    instant,
    new,
    objective,
    phased,
    regrade,
    restore,
    retract,
    revise,
    team,
    unalign,
    update_cycle,
    update_objective,
    update_team,
)
from tests.support.serving import Refused
from tests.support.whole import METHODS, Caller

DEEPEST: Final = 5
NAMES: Final = (
    *(Q3, "cycles/now", "cycles/draft", "cycles/approved", "cycles/none"),
    *("teams/marketing", "teams/sales", "teams/old", "teams/company", "teams/europe"),
    *(AWARENESS, REVENUE, "objectives/graded", "objectives/given-up", "objectives/planned"),
    *(FOLLOWERS, TRAFFIC, NEWSLETTER, CUSTOMERS, BINARY, STEPS, PLANNED, PACE),
    *(f"{FOLLOWERS}/checkIns/1", f"{FOLLOWERS}/checkIns/{10**18 - 1}", f"{FOLLOWERS}/revisions/1"),
    *("adjustments/first", "events/1", "one", "new-one", "standard", "ipfs", "Europe/Budapest"),
)
WORDS: Final = (
    *("0", "1", "-1.5", "+3", "999999999999999999.999999999", "0.000000001", "NaN", "1e5", "1/0"),
    *("okr.v1.CheckInRecorded", "title", "target", "owner", "policy", "7b0f2f5e-5a0c-4a53-9d53"),
    *("", " ", "\0", "\u202e", "é" * 4001, "🚀", "'; DROP TABLE events; --", "%s", "{}", "../.."),
)
DAYS: Final = ("2024-07-01", "2024-07-08", "2024-08-05", "2024-09-30", "2024-10-06", "9999-12-31")

AS_OF: Final = AsOf(position=20, effective_at=day("2024-08-05"))
SOUND: Final = (
    *(cycle("", policy={"name": "own", "clamp": "CLAMP_NONE"}, grace_days=3), team("")),
    *(update_team("teams/sales", title="Else"), update_cycle("cycles/draft", title="Else")),
    *(objective("", new("", target="5"), because=WHY), update_objective(title="x", because=WHY)),
    add("", target="9", trajectory=phased(("2024-08-01", "4"), ("2024-09-30", "9")), because=WHY),
    add("", metric="METRIC_ZONES", stretch="9", owner={"plain": "people/a"}, because=WHY),
    add("", direction="DIRECTION_MAINTAIN_WITHIN", lower_bound="1", upper_bound="3", because=WHY),
    *(revise(target="77", because=WHY), restore(NEWSLETTER, because=WHY)),
    *(align(TRAFFIC, "objectives/measures", SUPPORTS, because=WHY), retract(1)),
    unalign(AWARENESS, REVENUE, because=WHY),
    *(check_in(on="2024-07-08", confidence=7, note="x", instant=instant(1_720_432_800)),),
    *(check_in(STEPS, completed("one"), on="2024-07-08"), correct(value="3", on="2024-07-09")),
    BatchRecordCheckInsRequest(
        requests=[check_in(on="2024-07-08"), check_in(BINARY, "1", on="2024-07-08")]
    ),
    StreamCheckInsRequest(
        requests=[check_in(on="2024-07-08", note="x"), check_in(CUSTOMERS, "2", on="2024-07-08")]
    ),
    adjust(add("", target="1"), revise(TRAFFIC, target="7"), drop(CUSTOMERS), name=""),
    *(grade("objectives/measures", on="2024-09-30", override_score="0.3", because=WHY),),
    regrade("objectives/graded", on="2024-09-30"),
    scores.GetScorecardRequest(cycle=Q3, team="teams/sales", as_of=AS_OF),
    scores.GetKeyResultRequest(name=FOLLOWERS, as_of=AS_OF),
    scores.ListCheckInsRequest(parent=FOLLOWERS, as_of=AS_OF, page_size=1),
    scores.ListAlignmentsRequest(cycle=Q3, as_of=AS_OF),
    scores.ExplainScoreRequest(name="teams/sales", cycle=Q3, as_of=AS_OF),
    audit.ListKeyResultRevisionsRequest(parent=NEWSLETTER, after_plan_commitment=True),
    audit.ListAdjustmentsRequest(cycle=Q3, as_of=AS_OF),
    scores.SimulatePolicyRequest(cycle=Q3, policy=ScoringPolicy(name="ipfs"), as_of=AS_OF),
    audit.ComparePlansRequest(cycle=Q3, team="teams/sales", after=PlanInstant(as_of=AS_OF)),
    audit.ListEventsRequest(stream=AWARENESS, newest_first=True, after_position=3, page_size=2),
    WatchScoresRequest(cycle=Q3, team="teams/sales", checkpoint_seconds=1),
    ReplayCycleRequest(cycle=Q3, step=REPLAY_STEP_DAY, first_day=day("2024-08-05"), as_of=AS_OF),
    WatchEventsRequest(after_position=3, team="teams/sales", cycle=Q3, checkpoint_seconds=1),
)
"""Requests that the furnished ledger accepts, or has accepted."""

NUMBERS: Final = {
    FieldDescriptor.TYPE_INT32: (-(2**31), 2**31 - 1),
    FieldDescriptor.TYPE_INT64: (-(2**63), 2**63 - 1),
    FieldDescriptor.TYPE_ENUM: (-1, 12),
}

texts = st.one_of(
    st.sampled_from(NAMES),
    st.sampled_from(WORDS),
    st.text(max_size=30),
    st.integers(-(10**20), 10**20).map(str),
)
days = st.one_of(
    st.sampled_from(DAYS).map(day),
    st.builds(
        Date, year=st.integers(-1, 10_000), month=st.integers(-1, 13), day=st.integers(-1, 32)
    ),
)


def scalar(field: FieldDescriptor) -> SearchStrategy[Any]:
    """Values of a field that holds no message: ordinary, at the ends of its range, and beyond."""
    if field.type in NUMBERS:
        least, most = NUMBERS[field.type]
        small = st.integers(max(least, -2), min(most, 30))
        return st.one_of(small, st.integers(least, most), st.sampled_from((least, most)))
    if field.type == FieldDescriptor.TYPE_BOOL:
        return st.booleans()
    if field.type == FieldDescriptor.TYPE_BYTES:
        return st.binary(max_size=20)
    assert field.type == FieldDescriptor.TYPE_STRING, field.full_name
    return texts


@st.composite
def messages(draw: DrawFn, of: Descriptor, depth: int = 0) -> Any:
    """Messages of a type, each field filled or not."""
    if of.full_name == Date.DESCRIPTOR.full_name:
        return draw(days)
    message: Any = GetMessageClass(of)()
    for field in of.fields:
        if draw(st.integers(0, 3)) and (depth < DEEPEST or field.message_type is None):
            fill(draw, message, field, depth)
    return message


def fill(draw: DrawFn, message: Any, field: FieldDescriptor, depth: int) -> None:
    """Gives a field another value."""
    within = field.message_type
    kind = scalar(field) if within is None else messages(within, depth + 1)
    message.ClearField(field.name)
    if field.is_repeated:
        getattr(message, field.name).extend(draw(st.lists(kind, max_size=3)))
    elif within is not None:
        getattr(message, field.name).CopyFrom(draw(kind))
    else:
        setattr(message, field.name, draw(kind))


@st.composite
def altered(draw: DrawFn) -> Any:
    """Requests that would do, but for one or two fields."""
    sound = draw(st.sampled_from(SOUND))
    request: Any = type(sound)()
    request.CopyFrom(sound)
    for _ in range(draw(st.integers(1, 2))):
        part = draw(st.sampled_from(list(parts(request))))
        fields: list[Any] = list(part.DESCRIPTOR.fields)
        fill(draw, part, draw(st.sampled_from(fields)), DEEPEST - 1)
    return request


def parts(message: Message) -> Iterator[Message]:
    """A message that has fields, and all such messages in it."""
    if message.DESCRIPTOR.fields:
        yield message
    for field, value in message.ListFields():
        if field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                yield from parts(each)


requests = st.one_of(
    altered(),
    altered(),
    st.sampled_from(sorted(METHODS)).flatmap(lambda name: messages(METHODS[name].input_type)),
)


@settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    database=None,
    phases=[Phase.generate, Phase.shrink],
    suppress_health_check=list(HealthCheck),
)
@given(request=requests)
def test_no_request_makes_the_service_fail(furnished: Caller, request: Message) -> None:
    before = furnished.head()
    try:
        furnished.send(request)
    except grpc.RpcError as error:
        told = Refused(error)
        assert told.code not in (grpc.StatusCode.INTERNAL, grpc.StatusCode.UNKNOWN), request
        assert told.reason, request
        assert furnished.head() == before


def test_whatever_was_accepted_can_be_read(furnished: Caller) -> None:
    for projection in furnished.ask(GetStatusRequest()).projections:
        assert projection.stopped_position == 0
    for cycle_ in furnished.ask(scores.ListCyclesRequest(page_size=1000)).cycles:
        card = furnished.ask(scores.GetScorecardRequest(cycle=cycle_.name)).scorecard
        MessageToJson(card)
        furnished.ask(scores.ListAlignmentsRequest(cycle=cycle_.name))
        furnished.ask(audit.ListAdjustmentsRequest(cycle=cycle_.name))
        for line in card.objectives:
            for name in line.objective.key_results:
                furnished.ask(scores.ListCheckInsRequest(parent=name))
                furnished.ask(audit.ListKeyResultRevisionsRequest(parent=name))
    MessageToJson(furnished.ask(audit.ListEventsRequest(page_size=1000)))
