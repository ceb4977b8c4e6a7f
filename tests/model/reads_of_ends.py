"""What reads of seals, amendments, reviews and lessons have to answer."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from google.protobuf.message import Message

from okr.v1 import resources_pb2 as resources
from okr.v1 import score_service_pb2 as scores
from tests.model.known import Fact
from tests.model.shapes import Instants, amendment, lesson, named, review, seal


def _seals(at: Instants, cycle_name: str) -> list[resources.Seal]:
    reopened = {f.payload.seal: f for f in at.known.of(cycle_name, "CycleReopened")}
    sealed = at.known.of(cycle_name, "CycleSealed")
    return [seal(f, reopened.get(f.payload.number)) for f in sealed if at.holds(f)]


def list_seals(request: scores.ListSealsRequest, at: Instants) -> Message:
    at.known.cycle(request.cycle)
    return scores.ListSealsResponse(seals=_seals(at, request.cycle))


def get_seal(request: scores.GetSealRequest, at: Instants) -> Message:
    found = _seals(at, request.name.partition("/seals/")[0])
    return scores.GetSealResponse(seal=named(found, request.name))


def _said(at: Instants, cycle_name: str, kind: str, show: Callable[[Fact], Any]) -> list[Any]:
    """What was recorded about a cycle, in order."""
    at.known.cycle(cycle_name)
    found = [f for f in at.known.events if f.kind == kind and f.payload.cycle == cycle_name]
    return [show(fact) for fact in found if at.holds(fact)]


def list_amendments(request: scores.ListAmendmentsRequest, at: Instants) -> Message:
    found = _said(at, request.cycle, "AmendmentRecorded", amendment)
    wanted = [each for each in found if request.subject in ("", each.subject)]
    return scores.ListAmendmentsResponse(amendments=wanted)


def get_amendment(request: scores.GetAmendmentRequest, at: Instants) -> Message:
    of = request.name.partition("/amendments/")[0]
    found = _said(at, of, "AmendmentRecorded", amendment)
    return scores.GetAmendmentResponse(amendment=named(found, request.name))


def list_reviews(request: scores.ListReviewsRequest, at: Instants) -> Message:
    found = _said(at, request.cycle, "ReviewHeld", review)
    wanted = [each for each in found if request.team in ("", each.team)]
    return scores.ListReviewsResponse(reviews=wanted)


def get_review(request: scores.GetReviewRequest, at: Instants) -> Message:
    found = [review(f) for f in at.known.events if f.kind == "ReviewHeld" and at.holds(f)]
    return scores.GetReviewResponse(review=named(found, request.name))


def list_lessons(request: scores.ListLessonsRequest, at: Instants) -> Message:
    found = _said(at, request.cycle, "LessonRecorded", lesson)
    wanted = [each for each in found if request.subject in ("", each.subject)]
    return scores.ListLessonsResponse(lessons=wanted)


def get_lesson(request: scores.GetLessonRequest, at: Instants) -> Message:
    of = request.name.partition("/lessons/")[0]
    found = _said(at, of, "LessonRecorded", lesson)
    return scores.GetLessonResponse(lesson=named(found, request.name))
