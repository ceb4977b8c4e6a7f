"""The rules that the API declares for its requests, checked before anything is sent."""

from __future__ import annotations

from collections.abc import Iterator

import protovalidate
from google.protobuf.message import Message

_CONTROL_CHARACTERS = r"\P{Cc}"


def violations(request: Message) -> Iterator[tuple[str, str]]:
    """Each field of a request that breaks a declared rule: its path and a sentence."""
    for violation in protovalidate.collect_violations(request):
        told = violation.proto
        sentence = told.message or told.rule_id
        if told.rule_id == "string.pattern" and _CONTROL_CHARACTERS in sentence:
            sentence = "holds control characters"
        yield _path(told), sentence


def _path(told: protovalidate.ViolationPb) -> str:
    path = ""
    for element in told.field.elements if told.field else ():
        path += f".{element.field_name}" if path else element.field_name
        if element.subscript:
            path += f"[{element.subscript.value}]"
    return path
