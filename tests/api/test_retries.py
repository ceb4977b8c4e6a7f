"""Every write can be asked twice, tried without effect, and asked again after a restart."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Final
from uuid import NAMESPACE_OID, uuid5

from google.protobuf.message import Message

from ledger.rpc import BULK
from okr.v1 import score_service_pb2 as scores
from okr.v1.ledger_service_pb2 import ApproveAdjustmentRequest
from tests.support.ask import (
    AWARENESS,
    TRAFFIC,
    WHY,
    abandon,
    add,
    adjust,
    align,
    amend,
    approve,
    carry_over,
    check_in,
    close,
    commit,
    correct,
    cycle,
    drop,
    grade,
    lesson,
    new,
    objective,
    propose,
    register,
    regrade,
    reject,
    reopen,
    restore,
    retire,
    retract,
    review,
    revise,
    team,
    unalign,
    update_cycle,
    update_objective,
    update_team,
)
from tests.support.serving import LoopThread
from tests.support.whole import METHODS, Caller, Metadata, request_types, whole_service

REVENUE: Final = "objectives/revenue"
WRITES: Final = request_types("okr.v1.LedgerService").keys() - BULK
"""`test_bulk` holds the others to the same."""


def quarter() -> list[Any]:
    """A request of every method, each accepted after those before it; ids are the server's too."""
    steps: list[Any] = [
        *(cycle(first="2024-07-01", last="2024-09-30"), team(), team("sales"), team("old")),
        register(""),
        *(update_team("teams/sales", title="Értékesítés"), retire("teams/old")),
        *(objective(), objective("revenue", new("customers", target="20"), team="teams/sales")),
        *(objective("doomed"), update_cycle(title="III. negyedév"), commit()),
        *(align(AWARENESS, REVENUE, because=WHY), unalign(AWARENESS, REVENUE, because=WHY)),
        *(check_in(value="1100", on="2024-07-08"), check_in(TRAFFIC, "2", on="2024-07-08")),
        *(correct(value="1120"), retract(1, TRAFFIC)),
        *(revise(target="1300", mask=("target", "target_change_percent"), because=WHY),),
        *(add("", title="Hírlevél", target="5", because=WHY), drop(TRAFFIC, because=WHY)),
        *(restore(TRAFFIC, because=WHY), update_objective(title="Ismertség", because=WHY)),
        adjust(
            revise(target="1250"),
            add("", title="Podcast", target="7"),
            align(AWARENESS, REVENUE),
            name="",
        ),
        *(propose(drop(TRAFFIC), name="rejected"), reject("rejected")),
        propose(revise(TRAFFIC, target="12"), add("", title="Rádió", target="3"), name="approved"),
        approve("approved"),
        *(abandon("objectives/doomed", because=WHY), grade(on="2024-09-30")),
        regrade(override_score="0.5", on="2024-09-30", because=WHY),
        *(cycle("q4", first="2024-10-01", last="2024-12-31"), review("q3", participants=["Évi"])),
        *(objective("next", cycle="cycles/q4", bare=True), carry_over(TRAFFIC, baseline="2")),
        *(lesson(AWARENESS, review="reviews/q3"), close(), amend(TRAFFIC), reopen()),
    ]
    for number, step in enumerate(steps):
        step.request_id = str(uuid5(NAMESPACE_OID, str(number)))
    return steps


def asker(step: Message) -> Metadata:
    """Who asks for a step: nobody approves their own proposal."""
    return [("okr-actor", "people/bea")] if isinstance(step, ApproveAdjustmentRequest) else []


def test_the_quarter_has_a_request_of_every_method() -> None:
    asked = {METHODS[step.DESCRIPTOR.full_name].name for step in quarter()}
    # An erasure is to change what was answered before: tests/api/test_erasure.py.
    assert asked == WRITES - {"ErasePerson"}
    assert len(WRITES) == 32


def test_the_same_request_gets_the_same_bytes_for_ever(loop: LoopThread, tmp_path: Path) -> None:
    with whole_service(loop, tmp_path) as me:
        answers = []
        for step in quarter():
            answers.append(me.send(step, asker(step)))
            assert me.send(step, asker(step)) == answers[-1], step
        head = me.head()
        assert [me.send(step, asker(step)) for step in quarter()] == answers
    with whole_service(loop, tmp_path) as me:
        assert [me.send(step, asker(step)) for step in quarter()] == answers
        assert me.head() == head
        # What came later does not show in an answer that is given again.
        me.ask(update_team("teams/sales", title="Else"))
        me.ask(check_in(f"{REVENUE}/keyResults/customers", "1", on="2024-07-09"))
        assert [me.send(step, asker(step)) for step in quarter()] == answers
        assert me.head() == head + 2


def test_validate_only_answers_as_the_real_request_and_writes_nothing(me: Caller) -> None:
    for step in quarter():
        before = me.head()
        tried = like(step)
        tried.validate_only = True
        foreseen = me.ask(tried, asker(step))
        assert me.head() == before
        assert foreseen.position == before
        done = me.ask(step, asker(step))
        assert timeless(foreseen) == timeless(done), step
        assert done.position > before


def test_validate_only_is_refused_as_the_real_request_is(furnished: Caller) -> None:
    before = furnished.head()
    taken = team()
    taken.validate_only = True
    assert furnished.refused(taken).reason == "RESOURCE_EXISTS"
    outside = check_in(on="2024-06-30", validate_only=True)
    assert furnished.refused(outside).reason == "DAY_OUTSIDE_CYCLE"
    assert furnished.head() == before


def test_a_validated_write_can_be_read_by_its_token(me: Caller) -> None:
    me.ask(team())
    request = team("x")
    request.validate_only = True
    token = me.ask(request).token
    listed = me.ask(scores.ListTeamsRequest(at_least_as_fresh=token)).teams
    assert [each.name for each in listed] == ["teams/marketing"]


def like(request: Message) -> Any:
    """A copy."""
    copied = type(request)()
    copied.CopyFrom(request)
    return copied


def timeless(answer: Message) -> Any:
    """The answer without its position, token, and the times and positions of its events."""
    stripped = like(answer)
    clear(stripped, ("position", "token", "recorded_time"))
    return stripped


def clear(message: Any, names: tuple[str, ...]) -> None:
    """Clears the fields of these names at any depth."""
    for field, value in message.ListFields():
        if field.name in names:
            message.ClearField(field.name)
        elif field.message_type is not None:
            for each in value if field.is_repeated else [value]:
                clear(each, names)
