"""Who may do what, over a channel: each method for each role, and what a refusal gives away."""

from __future__ import annotations

import io
import json
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import grpc
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc.error_details_pb2 import ErrorInfo
from google.rpc.status_pb2 import Status
from grpc import StatusCode
from grpc_status import rpc_status

from okr.v1 import ledger_service_pb2 as api
from okr.v1 import score_service_pb2 as scores
from service.identity import watching
from service.identity.watching import FileError
from service.logging import logs
from tests.api.permissions import LETTERS, LINES, Line
from tests.ground import surface
from tests.support.ask import (
    AWARENESS,
    FOLLOWERS,
    MARKETING,
    check_in,
    new,
    objective,
    propose,
    team,
    update_cycle,
    update_objective,
)
from tests.support.deciding import COMPANY, CUSTOMERS
from tests.support.identities import Callers, Files, authenticated_service
from tests.support.serving import LoopThread, refused
from tests.support.whole import Caller, whole_service

ALL: Final = tuple(LETTERS.values())
CLEO: Final = "people/cleo"
HIDDEN: Final = {
    "objectives/awareness": "objectives/revenue",
    "keyResults/followers": "keyResults/customers",
    "keyResults/traffic": "keyResults/customers",
    "objectives/eu-leads": "objectives/revenue",
    "teams/marketing": "teams/sales",
    "adjustments/of-marketing": "adjustments/waiting",
    "reviews/weekly": "reviews/of-sales",
}
"""What a request is about, and the like of it in another team."""


@pytest.fixture(scope="module")
def callers(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    with authenticated_service(loop, tmp_path_factory.mktemp("permissions")) as found:
        root = found.named("people/root", *ALL)
        root.all_of(*COMPANY)
        root.ask(propose(update_cycle(title="Quarter"), name="of-cycle"))
        yield found


def asked(request: Message) -> Message:
    """The request, which is to change nothing where it is one that changes something."""
    copy: Any = type(request)()
    copy.CopyFrom(request)
    for each in getattr(copy, "requests", [copy]):
        if "validate_only" in each.DESCRIPTOR.fields_by_name:
            each.validate_only = True
    if "reason" in copy.DESCRIPTOR.fields_by_name and not copy.reason:
        copy.reason = "why not"
    return copy  # type: ignore[no-any-return]


def refusal(caller: Caller, request: Message) -> Status | None:
    """The status that a request is refused with, inside an answer or in its place."""
    try:
        answer = caller.ask(asked(request))
    except grpc.RpcError as error:
        # What a call raises is a call as well; the types do not say so.
        call: Any = error
        found: Status | None = rpc_status.from_call(call)
        return found
    for field in ("outcomes", "acknowledgements"):
        for outcome in getattr(answer, field, ()):
            if outcome.HasField("refused"):
                return outcome.refused  # type: ignore[no-any-return]
    return None


def reason(status: Status | None) -> str:
    info = ErrorInfo()
    for detail in status.details if status else ():
        detail.Unpack(info)
    return info.reason


def may(caller: Caller, request: Message) -> bool:
    return reason(refusal(caller, request)) != "NOT_PERMITTED"


def letters(callers: Callers, line: Line, scope: str) -> str:
    """The letters of the roles that permit a request where they hold for a scope."""
    found = [
        letter
        for letter, role in LETTERS.items()
        if may(callers.named(CLEO, f"{role}:{scope}" if scope else role), line.request)
    ]
    return "".join(found)


def test_there_is_a_line_for_every_method() -> None:
    assert {name.partition(",")[0] for name in LINES} == {m.name for m in surface.methods()}
    for name, line in LINES.items():
        assert line.request.DESCRIPTOR.name == f"{name.partition(',')[0]}Request"


@pytest.mark.parametrize("name", LINES)
def test_a_method_is_for_whom_its_line_says(callers: Callers, name: str) -> None:
    line = LINES[name]
    found = Line(
        line.request,
        letters(callers, line, ""),
        letters(callers, line, MARKETING),
        letters(callers, line, "teams/sales"),
    )
    assert found[1:] == line[1:]
    assert not may(callers.named(CLEO), line.request)


@pytest.mark.parametrize("name", [name for name, line in LINES.items() if not line.elsewhere])
def test_what_is_forbidden_cannot_be_told_from_what_is_not_there(
    callers: Callers, name: str
) -> None:
    cleo = callers.named(CLEO, *(f"{role}:teams/europe" for role in ALL))
    request = LINES[name].request
    told = []
    for absent in (False, True):
        text = text_format.MessageToString(request)
        for known, other in HIDDEN.items():
            text = text.replace(known, f"{other.partition('/')[0]}/absent" if absent else other)
        about: Message = text_format.Parse(text, type(request)())
        told.append(refusal(cleo, about))
    assert told[0] is not None
    assert told[0] == told[1]
    assert told[0].code == StatusCode.PERMISSION_DENIED.value[0]


def test_a_refusal_names_the_action_and_who_lacks_the_right(callers: Callers) -> None:
    error = callers.named(CLEO, "viewer").refused(check_in())
    assert (error.code, error.reason) == (StatusCode.PERMISSION_DENIED, "NOT_PERMITTED")
    assert dict(error.info.metadata) == {"action": "RecordCheckIn", "principal": CLEO}
    assert FOLLOWERS not in error.message


def test_each_request_of_a_message_is_permitted_by_itself(callers: Callers) -> None:
    mine, foreign = check_in(on="2026-09-01"), check_in(CUSTOMERS)
    missing = check_in("objectives/absent/keyResults/absent")
    anna = callers.named(CLEO, "contributor:teams/marketing")
    head = callers.named("people/root", *ALL).head()
    answer = anna.ask(api.BatchRecordCheckInsRequest(requests=[foreign, mine, missing, mine]))
    told = [outcome.WhichOneof("outcome") for outcome in answer.outcomes]
    assert told == ["refused", "recorded", "refused", "recorded"]
    first, _, third, _ = (outcome.refused for outcome in answer.outcomes)
    assert first == third
    assert reason(first) == "NOT_PERMITTED"
    assert callers.named("people/root", *ALL).head() == head + 2


def test_a_stream_goes_on_after_requests_that_are_not_permitted(callers: Callers) -> None:
    anna = callers.named(CLEO, "contributor:teams/marketing")
    messages = [
        api.StreamCheckInsRequest(requests=[each, check_in(on="2026-09-02")])
        for each in (check_in(CUSTOMERS), check_in(on="2026-09-02"))
    ]
    method: Any = anna.channel.stream_stream("/okr.v1.LedgerService/StreamCheckIns")
    raw = (message.SerializeToString() for message in messages)
    answers = [
        api.StreamCheckInsResponse.FromString(answer)
        for answer in method(raw, timeout=20, metadata=anna.credential)
    ]
    refused = [[each.HasField("refused") for each in a.acknowledgements] for a in answers]
    assert refused == [[True, False], [False, False]]


def test_what_was_just_made_or_moved_is_decided_by(callers: Callers) -> None:
    root = callers.named("people/root", *ALL)
    asia = callers.named(CLEO, "editor:teams/asia")
    root.ask(team("asia"))
    for name in ("one", "two", "three"):
        request = objective(name, new("k", target="1"), team="teams/asia", because="more")
        root.ask(request)
        assert may(asia, check_in(f"objectives/{name}/keyResults/k"))
        root.ask(update_objective(f"objectives/{name}", team="teams/sales", because="less"))
        assert not may(asia, check_in(f"objectives/{name}/keyResults/k"))


def test_a_service_acts_for_a_person_by_the_rights_of_both(
    loop: LoopThread, tmp_path: Path
) -> None:
    with authenticated_service(loop, tmp_path, everyone=("contributor:teams/marketing",)) as here:
        here.named("people/root", *ALL).all_of(*COMPANY)
        behalf = [("okr-on-behalf-of", "people/bea")]
        bot = here.named("services/bot", "delegate", "contributor")
        assert bot.ask(check_in(on="2026-09-01"), behalf).position
        error = bot.refused(check_in("objectives/eu-leads/keyResults/none"), behalf)
        assert error.reason == "RESOURCE_NOT_FOUND"
        # It is permitted to the service and, since she owns it, to Bea.
        assert bot.ask(check_in(CUSTOMERS, "3", on="2026-09-01"), behalf).position
        error = bot.refused(check_in("objectives/absent/keyResults/none"), behalf)
        assert dict(error.info.metadata) == {"action": "RecordCheckIn", "principal": "people/bea"}
        alone = here.named("services/bot", "contributor")
        error = alone.refused(check_in(), behalf)
        assert dict(error.info.metadata) == {"action": "act_for", "principal": "services/bot"}


def test_the_request_log_tells_operators_which_policy_decided(
    loop: LoopThread, tmp_path: Path
) -> None:
    (tmp_path / "own.cedar").write_text(
        '@id("no-check-ins") forbid (principal, action == Action::"RecordCheckIn", resource);'
    )
    written = io.BytesIO()
    with (
        logs("json", "info", written),
        authenticated_service(loop, tmp_path, policy_path=tmp_path / "own.cedar") as here,
    ):
        here.named("people/root", *ALL).all_of(*COMPANY)
        forbidden = here.named(CLEO, "contributor").refused(check_in())
        assert "no-check-ins" not in str(forbidden.__dict__)
        here.named(CLEO, "viewer").refused(update_cycle(title="x"))
    entries = [json.loads(line) for line in written.getvalue().splitlines()]
    told = [entry["policy"] for entry in entries if entry.get("reason") == "NOT_PERMITTED"]
    assert told == ["no-check-ins", "none permits it"]


def test_a_server_with_broken_policies_does_not_start(loop: LoopThread, tmp_path: Path) -> None:
    broken = tmp_path / "own.cedar"
    broken.write_text("permit (principal")
    with (
        pytest.raises(FileError, match="own"),
        authenticated_service(loop, tmp_path, policy_path=broken),
    ):
        pass


def test_roles_that_a_file_takes_away_are_gone_without_a_restart(
    loop: LoopThread, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(watching, "LOOK_SECONDS", 0.02)
    with authenticated_service(loop, tmp_path, everyone=("viewer",)) as here:
        here.named("people/root", *ALL).all_of(*COMPANY)
        seen = scores.GetObjectiveRequest(name=AWARENESS)
        cleo = here.named(CLEO)
        assert may(cleo, seen)
        Files(tmp_path).roles.write_text("everyone = []")
        until = time.monotonic() + 20
        while may(cleo, seen):
            assert time.monotonic() < until
            time.sleep(0.01)


def test_without_authentication_nobody_is_asked_for_a_right(
    loop: LoopThread, tmp_path: Path
) -> None:
    with whole_service(loop, tmp_path) as me:
        me.all_of(*COMPANY)
        assert me.ask(check_in(on="2026-09-01")).position


def test_a_request_about_a_million_things_is_refused_before_they_are_decided(
    callers: Callers,
) -> None:
    """Each change of two bytes would be asked for three times, each with its own refusal."""
    editor = callers.named(CLEO, "editor")
    field = api.AdjustStrategyRequest.DESCRIPTOR.fields_by_name["changes"].number
    raw = bytes([field << 3 | 2, 0]) * 1_000_000
    error = refused(lambda: editor.post("/okr.v1.LedgerService/AdjustStrategy", raw))
    assert (error.code, error.reason) == (StatusCode.INVALID_ARGUMENT, "FIELD_INVALID")
    assert len(error.fields) == 1
    item = bytes([api.BatchRecordCheckInsRequest.DESCRIPTOR.fields_by_name["requests"].number])
    for count in (300, 200_000):
        raw = bytes([item[0] << 3 | 2, 0]) * count
        error = refused(lambda: editor.post("/okr.v1.LedgerService/BatchRecordCheckIns", raw))  # noqa: B023 - it is called at once
        assert error.reason == "FIELD_INVALID"


def test_a_stream_acknowledges_what_came_before_a_message_that_is_refused(
    callers: Callers,
) -> None:
    anna = callers.named(CLEO, "contributor:teams/marketing")
    good = api.StreamCheckInsRequest(requests=[check_in(on="2026-09-03")]).SerializeToString()
    method: Any = anna.channel.stream_stream("/okr.v1.LedgerService/StreamCheckIns")
    answers = method(iter([good, b"\xff"]), timeout=20, metadata=anna.credential)
    first = api.StreamCheckInsResponse.FromString(next(answers))
    assert first.acknowledgements[0].position
    error = refused(lambda: next(answers))
    assert error.code is StatusCode.INVALID_ARGUMENT
