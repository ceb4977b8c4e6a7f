"""What every method of the API promises, checked on the descriptors."""

import pytest
from google.protobuf.descriptor import Descriptor, MethodDescriptor

from tests.ground import surface

METHODS = surface.methods()
WRITES = [method for method in METHODS if not surface.is_read(method)]
# The operations are about the processes; every other read is about the ledger.
READS = [
    method
    for method in METHODS
    if surface.is_read(method) and method.containing_service.name != "OperationsService"
]
# Fields that mean the same wherever they stand have the same number and type wherever they stand.
SHARED_IN_WRITES = {
    "request_id": 10,
    "etag": 11,
    "effective_date": 12,
    "reason": 13,
    "category": 14,
    "validate_only": 15,
    "source_time": 16,
}
SHARED_IN_READS = {"at_least_as_fresh": 20, "as_of": 21, "page_size": 22, "page_token": 23}


def each(methods: list[MethodDescriptor]) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("method", methods, ids=lambda method: method.full_name)


def numbers(message: Descriptor) -> dict[str, int]:
    return {field.name: field.number for field in message.fields}


@each(METHODS)
def test_a_method_says_that_it_only_reads_exactly_when_its_name_does(
    method: MethodDescriptor,
) -> None:
    reading = method.name.startswith(
        ("Get", "List", "Attribute", "Compare", "Explain", "Watch", "Replay", "Simulate")
    )
    assert surface.is_read(method) == reading


@each(METHODS)
def test_request_and_response_are_named_after_the_method(method: MethodDescriptor) -> None:
    assert method.input_type.name == f"{method.name}Request"
    assert method.output_type.name == f"{method.name}Response"


@each(METHODS)
def test_a_list_has_pages_and_only_a_list_has(method: MethodDescriptor) -> None:
    lists = method.name.startswith("List")
    assert lists == ({"page_size", "page_token"} <= numbers(method.input_type).keys())
    assert lists == ("next_page_token" in numbers(method.output_type))


@each(WRITES)
def test_a_write_can_be_repeated_and_tried_and_answers_with_its_place(
    method: MethodDescriptor,
) -> None:
    # A message that carries many requests leaves it to each of them.
    carried = method.input_type.fields_by_name.get("requests")
    request = (carried and carried.message_type) or method.input_type
    assert {"request_id", "validate_only"} <= numbers(request).keys()
    assert {"position", "token"} <= numbers(method.output_type).keys()


@each(READS)
def test_a_read_of_the_ledger_takes_a_token_and_answers_with_its_position(
    method: MethodDescriptor,
) -> None:
    assert "at_least_as_fresh" in numbers(method.input_type)
    assert {"position", "token"} <= numbers(method.output_type).keys()


@each(METHODS)
def test_shared_fields_keep_their_numbers(method: MethodDescriptor) -> None:
    shared = SHARED_IN_READS if surface.is_read(method) else SHARED_IN_WRITES
    found = numbers(method.input_type)
    assert {name: found[name] for name in shared.keys() & found.keys()} == {
        name: number for name, number in shared.items() if name in found
    }


def test_services_live_in_files_named_after_them() -> None:
    """The compiler writes service code for `*_service.proto` alone."""
    for file in surface.files():
        assert bool(file.services_by_name) == file.name.endswith("_service.proto"), file.name
