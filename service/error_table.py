"""The table of errors that callers are told about: one row for each type.

A type that is not here is a defect of the server and is answered as one.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from grpc import StatusCode

from ledger import refusals as domain
from ledger import tokens
from ledger.log import errors as log
from okr.v1 import error_reason_pb2 as reason
from okr.v1.error_reason_pb2 import ErrorReason
from projections import errors as projections
from service import refusals as call


@dataclass(frozen=True, slots=True)
class Row:
    """How one type of error is told.

    `facts` are the attributes that become ErrorInfo metadata, in camelCase there. `field` is the
    path of the field at fault where the error has no attribute of that name. `retry_seconds` is
    when the same request may be sent again where the error has no attribute of that name, None
    where that does not help. `sentence` replaces the error's own, where that is for operators only.
    """

    code: StatusCode
    reason: ErrorReason.ValueType
    facts: tuple[str, ...] = ()
    field: str = ""
    retry_seconds: float | None = None
    sentence: str = ""


_WRONG: Final = StatusCode.INVALID_ARGUMENT
_REFUSED: Final = StatusCode.FAILED_PRECONDITION
_EXISTS: Final = StatusCode.ALREADY_EXISTS
_RANGE: Final = StatusCode.OUT_OF_RANGE
_EXHAUSTED: Final = StatusCode.RESOURCE_EXHAUSTED

DOMAIN_ROWS: Final[Mapping[type[Exception], Row]] = {
    domain.FieldInvalid: Row(_WRONG, reason.ERROR_REASON_FIELD_INVALID),
    domain.NotFound: Row(
        StatusCode.NOT_FOUND, reason.ERROR_REASON_RESOURCE_NOT_FOUND, ("resource",)
    ),
    domain.Exists: Row(_EXISTS, reason.ERROR_REASON_RESOURCE_EXISTS, ("resource",)),
    domain.EtagMismatch: Row(
        StatusCode.ABORTED, reason.ERROR_REASON_ETAG_MISMATCH, ("resource", "etag")
    ),
    domain.ReasonRequired: Row(
        _REFUSED, reason.ERROR_REASON_REASON_REQUIRED, ("resource", "missing")
    ),
    domain.CycleState: Row(_REFUSED, reason.ERROR_REASON_CYCLE_STATE, ("resource", "state")),
    domain.ObjectiveState: Row(
        _REFUSED, reason.ERROR_REASON_OBJECTIVE_STATE, ("resource", "state")
    ),
    domain.KeyResultState: Row(
        _REFUSED, reason.ERROR_REASON_KEY_RESULT_STATE, ("resource", "state")
    ),
    domain.TeamRetired: Row(_REFUSED, reason.ERROR_REASON_TEAM_RETIRED, ("resource",)),
    domain.TeamTreeCycle: Row(
        _REFUSED, reason.ERROR_REASON_TEAM_TREE_CYCLE, ("resource", "parent")
    ),
    domain.AlignmentCycle: Row(
        _REFUSED, reason.ERROR_REASON_ALIGNMENT_CYCLE, ("child", "parent", "path")
    ),
    domain.AlignmentSecondParent: Row(
        _REFUSED, reason.ERROR_REASON_ALIGNMENT_SECOND_PARENT, ("child", "parent")
    ),
    domain.AlignmentCyclesDisjoint: Row(
        _REFUSED, reason.ERROR_REASON_ALIGNMENT_CYCLES_DISJOINT, ("child", "parent")
    ),
    domain.AlignmentExists: Row(_EXISTS, reason.ERROR_REASON_ALIGNMENT_STATE, ("child", "parent")),
    domain.AlignmentMissing: Row(
        StatusCode.NOT_FOUND, reason.ERROR_REASON_ALIGNMENT_STATE, ("child", "parent")
    ),
    domain.DayOutsideCycle: Row(
        _WRONG, reason.ERROR_REASON_DAY_OUTSIDE_CYCLE, ("field", "first_day", "last_day")
    ),
    domain.DayInFuture: Row(_WRONG, reason.ERROR_REASON_DAY_IN_FUTURE, ("field", "today")),
    domain.MeasureFixed: Row(_REFUSED, reason.ERROR_REASON_MEASURE_FIXED, ("resource", "field")),
    domain.CheckInRetracted: Row(_REFUSED, reason.ERROR_REASON_CHECK_IN_RETRACTED, ("resource",)),
    domain.TrajectoryMisfit: Row(
        _REFUSED, reason.ERROR_REASON_TRAJECTORY_MISFIT, ("resource", "field")
    ),
    domain.NothingToChange: Row(_REFUSED, reason.ERROR_REASON_NOTHING_TO_CHANGE, ("resource",)),
    domain.ApprovalRequired: Row(_REFUSED, reason.ERROR_REASON_APPROVAL_REQUIRED, ("resource",)),
    domain.AdjustmentState: Row(
        _REFUSED, reason.ERROR_REASON_ADJUSTMENT_STATE, ("resource", "state")
    ),
    domain.OwnProposal: Row(
        StatusCode.PERMISSION_DENIED, reason.ERROR_REASON_OWN_PROPOSAL, ("resource", "person")
    ),
    domain.ProposalOutdated: Row(
        _REFUSED, reason.ERROR_REASON_PROPOSAL_OUTDATED, ("resource", "changed", "positions")
    ),
    domain.NotErasable: Row(_REFUSED, reason.ERROR_REASON_NOT_ERASABLE, ("resource",)),
    domain.PersonErased: Row(_REFUSED, reason.ERROR_REASON_PERSON_ERASED, ("resource",)),
    domain.CarryOverNotLater: Row(
        _REFUSED, reason.ERROR_REASON_CARRY_OVER_NOT_LATER, ("resource", "parent")
    ),
}

CALL_ROWS: Final[Mapping[type[Exception], Row]] = {
    call.FieldUnknown: Row(_WRONG, reason.ERROR_REASON_FIELD_UNKNOWN),
    call.RequestUnreadable: Row(_WRONG, reason.ERROR_REASON_FIELD_INVALID),
    call.RequestTooLarge: Row(_EXHAUSTED, reason.ERROR_REASON_REQUEST_TOO_LARGE),
    call.MetadataTooLarge: Row(_EXHAUSTED, reason.ERROR_REASON_REQUEST_TOO_LARGE),
    call.AnswerTooLarge: Row(_EXHAUSTED, reason.ERROR_REASON_ANSWER_TOO_LARGE),
    call.TooManyCalls: Row(_EXHAUSTED, reason.ERROR_REASON_OVERLOADED),
    call.QuotaExceeded: Row(_EXHAUSTED, reason.ERROR_REASON_QUOTA_EXCEEDED, ("quota", "limit")),
    call.NotPermitted: Row(
        StatusCode.PERMISSION_DENIED, reason.ERROR_REASON_NOT_PERMITTED, ("action", "principal")
    ),
    call.CallTooLate: Row(StatusCode.DEADLINE_EXCEEDED, reason.ERROR_REASON_DEADLINE_PASSED),
    call.CallTooLong: Row(StatusCode.DEADLINE_EXCEEDED, reason.ERROR_REASON_DEADLINE_PASSED),
    call.Unauthenticated: Row(
        StatusCode.UNAUTHENTICATED, reason.ERROR_REASON_UNAUTHENTICATED, ("rule", "setting")
    ),
    call.Impersonation: Row(
        StatusCode.PERMISSION_DENIED, reason.ERROR_REASON_IMPERSONATION, ("principal", "named")
    ),
    call.KeysUnavailable: Row(
        StatusCode.UNAVAILABLE, reason.ERROR_REASON_KEYS_UNAVAILABLE, retry_seconds=1.0
    ),
    tokens.TokenForeign: Row(_WRONG, reason.ERROR_REASON_TOKEN_FOREIGN),
    tokens.TokenLost: Row(_REFUSED, reason.ERROR_REASON_TOKEN_LOST, ("position", "head")),
    tokens.PageTokenInvalid: Row(
        _WRONG, reason.ERROR_REASON_PAGE_TOKEN_INVALID, field="page_token"
    ),
    projections.PositionAhead: Row(
        _RANGE, reason.ERROR_REASON_POSITION_AHEAD, ("position", "head")
    ),
    projections.InstantOutOfRange: Row(
        _RANGE, reason.ERROR_REASON_INSTANT_OUT_OF_RANGE, ("instant",)
    ),
}

LOG_ROWS: Final[Mapping[type[Exception], Row]] = {
    log.LogUnavailable: Row(
        StatusCode.UNAVAILABLE,
        reason.ERROR_REASON_LOG_UNAVAILABLE,
        retry_seconds=1.0,
        sentence="the log cannot be written or read now; nothing was written",
    ),
    log.OutcomeUnknown: Row(
        StatusCode.UNAVAILABLE,
        reason.ERROR_REASON_OUTCOME_UNKNOWN,
        retry_seconds=1.0,
        sentence="the answer was lost, and it is not known whether the request was written; sent"
        " again with the same request id it counts once",
    ),
    log.Overloaded: Row(_EXHAUSTED, reason.ERROR_REASON_OVERLOADED, retry_seconds=0.5),
    log.ShuttingDown: Row(
        StatusCode.UNAVAILABLE, reason.ERROR_REASON_SHUTTING_DOWN, retry_seconds=1.0
    ),
    log.DeadlinePassed: Row(StatusCode.DEADLINE_EXCEEDED, reason.ERROR_REASON_DEADLINE_PASSED),
    log.ClockBehind: Row(
        StatusCode.UNAVAILABLE, reason.ERROR_REASON_CLOCK_BEHIND, ("behind_seconds",)
    ),
    log.RequestIdReused: Row(_EXISTS, reason.ERROR_REASON_REQUEST_ID_REUSED, ("request_id",)),
    log.Contended: Row(StatusCode.ABORTED, reason.ERROR_REASON_CONTENDED, retry_seconds=0.1),
}

READ_ROWS: Final[Mapping[type[Exception], Row]] = {
    projections.ProjectionStopped: Row(
        StatusCode.UNAVAILABLE, reason.ERROR_REASON_PROJECTION_STOPPED, ("projection",)
    ),
    projections.PositionAhead: Row(
        _RANGE, reason.ERROR_REASON_POSITION_AHEAD, ("position", "head")
    ),
    projections.InstantOutOfRange: Row(
        _RANGE, reason.ERROR_REASON_INSTANT_OUT_OF_RANGE, ("instant",)
    ),
    projections.InstantsReversed: Row(
        _WRONG, reason.ERROR_REASON_INSTANTS_REVERSED, ("axis", "since", "as_of"), field="since"
    ),
    projections.ReplayTooLarge: Row(
        _EXHAUSTED, reason.ERROR_REASON_REPLAY_TOO_LARGE, ("events", "limit")
    ),
    projections.ReadModelsUnavailable: Row(
        StatusCode.UNAVAILABLE,
        reason.ERROR_REASON_READ_MODELS_UNAVAILABLE,
        retry_seconds=1.0,
        sentence="the read models cannot be read now",
    ),
    projections.ProofNotReady: Row(
        StatusCode.UNAVAILABLE,
        reason.ERROR_REASON_PROOF_NOT_READY,
        ("position", "covered"),
        retry_seconds=1.0,
    ),
    projections.ProofsOff: Row(_REFUSED, reason.ERROR_REASON_PROOFS_OFF),
    projections.Displaced: Row(
        StatusCode.UNAVAILABLE, reason.ERROR_REASON_PROJECTION_STOPPED, ("projection",)
    ),
}

ROWS: Final[Mapping[type[Exception], Row]] = {
    **DOMAIN_ROWS,
    **CALL_ROWS,
    **LOG_ROWS,
    **READ_ROWS,
}


def row_of(error: Exception) -> Row | None:
    """The row of the error's type or of the nearest type above it; None for a defect."""
    for kind in type(error).__mro__:
        row = ROWS.get(kind)
        if row is not None:
            return row
    return None
