"""The Cedar schema: the kinds of things, from a file, and an action for each method."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from functools import cache
from importlib.resources import files
from typing import Final

from cedarpy import Schema

from service.access.resources import OBJECTIVE, PERSON, SERVICE
from service.access.rules import ACT_FOR, GROUPS, RULES, SEE

FILES: Final = files("service.access")


def schema_text() -> str:
    """The schema, as operators may read it."""
    entities = FILES.joinpath("entities.cedarschema").read_text("utf-8")
    return entities + "\n" + "\n".join(_actions()) + "\n"


@cache
def schema() -> Schema:
    """The schema, parsed once."""
    return Schema.from_str(schema_text())


def _actions() -> Iterator[str]:
    for group, parts in GROUPS.items():
        within = f" in [{', '.join(parts)}]" if parts else ""
        yield f"action {group}{within};"
    for method, rule in RULES.items():
        yield _action(method, rule.kinds, f" in [{rule.group}]")
    yield _action(SEE, (OBJECTIVE,))
    yield _action(ACT_FOR, (PERSON, SERVICE))


def _action(name: str, kinds: Iterable[str], within: str = "") -> str:
    on = ", ".join(dict.fromkeys(kinds))
    return (
        f"action {name}{within} appliesTo {{"
        f" principal: [{PERSON}, {SERVICE}], resource: [{on}], context: {{}} }};"
    )
