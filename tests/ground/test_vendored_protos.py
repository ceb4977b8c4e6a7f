"""The proto files copied from other projects are the ones that the installed libraries know."""

from pathlib import Path

import google.type.date_pb2
import pytest
from google.protobuf.descriptor_pb2 import FileDescriptorProto
from protovalidate._gen.buf.validate import validate_pb

from buf.validate import validate_pb2

ROOT = Path(__file__).resolve().parents[2]
COPIES = sorted((ROOT / "third_party" / "google").rglob("*.proto"))
WHEEL = Path(google.type.date_pb2.__file__).parents[2]


@pytest.mark.parametrize("copy", COPIES, ids=lambda copy: copy.name)
def test_a_google_proto_is_the_one_in_its_wheel(copy: Path) -> None:
    assert copy.read_bytes() == (WHEEL / copy.relative_to(ROOT / "third_party")).read_bytes()


def test_the_validation_rules_are_those_that_the_validator_knows() -> None:
    ours = FileDescriptorProto.FromString(validate_pb2.DESCRIPTOR.serialized_pb)
    known = FileDescriptorProto.FromString(validate_pb.desc().proto.to_binary())
    assert fields(ours) == fields(known)


def fields(file: FileDescriptorProto) -> set[tuple[str, str, int, int, str]]:
    """Each field of each message, nested ones included: what decides the meaning of the bytes."""
    found = set()
    waiting = [(message.name, message) for message in file.message_type]
    while waiting:
        path, message = waiting.pop()
        waiting += [(f"{path}.{nested.name}", nested) for nested in message.nested_type]
        for field in message.field:
            found.add((path, field.name, field.number, int(field.type), field.type_name))
    return found
