"""Every field of a request carries a validation rule, and the rules compile."""

import protovalidate
import pytest
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message_factory import GetMessageClass

from buf.validate import validate_pb2
from tests.ground import surface

REQUESTS = [pytest.param(m.input_type, id=m.input_type.name) for m in surface.methods()]


@pytest.mark.parametrize("request_type", REQUESTS)
def test_each_field_that_can_be_wrong_has_a_rule(request_type: Descriptor) -> None:
    loose = [
        f"{message.name}.{field.name}"
        for message in surface.reached(request_type)
        for field in message.fields
        if not is_ruled(field)
    ]
    assert not loose, f"without a rule: {', '.join(loose)}"


@pytest.mark.parametrize("request_type", REQUESTS)
def test_the_rules_of_a_request_compile_and_judge_it(request_type: Descriptor) -> None:
    empty = GetMessageClass(request_type)()
    protovalidate.collect_violations(empty)


def is_ruled(field: FieldDescriptor) -> bool:
    """Whether values of the field are checked: by its own rule, its message's, or its type's.

    A bool and a message without fields cannot be wrong.
    """
    if field.type == FieldDescriptor.TYPE_BOOL or has_rule(field):
        return True
    held = field.message_type
    if held is None:
        return False
    return not held.fields or any(
        has_message_rule(message) or any(has_rule(inner) for inner in message.fields)
        for message in surface.reached(held)
    )


def has_rule(field: FieldDescriptor) -> bool:
    return field.GetOptions().HasExtension(validate_pb2.field)


def has_message_rule(message: Descriptor) -> bool:
    return message.GetOptions().HasExtension(validate_pb2.message)
