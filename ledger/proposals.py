"""Proposals of strategy adjustments: who may approve one, and whether it still fits.

A proposal was decided at its place in the ledger. What it changes must be as it was then; for all
else that its changes stand on it is decided again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import Any

from google.protobuf.message import Message

from ledger import alignment
from ledger.adjustments import Proposal
from ledger.context import Context
from ledger.event import Record, fact_of
from ledger.objectives import KEY_RESULTS
from ledger.refusals import Meanwhile, NotFound, OwnProposal, invalid
from ledger.revision import Revision, etag
from ledger.view import View
from okr.v1 import events_pb2 as facts
from okr.v1 import ledger_service_pb2 as api
from okr.v1.ledger_service_pb2 import StrategyChange

BYTES_AT_MOST = 1024 * 1024
"""What a proposal may come to: an answer tells its event's bytes and what they say."""

EVENTS_AT_MOST = 10
"""How many events of a resource a refusal names, the latest."""

_SUBJECTS = ("key_result", "objective", "cycle", "team")


def check_size(fact: facts.AdjustmentProposed) -> None:
    """Refuses a proposal that nobody could be told of in one answer.

    Raises:
        FieldInvalid: it comes to more than `BYTES_AT_MOST`.
    """
    size = fact.ByteSize()
    if size > BYTES_AT_MOST:
        raise invalid(
            "changes",
            "proposal.size",
            f"come to {size} bytes with what they would do; {BYTES_AT_MOST} are allowed",
        )


def check_approver(proposal: Proposal, context: Context) -> None:
    """Refuses that somebody approves their own proposal.

    Who acts through a service is the person that it acts for.

    Raises:
        OwnProposal: the same person, or the same service on its own account, proposed it.
    """
    proposer = _persons(proposal.metadata.actor.plain, proposal.metadata.on_behalf_of.plain)
    approver = _persons(context.actor, context.on_behalf_of)
    both = proposer & approver
    if both:
        raise OwnProposal(proposal.fact.adjustment, min(both))


def _persons(actor: str, on_behalf_of: str) -> set[str]:
    """Who stands behind a call."""
    if on_behalf_of and actor.startswith("services/"):
        return {on_behalf_of}
    return {actor, on_behalf_of} - {""}


def asked(proposal: Proposal, request: api.ApproveAdjustmentRequest) -> api.AdjustStrategyRequest:
    """The request that makes the adjustment now."""
    fact, metadata = proposal.fact, proposal.metadata
    made = api.AdjustStrategyRequest(
        cycle=fact.cycle,
        title=fact.title,
        changes=fact.changes,
        reason=metadata.reason.plain,
        category=metadata.category,
    )
    if fact.HasField("effective_date"):
        made.effective_date.CopyFrom(fact.effective_date)
    if request.HasField("source_time"):
        made.source_time.CopyFrom(request.source_time)
    return made


def with_ids(change: StrategyChange, made: Sequence[Message]) -> StrategyChange:
    """A change with the ids that the server made, so that its approval makes the same ones."""
    told = StrategyChange()
    told.CopyFrom(change)
    kind = told.WhichOneof("change")
    names: list[Any] = list(made)
    if kind == "create_objective":
        told.create_objective.objective_id = _id(names[0].objective)
        for new, fact in zip(told.create_objective.key_results, names[1:], strict=True):
            new.key_result_id = _id(fact.key_result)
    elif kind in ("add_key_result", "carry_over_key_result"):
        getattr(told, kind).key_result_id = _id(names[0].key_result)
    return told


def foreseen(fact: Message) -> facts.AdjustmentProposed.Foreseen:
    """An event that a proposal would make, as the proposal keeps it.

    Raises:
        TypeError: a fact that no adjustment makes.
    """
    kept = facts.AdjustmentProposed.Foreseen()
    for field in kept.DESCRIPTOR.fields:
        if field.message_type is fact.DESCRIPTOR:
            getattr(kept, field.name).CopyFrom(fact)
            return kept
    raise TypeError(f"no adjustment makes {fact.DESCRIPTOR.full_name}")


def _id(name: str) -> str:
    return name.rpartition("/")[2]


def changed(view: View, proposal: Proposal) -> list[Meanwhile]:
    """What the proposal changes and others have changed since, in its own order."""
    parts = [getattr(each, str(each.WhichOneof("change"))) for each in proposal.fact.changes]
    found: dict[str, Meanwhile | None] = {}
    for part in parts:
        match part:
            case api.AlignRequest() | api.UnalignRequest():
                edges = view.alignments().revisions
                own = _of_child(edges, part.child)
                found[part.child] = _meanwhile(alignment.STREAM, edges, own, proposal)
            case api.CreateObjectiveRequest() | api.AddKeyResultRequest():
                pass
            case _:
                carried_over = isinstance(part, api.CarryOverKeyResultRequest)
                name = part.continued_from if carried_over else part.name
                revisions = _revisions(view, name)
                found[name] = _meanwhile(name, revisions, revisions, proposal)
    return [each for each in found.values() if each is not None]


def happened(view: View, proposal: Proposal, streams: Iterable[str]) -> list[Meanwhile]:
    """Every event since the proposal that a decision on its changes stands on, by subject.

    `streams` are those that the decision read; of an objective's key results only those count
    that the proposal names. Costs by the number of events of the streams since then.
    """
    named = {name for change in proposal.fact.changes for name in _names(change)}
    by_subject: dict[str, list[tuple[str, int]]] = {}
    for stream in streams:
        if stream == proposal.fact.adjustment:
            continue
        for record in view.records_since(stream, proposal.position):
            subject = _subject(record)
            if KEY_RESULTS not in subject or subject in named:
                event = (_short(record.event_type), record.position)
                by_subject.setdefault(subject, []).append(event)
    return [
        Meanwhile(subject, *_etags(_revisions(view, subject), proposal), _latest(events))
        for subject, events in by_subject.items()
    ]


def _names(change: StrategyChange) -> Iterator[str]:
    """Every objective and key result that a change names, or would make."""
    part = getattr(change, str(change.WhichOneof("change")))
    if own := getattr(part, "key_result_id", ""):
        yield f"{part.parent}{KEY_RESULTS}{own}"
    for field in ("name", "parent", "child", "continued_from"):
        if hasattr(part, field):
            yield getattr(part, field)


def _of_child(revisions: Iterable[Revision], child: str) -> list[Revision]:
    return [r for r in revisions if getattr(r.fact, "child", "") == child]


def _meanwhile(
    name: str, revisions: Sequence[Revision], own: Iterable[Revision], proposal: Proposal
) -> Meanwhile | None:
    """What became of a subject since the proposal; None if nothing did.

    `revisions` are what its etag counts, `own` those of them that matter.
    """
    later = [r for r in own if r.position > proposal.position]
    if not later:
        return None
    events = [(_short(r.fact.DESCRIPTOR.full_name), r.position) for r in later]
    return Meanwhile(name, *_etags(revisions, proposal), _latest(events))


def _revisions(view: View, subject: str) -> Sequence[Revision]:
    """The revisions of a subject; none of one that only the proposal itself would make."""
    try:
        match subject.partition("/")[0]:
            case "cycles":
                return view.cycle(subject).revisions
            case "teams":
                return view.team(subject).revisions
            case alignment.STREAM:
                return view.alignments().revisions
            case _ if KEY_RESULTS in subject:
                return view.key_result(subject).revisions
            case _:
                return view.objective(subject).revisions
    except NotFound:
        return ()


def _etags(revisions: Sequence[Revision], proposal: Proposal) -> tuple[str, str]:
    """The etags at the proposal and now."""
    return etag([r for r in revisions if r.position <= proposal.position]), etag(revisions)


def _subject(record: Record) -> str:
    """What an event is about: a resource, else its stream."""
    fact: Any = fact_of(record)
    return next((str(getattr(fact, f)) for f in _SUBJECTS if hasattr(fact, f)), record.stream)


def _short(event_type: str) -> str:
    return event_type.rpartition(".")[2]


def _latest(events: Sequence[tuple[str, int]]) -> tuple[tuple[str, int], ...]:
    return tuple(events[-EVENTS_AT_MOST:])
