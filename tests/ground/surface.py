"""The API as its descriptors state it: every method, message and enum of `okr.v1`."""

import importlib
import pkgutil
from collections.abc import Iterator

from google.protobuf.descriptor import Descriptor, EnumDescriptor, FileDescriptor, MethodDescriptor
from google.protobuf.descriptor_pb2 import MethodOptions

import okr.v1

PACKAGE = "okr.v1"


def files() -> list[FileDescriptor]:
    """The descriptors of all generated modules, in order of their names."""
    names = sorted(module.name for module in pkgutil.iter_modules(okr.v1.__path__))
    modules = [f"{PACKAGE}.{name}" for name in names if name.endswith("_pb2")]
    return [importlib.import_module(module).DESCRIPTOR for module in modules]


def methods() -> list[MethodDescriptor]:
    return [
        method
        for file in files()
        for service in file.services_by_name.values()
        for method in service.methods
    ]


def is_read(method: MethodDescriptor) -> bool:
    return method.GetOptions().idempotency_level == MethodOptions.NO_SIDE_EFFECTS


def messages() -> list[Descriptor]:
    """Every message of the package, nested ones included."""
    top = [message for file in files() for message in file.message_types_by_name.values()]
    return [message for outer in top for message in with_nested(outer)]


def with_nested(message: Descriptor) -> Iterator[Descriptor]:
    yield message
    for nested in message.nested_types:
        yield from with_nested(nested)


def enums() -> list[EnumDescriptor]:
    top = [enum for file in files() for enum in file.enum_types_by_name.values()]
    return top + [enum for message in messages() for enum in message.enum_types]


def reached(message: Descriptor) -> list[Descriptor]:
    """A message of ours and all of ours that its fields reach, each once."""
    found: list[Descriptor] = []
    waiting = [message]
    while waiting:
        current = waiting.pop()
        if current in found or current.file.package != PACKAGE:
            continue
        found.append(current)
        waiting += [field.message_type for field in current.fields if field.message_type]
    return found
