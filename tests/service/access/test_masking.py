"""Errors and requests in which nothing hidden is named."""

from __future__ import annotations

from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, ResourceInfo
from google.rpc.status_pb2 import Status

from okr.v1 import audit_service_pb2 as audit
from okr.v1 import ledger_service_pb2 as ledger
from okr.v1 import score_service_pb2 as scores
from service.access.masking import Missing, masked

SECRET = "0123456789abcdef0123456789abcdef"


def hidden(name: str) -> bool:
    return name.split("/")[1:2] in (["hidden"], ["undone"])


def test_a_request_about_something_hidden_asks_about_something_else() -> None:
    request = scores.GetAlignmentRequest(child="objectives/open", parent="objectives/hidden")
    missing = Missing(SECRET)

    missing.put_into(request, hidden)

    assert request.child == "objectives/open"
    assert request.parent == f"objectives/{SECRET}-0"
    assert missing


def test_a_request_about_nothing_hidden_stays_as_it_is() -> None:
    request = audit.ListEventsRequest(stream="objectives/open", filter="objectives/hidden")
    missing = Missing(SECRET)

    missing.put_into(request, hidden)

    assert request == audit.ListEventsRequest(stream="objectives/open", filter="objectives/hidden")
    assert not missing


def test_every_name_in_every_change_is_looked_at() -> None:
    request = ledger.AdjustStrategyRequest(
        cycle="cycles/c",
        changes=[
            ledger.StrategyChange(
                drop_key_result=ledger.DropKeyResultRequest(name="objectives/hidden/keyResults/a")
            ),
            ledger.StrategyChange(
                align=ledger.AlignRequest(child="objectives/open", parent="objectives/hidden")
            ),
        ],
    )
    Missing(SECRET).put_into(request, hidden)

    assert request.changes[0].drop_key_result.name == f"objectives/{SECRET}-0/keyResults/a"
    assert request.changes[1].align.parent == f"objectives/{SECRET}-0"

    review = ledger.RecordReviewRequest(adjustments=["adjustments/undone", "adjustments/made"])
    Missing(SECRET).put_into(review, hidden)
    assert list(review.adjustments) == [f"adjustments/{SECRET}-0", "adjustments/made"]


def test_an_error_names_what_was_asked_for_and_nothing_else_that_is_hidden() -> None:
    request = scores.GetKeyResultRequest(name="objectives/hidden/keyResults/asked")
    missing = Missing(SECRET)
    missing.put_into(request, hidden)
    sentence = f"{request.name} is below objectives/hidden/keyResults/other and objectives/open"
    error = Status(code=5, message=sentence)
    error.details.add().Pack(
        ErrorInfo(
            reason="RESOURCE_NOT_FOUND",
            metadata={"resource": request.name, "path": "objectives/hidden,objectives/open"},
        )
    )
    error.details.add().Pack(ResourceInfo(resource_name=request.name))
    failure = PreconditionFailure()
    failure.violations.add(subject="adjustments/undone", description="objectives/hid…")
    error.details.add().Pack(failure)
    error.details.add().Pack(BadRequest())

    told = masked(error, hidden, missing)

    asked = "objectives/hidden/keyResults/asked"
    assert told.message == f"{asked} is below (not shown) and objectives/open"
    info, resource, precondition = ErrorInfo(), ResourceInfo(), PreconditionFailure()
    assert told.details[0].Unpack(info)
    assert told.details[1].Unpack(resource)
    assert told.details[2].Unpack(precondition)
    assert dict(info.metadata) == {"resource": asked, "path": "(not shown),objectives/open"}
    assert resource.resource_name == asked
    (violation,) = precondition.violations
    assert (violation.subject, violation.description) == ("(not shown)", "(not shown)")
    assert SECRET.encode() not in told.SerializeToString()
