"""Errors on the wire: gRPC status with details.

Every status carries a `google.rpc.ErrorInfo`: its domain is "okr.v1", its reason the name in
`okr.v1.ErrorReason` without the prefix, for example "ETAG_MISMATCH". Beside it stand, where they
apply, `BadRequest` (each violation with the id of its rule as `reason`), `PreconditionFailure`,
`ResourceInfo` and `RetryInfo`.
"""

from __future__ import annotations

import uuid
from collections.abc import Iterable
from datetime import timedelta
from typing import TYPE_CHECKING, Final, NamedTuple

import structlog
from google.rpc.error_details_pb2 import (
    BadRequest,
    ErrorInfo,
    PreconditionFailure,
    ResourceInfo,
    RetryInfo,
)
from google.rpc.status_pb2 import Status
from grpc import StatusCode

from ledger.refusals import Exists, FieldInvalid, NotFound, Violation
from okr.v1.error_reason_pb2 import ERROR_REASON_INTERNAL, ErrorReason
from service.error_table import Row, row_of
from service.refusals import FieldUnknown, Unauthenticated

if TYPE_CHECKING:
    from google.protobuf.message import Message

DOMAIN: Final = "okr.v1"
DETAILS_BYTES: Final = 4096
"""All details together. They travel in one header, a third longer in base64, and clients refuse
headers above 8 KiB at random and above 16 KiB always."""
MESSAGE_BYTES: Final = 300
"""The sentence, in UTF-8. On the wire three times as long where it is not ASCII."""
FACT_BYTES: Final = 200
VIOLATIONS: Final = 25

_PREFIX: Final = "ERROR_REASON_"
_RESOURCE_TYPES: Final = {
    "cycles": "okr.v1.Cycle",
    "teams": "okr.v1.Team",
    "people": "okr.v1.Person",
    "objectives": "okr.v1.Objective",
    "keyResults": "okr.v1.KeyResult",
    "checkIns": "okr.v1.CheckIn",
    "keyResults/revisions": "okr.v1.KeyResultRevision",
    "objectives/revisions": "okr.v1.ObjectiveRevision",
    "adjustments": "okr.v1.Adjustment",
    "events": "okr.v1.Event",
}


log = structlog.get_logger()


class Told(NamedTuple):
    """What a caller is told about an error, and what the request log says of it."""

    status: bytes
    """A serialised `google.rpc.Status`."""
    entry: dict[str, str]


class Refused(Exception):
    """An error that the write lane has told already."""

    def __init__(self, refusal: Told) -> None:
        super().__init__(refusal.entry)
        self.told = refusal


def told(error: Exception, method: str) -> Told:
    """What to tell the caller of a method; a defect is logged with the id that the caller gets."""
    row = row_of(error)
    if row is not None:
        entry = {"code": row.code.name, "reason": reason_name(row.reason)}
        if row.sentence:
            entry["error"] = str(error)
        if isinstance(error, Unauthenticated):
            entry["rule"] = error.rule
        return Told(_status(row, error).SerializeToString(), entry)
    incident = uuid.uuid4().hex[:16]
    log.error("incident", incident=incident, method=method, exc_info=error)
    entry = {"code": "INTERNAL", "reason": "INTERNAL", "incident": incident}
    return Told(incident_status(incident).SerializeToString(), entry)


def reason_name(reason: ErrorReason.ValueType) -> str:
    """The reason as ErrorInfo carries it: "ETAG_MISMATCH"."""
    return ErrorReason.Name(reason).removeprefix(_PREFIX)


def status_of(error: Exception) -> Status | None:
    """What the caller is told about the error; None if it is a defect of the server."""
    row = row_of(error)
    return None if row is None else _status(row, error)


def incident_status(incident: str) -> Status:
    """What the caller is told about a defect: the id under which it was logged, and no more."""
    row = Row(StatusCode.INTERNAL, ERROR_REASON_INTERNAL)
    return _packed(
        row.code,
        f"internal error; it was logged as incident {incident}",
        [_info(row, {"incident": incident})],
    )


def _status(row: Row, error: Exception) -> Status:
    sentence = _cut(row.sentence or str(error), MESSAGE_BYTES)
    facts = {name: _fact(getattr(error, name)) for name in row.facts}
    details: list[Message] = [_info(row, {_camel(name): fact for name, fact in facts.items()})]
    if isinstance(error, (NotFound, Exists)):
        details.append(_resource(error.resource, sentence))
    if row.code is StatusCode.FAILED_PRECONDITION:
        subject = facts.get("resource") or facts.get("child", "")
        told = ((each.name, str(each)) for each in getattr(error, "meanwhile", ()))
        left = DETAILS_BYTES - _packed(row.code, sentence, details).ByteSize()
        details.append(_precondition(row, list(told) or [(subject, sentence)], left))
    retry_seconds = getattr(error, "retry_seconds", row.retry_seconds)
    if retry_seconds is not None:
        details.append(RetryInfo(retry_delay=timedelta(seconds=retry_seconds)))
    if row.code is StatusCode.INVALID_ARGUMENT:
        left = DETAILS_BYTES - _packed(row.code, sentence, [*details, BadRequest()]).ByteSize()
        details.append(_bad_request(_violations(row, error), left))
    return _packed(row.code, sentence, details)


def _info(row: Row, metadata: dict[str, str]) -> ErrorInfo:
    return ErrorInfo(reason=reason_name(row.reason), domain=DOMAIN, metadata=metadata)


def _resource(name: str, sentence: str) -> ResourceInfo:
    *_, kind, _, collection, _ = ["", "", "", *name.split("/")]
    # The type of a revision is that of what it is of.
    of = f"{kind}/" if collection == "revisions" else ""
    return ResourceInfo(
        resource_type=_RESOURCE_TYPES.get(of + collection, ""),
        resource_name=_cut(name, FACT_BYTES),
        description=sentence,
    )


def _violations(row: Row, error: Exception) -> Iterable[Violation]:
    if isinstance(error, FieldInvalid):
        return error.violations
    rule = reason_name(row.reason)
    if isinstance(error, FieldUnknown):
        return tuple(
            Violation(field, rule, "is not known to this server") for field in error.fields
        )
    return (Violation(getattr(error, "field", row.field), rule, str(error)),)


def _bad_request(violations: Iterable[Violation], most_bytes: int) -> BadRequest:
    """The first violations, as many as there is room for."""
    told = BadRequest()
    for violation, _ in zip(violations, range(VIOLATIONS), strict=False):
        told.field_violations.add(
            field=_cut(violation.field, FACT_BYTES),
            reason=_cut(violation.rule, FACT_BYTES),
            description=_cut(violation.description, FACT_BYTES),
        )
        if told.ByteSize() > most_bytes:
            del told.field_violations[-1]
            break
    return told


def _precondition(
    row: Row, violations: Iterable[tuple[str, str]], most_bytes: int
) -> PreconditionFailure:
    """The first violations, subjects and sentences, as many as there is room for."""
    told = PreconditionFailure()
    for (subject, sentence), _ in zip(violations, range(VIOLATIONS), strict=False):
        told.violations.add(
            type=reason_name(row.reason),
            subject=_cut(subject, FACT_BYTES),
            description=_cut(sentence, MESSAGE_BYTES),
        )
        if told.ByteSize() > most_bytes:
            del told.violations[-1]
            break
    return told


def _packed(code: StatusCode, sentence: str, details: Iterable[Message]) -> Status:
    number: int = code.value[0]
    status = Status(code=number, message=sentence)
    for detail in details:
        status.details.add().Pack(detail)
    return status


def _fact(value: object) -> str:
    text = ",".join(map(str, value)) if isinstance(value, tuple) else str(value)
    return _cut(text, FACT_BYTES)


def _cut(text: str, most_bytes: int) -> str:
    """The text, its end replaced by "…" where it is longer than so many bytes of UTF-8."""
    encoded = text.encode()
    if len(encoded) <= most_bytes:
        return text
    return encoded[: most_bytes - 3].decode(errors="ignore") + "…"


def _camel(name: str) -> str:
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)
