"""Private objectives over a channel: outsiders get nothing of them, insiders and auditors all."""

from __future__ import annotations

from base64 import urlsafe_b64decode
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Final

import grpc
import pytest
from google.protobuf import text_format
from google.protobuf.message import Message
from google.rpc.status_pb2 import Status
from grpc_status import rpc_status

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import score_service_pb2 as scores
from okr.v1.values_pb2 import AsOf
from tests.api.permissions import LETTERS
from tests.api.secrets import MARKS, MERGER, plan, quarter
from tests.support.ask import Q3, day
from tests.support.identities import Callers, authenticated_service
from tests.support.questions import questions
from tests.support.serving import LoopThread
from tests.support.whole import Caller, path_of

MARKETING: Final = MARKS["marketing"]
SALES: Final = MARKS["sales"]


@dataclass(frozen=True)
class Told:
    """The story's ledger, and who reads it: all and what each asks."""

    callers: Callers
    auditor: Caller
    outsider: Caller
    marketer: Caller
    midway: AsOf
    asked: Sequence[Message]


@pytest.fixture(scope="module")
def told(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Told]:
    with authenticated_service(loop, tmp_path_factory.mktemp("private")) as callers:
        root = callers.named("people/root", *LETTERS.values())
        root.all_of(*plan())
        planned = root.head()
        root.all_of(*quarter())
        auditor = callers.named("people/audrey", "auditor")
        auditor.token = root.token
        outsider = callers.named("people/olga", "viewer")
        marketer = callers.named("people/mark", "contributor:teams/marketing", "viewer")
        head = root.head()
        asked = questions(auditor, [planned + 12, head], 2)
        midway = AsOf(position=planned + 12, effective_at=day("2024-09-02"))
        yield Told(callers, auditor, outsider, marketer, midway, asked)


def answer(caller: Caller, request: Message) -> bytes:
    """The bytes of an answer, or of the status that a request is refused with."""
    try:
        return caller.send(request)
    except grpc.RpcError as error:
        call: Any = error
        return b"" if (status := rpc_status.from_call(call)) is None else status.SerializeToString()


def says(content: Message | bytes, *marks: bytes) -> bool:
    raw = content if isinstance(content, bytes) else content.SerializeToString()
    return any(mark in raw for mark in marks)


def test_an_outsider_is_told_nothing_of_what_is_private(told: Told) -> None:
    """Neither an id, a title nor a note is in any byte of any answer."""
    leaks = [
        request
        for request in told.asked
        if not says(request, *MARKS.values())
        and says(answer(told.outsider, request), *MARKS.values())
    ]
    assert leaks == []


def test_an_auditor_is_told_all_of_it(told: Told) -> None:
    found = {
        type(request).__name__
        for request in told.asked
        if not says(request, *MARKS.values())
        and says(answer(told.auditor, request), *MARKS.values())
    }
    assert len(found) > 20


def test_one_of_the_team_is_told_what_is_its_own(told: Told) -> None:
    own = others = 0
    for request in told.asked:
        if says(request, SALES):
            continue
        said = answer(told.marketer, request)
        own += says(said, MARKETING)
        others += says(said, SALES)
    assert own > 50
    assert others == 0


def test_what_is_hidden_cannot_be_told_from_what_is_not_there(told: Told) -> None:
    compared = 0
    for request in told.asked:
        if not says(request, *MARKS.values()):
            continue
        text = text_format.MessageToString(request)
        for own, other in (("zebra-", "other-"), ("yacht-", "third-")):
            text = text.replace(own, other)
        absent: Any = text_format.Parse(text, type(request)())
        there = answer(told.outsider, request)
        missing = answer(told.outsider, absent)
        assert there.replace(b"zebra-", b"other-").replace(b"yacht-", b"third-") == missing, request
        compared += 1
    assert compared > 50


def test_numbers_are_the_same_for_all(told: Told) -> None:
    for team in ("", "teams/company", "teams/marketing", "teams/sales"):
        request = scores.GetScorecardRequest(cycle=Q3, team=team)
        seen, whole = (who.ask(request).scorecard for who in (told.outsider, told.auditor))
        assert len(seen.objectives) < len(whole.objectives)
        assert list(seen.teams) == list(whole.teams)
        shown = {line.objective.name: line for line in seen.objectives}
        for line in whole.objectives:
            if line.objective.name in shown:
                same = shown[line.objective.name]
                assert (same.score, same.original_score) == (line.score, line.original_score)
        del seen.objectives[:], whole.objectives[:]
        for card in (seen, whole):
            card.ClearField("seal")
            card.ClearField("amendments")
        assert seen == whole


def test_pages_do_not_tell_how_much_is_hidden(told: Told) -> None:
    def pages(of: Caller, request: Any) -> list[Any]:
        found = [of.ask(request)]
        while found[-1].next_page_token:
            request.page_token = found[-1].next_page_token
            found.append(of.ask(request))
        return found

    for request, field in (
        (audit.ListEventsRequest(page_size=3), "events"),
        (audit.ListEventsRequest(page_size=3, filter="team:* OR reason:*"), "events"),
        (scores.ListObjectivesRequest(cycle=Q3, page_size=1), "objectives"),
        (scores.ListLessonsRequest(cycle=Q3, page_size=1), "lessons"),
        (scores.ListDeviationsRequest(cycle=Q3, page_size=1, as_of=told.midway), "deviations"),
        (scores.ListDueCheckInsRequest(cycle=Q3, page_size=1, as_of=told.midway), "due_check_ins"),
        (audit.ListAdjustmentsRequest(cycle=Q3, page_size=1), "adjustments"),
        (audit.ListScoreChangesRequest(subject=Q3, page_size=2), "changes"),
        (
            audit.ListKeyResultRevisionsRequest(
                parent="objectives/-/keyResults/-", cycle=Q3, page_size=2
            ),
            "revisions",
        ),
    ):
        found = pages(told.outsider, request)
        sizes = [len(getattr(page, field)) for page in found]
        assert all(size == request.page_size for size in sizes[:-1]), request
        assert sizes[-1]
        assert not any(says(page, *MARKS.values()) for page in found)
        tokens = [page.next_page_token for page in found]
        assert not any(says(urlsafe_b64decode(f"{token}==="), *MARKS.values()) for token in tokens)


def test_a_filter_finds_nothing_by_what_is_hidden(told: Told) -> None:
    for text in (
        f"subject : {MERGER}",
        "reason : zebra",
        f'stream = "{MERGER}"',
        "adjustment = adjustments/hidden",
    ):
        request = audit.ListEventsRequest(filter=text, page_size=1)
        assert len(told.auditor.ask(request).events) == 1
        found = told.outsider.ask(request)
        assert (len(found.events), found.next_page_token) == (0, "")
    for text in (f"subject : {MERGER}", "reason : zebra", "subject : objectives/zebra-proposed"):
        adjustments = audit.ListAdjustmentsRequest(cycle=Q3, filter=text)
        assert told.auditor.ask(adjustments).adjustments
        assert not told.outsider.ask(adjustments).adjustments


def test_no_filter_tells_what_else_an_event_or_adjustment_is_about(told: Told) -> None:
    """One proposal is about sales for those alone who see what is private there."""
    both = replay.WatchEventsRequest(after_position=0, team="teams/sales", checkpoint_seconds=1)
    made = "okr.v1.AdjustmentProposed"

    def proposals(of: Caller) -> list[str]:
        found: list[str] = []
        with of.watch(both) as passed:
            for each in passed:
                found += [e.header.stream for e in each.events if e.header.event_type == made]
                if each.caught_up:
                    return found
        return found

    assert proposals(told.auditor) == ["adjustments/asked-both", "adjustments/asked-sales"]
    assert proposals(told.outsider) == ["adjustments/asked-both"]


def test_a_watch_leaves_out_what_is_hidden_and_goes_on(told: Told) -> None:
    head = told.auditor.ask(audit.ListEventsRequest(page_size=1)).position
    for stream in ("", MERGER):
        request = replay.WatchEventsRequest(after_position=0, stream=stream, checkpoint_seconds=1)
        events = []
        with told.outsider.watch(request) as passed:
            for each in passed:
                assert not says(each, *MARKS.values())
                events += each.events
                if each.caught_up:
                    break
        assert each.position == head
        assert bool(events) == (not stream)
        assert len(events) < head


@pytest.mark.parametrize("step", ["DAY", "WEEK", "EVENT"])
def test_a_replay_shows_no_frame_of_what_is_hidden(told: Told, step: str) -> None:
    request = replay.ReplayCycleRequest(
        cycle=Q3, step=replay.ReplayStep.Value(f"REPLAY_STEP_{step}")
    )
    with told.outsider.watch(request) as frames, told.auditor.watch(request) as all_frames:
        for frame, whole in zip(frames, all_frames, strict=True):
            assert not says(frame, *MARKS.values())
            card, full = frame.frame.scorecard, whole.frame.scorecard
            assert (card.score, list(card.teams)) == (full.score, list(full.teams))


def test_watched_scores_are_those_of_what_is_shown_and_of_the_roots(told: Told) -> None:
    request = replay.WatchScoresRequest(cycle=Q3)
    with told.outsider.watch(request) as moved:
        first = next(moved)
    assert first.scorecard.objectives
    assert not says(first, *MARKS.values())


def test_an_event_that_mentions_what_is_hidden_has_no_bytes(told: Told) -> None:
    request = audit.ListEventsRequest(event_types=["okr.v1.CycleSealed"])
    (shown,) = told.outsider.ask(request).events
    (whole,) = told.auditor.ask(request).events
    assert (shown.payload, shown.header) == (b"", whole.header)
    assert whole.payload


def test_no_step_of_an_explanation_is_of_a_hidden_event(told: Told) -> None:
    shown = {e.header.position for e in told.outsider.ask(audit.ListEventsRequest()).events}
    for name in ("cycles/q3", "teams/marketing", "objectives/revenue", "objectives/awareness"):
        of_team = Q3 if name.startswith("teams/") else ""
        request = scores.ExplainScoreRequest(name=name, cycle=of_team)
        steps = told.outsider.ask(request).explanation.steps
        assert {step.event_position for step in steps} - {0} <= shown


def test_the_paths_of_all_reads_were_asked(told: Told) -> None:
    paths = {path_of(request) for request in told.asked}
    assert len(paths) > 35


def test_a_hidden_event_or_lesson_is_not_there(told: Told) -> None:
    everything = audit.ListEventsRequest(page_size=1000)
    shown = {each.name for each in told.outsider.ask(everything).events}
    hidden = [e.name for e in told.auditor.ask(everything).events if e.name not in shown]
    assert len(hidden) > 20
    for kind, names, absent in (
        (audit.GetEventRequest, hidden, "events/99999"),
        (scores.GetLessonRequest, ["cycles/q3/lessons/1"], "cycles/q3/lessons/9"),
        (scores.GetAmendmentRequest, ["cycles/q3/amendments/1"], "cycles/q3/amendments/9"),
    ):
        missing = answer(told.outsider, kind(name=absent))
        for name in names:
            there = answer(told.outsider, kind(name=name))
            assert said(there, name) == said(missing, absent)


def said(raw: bytes, name: str) -> str:
    """A refusal as text, without the name that was asked for."""
    return text_format.MessageToString(Status.FromString(raw)).replace(name, "NAME")
