"""What a call that fails raises: one exception with the facts of its `google.rpc` details."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import grpc
from google.protobuf.any_pb2 import Any as AnyMessage
from google.protobuf.message import DecodeError
from google.rpc import error_details_pb2 as details
from google.rpc import status_pb2

DOMAIN = "okr.v1"
"""The domain of the reasons that this API defines in `okr.v1.ErrorReason`."""

_CODES = {code.value[0]: code for code in grpc.StatusCode}

STATUS_KEY = "grpc-status-details-bin"
"""The trailing metadata in which gRPC carries a `google.rpc.Status`."""


@dataclass(frozen=True, slots=True)
class Violation:
    """A field of the request that breaks a rule: its path, the rule's id and a sentence."""

    field: str
    rule: str
    description: str


@dataclass(eq=False)
class OkrError(Exception):
    """A call that failed.

    `reason` is the name of an `okr.v1.ErrorReason` without its prefix, such as "ETAG_MISMATCH";
    empty where the service gave none: nothing listens, or a deadline passed on the way.
    `metadata` holds the facts that the reason's comment in the protos names. `retry_after` is
    in seconds, None where the service does not say. `request_id` is the id that a write was
    sent with, made by the client or not: after UNAVAILABLE or DEADLINE_EXCEEDED the same request
    may be sent again with it and is applied once.
    """

    code: grpc.StatusCode
    reason: str
    message: str
    metadata: dict[str, str] = field(default_factory=dict)
    violations: tuple[Violation, ...] = ()
    retry_after: float | None = None
    request_id: str = ""

    def __str__(self) -> str:
        return f"{self.reason or self.code.name}: {self.message}"


def error_of(failure: grpc.RpcError, request_id: str) -> OkrError:
    """The error that a failed call means; details that cannot be read are left out."""
    error = OkrError(failure.code(), "", failure.details() or "", request_id=request_id)
    return _detailed(error, _status(failure.trailing_metadata() or ()))


def error_in(status: status_pb2.Status, request_id: str) -> OkrError:
    """The error of one request among several in a message, which its status tells."""
    error = OkrError(
        _CODES.get(status.code, grpc.StatusCode.UNKNOWN), "", status.message, request_id=request_id
    )
    return _detailed(error, status)


def _detailed(error: OkrError, status: status_pb2.Status) -> OkrError:
    for detail in status.details:
        _take(detail, error)
    return error


def _status(trailing_metadata: Any) -> status_pb2.Status:
    for key, value in trailing_metadata:
        if key == STATUS_KEY and isinstance(value, bytes):
            try:
                return status_pb2.Status.FromString(value)
            except DecodeError:
                break
    return status_pb2.Status()


def _take(detail: AnyMessage, error: OkrError) -> None:
    info, request, retry = details.ErrorInfo(), details.BadRequest(), details.RetryInfo()
    if detail.Unpack(info) and info.domain == DOMAIN:
        error.reason = info.reason
        error.metadata = dict(info.metadata)
    elif detail.Unpack(request):
        error.violations = tuple(
            Violation(found.field, found.reason, found.description)
            for found in request.field_violations
        )
    elif detail.Unpack(retry):
        error.retry_after = retry.retry_delay.ToTimedelta().total_seconds()
