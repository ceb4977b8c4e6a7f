"""Every read, at random pairs of instants and of random subjects, held against the model."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from difflib import unified_diff
from random import Random
from typing import Any

import grpc
from google.protobuf.message import Message

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import plan_comparison_pb2 as plan_comparison
from okr.v1 import replay_service_pb2 as replay
from okr.v1 import resources_pb2 as resources
from okr.v1 import score_service_pb2 as scores
from okr.v1.explanation_pb2 import ScoreKind, ScoreStep
from tests.model import attribution, plans, replays
from tests.model.asking import MOST, Asked, Asking, Question
from tests.model.known import Absent, Fact
from tests.model.numbers import number, shown
from tests.model.reads import ANSWERS
from tests.model.shapes import KEY_RESULTS, by_level
from tests.model.standing import Standing, Three
from tests.support.evaluator import evaluated
from tests.support.serving import Refused
from tests.support.whole import Caller


class Comparison:
    """Asks the service about what the raw events say, and says where the two differ."""

    def __init__(
        self, me: Caller, facts: Sequence[Fact], chance: Random, now: Callable[[], int]
    ) -> None:
        self.me, self.facts = me, facts
        self.asking = Asking(facts, chance, now)
        self.answered = 0
        """How many reads were answered, by both alike."""

    def run(self, kinds: Sequence[type[Message]], rounds: int) -> None:
        """Asks each kind of read so many times.

        Raises:
            AssertionError: the service and the model differ.
        """
        for _ in range(rounds):
            for kind in kinds:
                if kind is scores.ExplainScoreRequest:
                    self._explained()
                elif kind is audit.AttributeScoreRequest:
                    attribution.attributed(self.me, self.asking)
                elif kind is replay.ReplayCycleRequest:
                    replays.replayed(self.me, self.asking, bare)
                elif kind is audit.ComparePlansRequest:
                    request, expected = plans.random_comparison(self.asking)
                    self._same(request, self._answer(request), expected)
                else:
                    self._compared(kind)

    def _compared(self, kind: type[Message]) -> None:
        """The whole answer to a random question."""
        question = self.asking.question(kind)
        request, asked = question.request, self.asking.instants(question)
        try:
            expected: Message | None = ANSWERS[kind](request, asked.at)
        except Absent:
            expected = None
        request.as_of.CopyFrom(asked.as_of)
        answer = self._answer(request)
        if answer is not None and getattr(request, "page_size", 0) == MOST:
            answer = self._by_pages(request, answer)
        assert (answer is None) == (expected is None), (
            f"{request.DESCRIPTOR.name}: read {answer}, model {expected}, of\n{request}"
        )
        if answer is None or expected is None:
            return
        assert answer.position == asked.at.known.position, f"{request}"
        self._same(request, answer, expected)

    def _same(self, request: Message, answer: Message, expected: Message) -> None:
        """What was answered is what the model says."""
        served, told = bare(answer), bare(expected)
        if served != told:
            lines = unified_diff(str(told).splitlines(), str(served).splitlines(), "model", "read")
            raise AssertionError("\n".join([request.DESCRIPTOR.name, str(request), *lines]))
        self.answered += 1

    def _answer(self, request: Message) -> Any:
        """The answer; None where the service knows no such thing."""
        try:
            return self.me.ask(request)
        except grpc.RpcError as error:
            if Refused(error).code != grpc.StatusCode.NOT_FOUND:
                raise
            return None

    def _by_pages(self, request: Any, whole: Any) -> Any:
        """The same list in pages, which is the same."""
        (items,) = (f.name for f in whole.DESCRIPTOR.fields if f.is_repeated)
        count = len(getattr(whole, items))
        request.page_size = max(1, -(-count // self.asking.chance.randint(1, 4)))
        pages = self.me.ask(request)
        while pages.next_page_token:
            request.page_token = pages.next_page_token
            page = self.me.ask(request)
            pages.next_page_token = ""
            pages.MergeFrom(page)
        assert pages == whole, f"{request}"
        return pages

    def _explained(self) -> None:
        """Following the steps of an explanation gives the model's score."""
        name, cycle, since = self.asking.scored()
        kind = self.asking.chance.choice(ScoreKind.values())
        asked = self.asking.instants(Question(None, cycle, since))
        request = scores.ExplainScoreRequest(name=name, kind=kind, as_of=asked.as_of)
        if name.startswith("teams/"):
            request.cycle = cycle
        expected, answer = shown_scores(asked, name, cycle), self._answer(request)
        assert (answer is None) == (expected is None), f"{expected}\n{request}"
        if answer is None or expected is None:
            return
        wanted, explained = expected[max(kind - 1, 0)], answer.explanation
        served = explained.score if explained.HasField("score") else None
        found = evaluated(explained)
        assert served == shown(wanted), f"read {served}, model {shown(wanted)}, of\n{request}"
        assert (None if found is None else number(str(found))) == wanted, f"{request}"
        for step in explained.steps:
            if step.event_position:
                assert asked.at.known.position >= step.event_position
                self._recorded(step)
        self.answered += 1

    def _recorded(self, step: ScoreStep) -> None:
        """The event behind a leaf says what the leaf says."""
        told: Any = self.facts[step.event_position - 1].payload
        for part in step.field.split(".") if step.field else ():
            name, _, index = part.rstrip("]").partition("[")
            told = getattr(told, name)
            told = told[int(index)] if index else told
        if step.HasField("value"):
            assert told == step.value, f"{step}{told}"


def shown_scores(asked: Asked, name: str, cycle: str) -> Three | None:
    """The scores that a scorecard shows, also of what does not count; None of what is absent."""
    known = asked.at.known
    if not known.of(cycle):
        return None
    standing = Standing(known, asked.at.day_in(cycle))
    if not name.startswith("objectives/"):
        return standing.score(name, cycle)
    objective = standing.objective(name.partition(KEY_RESULTS)[0])
    line = standing.key_result(name) if KEY_RESULTS in name else objective
    return line.scores if line and objective else None


def bare(answer: Message) -> Message:
    """An answer without what follows from no event, and in one order where none is told."""
    found: Any = type(answer)()
    found.CopyFrom(answer)
    for name in ("position", "token", "next_page_token"):
        if name in found.DESCRIPTOR.fields_by_name:
            found.ClearField(name)
    _strip(found)
    return found  # type: ignore[no-any-return]  # as it was given


def _strip(message: Any) -> None:
    match message:
        case resources.Cycle() | resources.Team() | resources.Objective():
            message.ClearField("etag")
        case resources.ObjectiveScore():
            message.children.sort(key=lambda child: child.name)
        case plan_comparison.PlanChange():
            for edges in (message.alignments_before, message.alignments_after):
                edges.sort(key=lambda edge: (edge.parent, edge.kind))
        case resources.Adjustment():
            levels = [by_level(effect.name)[0] for effect in message.effects]
            assert levels == sorted(levels), "key results first, then objectives, teams, the cycle"
            message.effects.sort(key=lambda effect: by_level(effect.name))
    for field, value in message.ListFields():
        if field.type == field.TYPE_MESSAGE:
            for each in value if field.is_repeated else (value,):
                _strip(each)
