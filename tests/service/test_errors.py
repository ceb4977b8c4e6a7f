import dataclasses
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeVar

import grpc
import pytest
from google.rpc.error_details_pb2 import BadRequest, ErrorInfo, PreconditionFailure, RetryInfo
from google.rpc.status_pb2 import Status
from hypothesis import given
from hypothesis import strategies as st

from ledger.log import errors as log
from ledger.refusals import (
    EtagMismatch,
    FieldInvalid,
    NotFound,
    ReasonRequired,
    Refusal,
    Violation,
)
from ledger.texts.store import KeysMismatch
from okr.v1.error_reason_pb2 import (
    ERROR_REASON_INTERNAL,
    ERROR_REASON_UNSPECIFIED,
    ErrorReason,
)
from projections import errors as projections
from service.error_table import ROWS, row_of
from service.errors import incident_status, status_of

HEADER_BYTES = 8 * 1024
"""What gRPC clients take for sure, all headers together."""

AT_START = {log.LogLocked, log.LogMismatch, KeysMismatch}
"""They end the server before it has callers."""
OF_COMMANDS = {
    log.RecordUnfit,
    projections.LedgerContradicted,
    projections.ProofsMissing,
    projections.RebuildRunning,
    projections.TablesDiffer,
    projections.TablesUnavailable,
}
"""They end an operator's command, or halt what keeps the proofs beside the calls."""
DEFECTS = {
    log.DamagedRecord,
    log.UnknownEventType,
    projections.FailingEvent,
    projections.Overtaken,
    projections.Relieved,
}
"""They are answered as INTERNAL."""

CATALOGUE = Path(__file__).parents[2] / "protos/okr/v1/error_reason.proto"

Detail = TypeVar("Detail", ErrorInfo, BadRequest, PreconditionFailure, RetryInfo)


def subclasses(kind: type[Exception]) -> Iterator[type[Exception]]:
    for each in kind.__subclasses__():
        if not each.__module__.startswith("tests"):
            yield each
        yield from subclasses(each)


@pytest.mark.parametrize(
    "kind",
    [
        *subclasses(Refusal),
        *subclasses(log.LogError),
        *subclasses(projections.ProjectionError),
    ],
    ids=lambda kind: kind.__name__,
)
def test_every_typed_error_has_its_row(kind: type[Exception]) -> None:
    assert (kind in ROWS) != (kind in AT_START | OF_COMMANDS | DEFECTS)


def test_every_reason_is_given_by_some_row() -> None:
    given = {row.reason for row in ROWS.values()} | {ERROR_REASON_INTERNAL}
    assert given == set(ErrorReason.values()) - {ERROR_REASON_UNSPECIFIED}


def documented() -> dict[int, set[str]]:
    """The codes that the catalogue's comments promise for each reason."""
    promised: dict[int, set[str]] = {}
    codes: set[str] = set()
    for line in CATALOGUE.read_text().splitlines():
        comment = re.match(r" *// ([A-Z_]+)(?: or ([A-Z_]+))?: ", line)
        value = re.match(r" *ERROR_REASON_\w+ = (\d+);", line)
        if comment:
            codes = {code for code in comment.groups() if code}
        elif value:
            promised[int(value[1])] = codes
            codes = set()
    return promised


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_a_row_has_a_code_that_the_catalogue_promises(kind: type[Exception]) -> None:
    row = ROWS[kind]
    assert row.code.name in documented()[row.reason]


@pytest.mark.parametrize("kind", ROWS, ids=lambda kind: kind.__name__)
def test_a_row_names_facts_that_the_error_has(kind: Any) -> None:
    names = {field.name for field in dataclasses.fields(kind)}
    names |= {name for name, value in vars(kind).items() if isinstance(value, property)}
    row = ROWS[kind]
    assert set(row.facts) <= names
    assert not row.field or "field" not in names


def test_an_error_below_a_known_one_is_told_as_that() -> None:
    class Renamed(NotFound):
        pass

    row = row_of(Renamed("cycles/x"))
    assert row is not None
    assert row.code is grpc.StatusCode.NOT_FOUND


def test_a_defect_has_no_status_of_its_own() -> None:
    assert status_of(ValueError("secret")) is None


def test_an_incident_tells_its_id_and_nothing_else() -> None:
    status = incident_status("5f2c")
    assert status.message == "internal error; it was logged as incident 5f2c"
    info = detail(status, ErrorInfo())
    assert (info.reason, info.domain, dict(info.metadata)) == (
        "INTERNAL",
        "okr.v1",
        {"incident": "5f2c"},
    )


def test_a_stale_etag_tells_the_present_one() -> None:
    status = told(EtagMismatch("objectives/growth", '"7"'))
    assert status.code == grpc.StatusCode.ABORTED.value[0]
    info = detail(status, ErrorInfo())
    assert info.reason == "ETAG_MISMATCH"
    assert dict(info.metadata) == {"resource": "objectives/growth", "etag": '"7"'}


def test_a_missing_reason_is_a_failed_precondition_that_names_what_is_missing() -> None:
    status = told(ReasonRequired("objectives/growth", ("reason", "category")))
    assert detail(status, ErrorInfo()).metadata["missing"] == "reason,category"
    (violation,) = detail(status, PreconditionFailure()).violations
    assert (violation.type, violation.subject) == ("REASON_REQUIRED", "objectives/growth")


def test_metadata_keys_are_camel_case() -> None:
    info = detail(told(log.ClockBehind(61)), ErrorInfo())
    assert dict(info.metadata) == {"behindSeconds": "61"}


def test_a_full_disk_names_no_file_to_callers() -> None:
    status = told(log.LogUnavailable("/srv/okr/okr-ledger.db", "append to", "the disk is full"))
    assert "/srv" not in str(status)
    assert detail(status, RetryInfo()).retry_delay.ToTimedelta().total_seconds() == 1


TEXTS = st.text(max_size=5000)


@given(
    st.lists(st.builds(Violation, TEXTS, TEXTS, TEXTS), max_size=60).map(
        lambda violations: FieldInvalid(tuple(violations))
    )
    | st.builds(NotFound, TEXTS)
    | st.builds(EtagMismatch, TEXTS, TEXTS)
    | st.builds(ReasonRequired, TEXTS, st.lists(TEXTS, max_size=9).map(tuple))
)
def test_no_error_outgrows_the_headers_that_clients_take(error: Refusal) -> None:
    status = told(error)
    in_base64 = len(status.SerializeToString()) * 4 // 3
    assert in_base64 + 3 * len(status.message.encode()) < HEADER_BYTES - 1024


def test_of_many_violations_the_first_are_told() -> None:
    violations = tuple(Violation(f"fields[{n}]", "rule", "is wrong") for n in range(60))
    told_of = detail(told(FieldInvalid(violations)), BadRequest()).field_violations
    assert [each.field for each in told_of] == [f"fields[{n}]" for n in range(25)]


def told(error: Exception) -> Status:
    status = status_of(error)
    assert status is not None
    return status


def detail(status: Status, empty: Detail) -> Detail:
    assert sum(each.Unpack(empty) for each in status.details) == 1
    return empty
