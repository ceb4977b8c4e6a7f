"""The policies in force: those that are shipped, and an operator's own beside them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from cedarpy import PolicySet, policies_to_json_str, validate_policies

from service.access.resources import PERSON, SERVICE
from service.access.schema import FILES, schema
from service.identity.watching import FileError, Watched

SUFFIX: Final = ".cedar"

TREE: Final = frozenset({"Team", "Cycle", "Ledger", "Action"})
"""What a policy may name without a decision depending on the names of other things."""


class PolicyError(FileError):
    """Policies cannot be read, parsed, or do not fit the schema; a line for each fault."""


@dataclass(frozen=True, slots=True)
class Source:
    """A text of policies, and what it is called."""

    name: str
    text: str


@dataclass(frozen=True, slots=True, eq=False)
class Policies:
    """Policies that fit the schema, ready to be decided by.

    `ids` are what each is called for people, by the id that Cedar gives it, and `read` is each in
    Cedar's JSON. `names_callers` and `names_things` say that a policy names some person or service,
    or some other single thing: else no decision depends on what they are called.
    """

    parsed: PolicySet
    ids: Mapping[str, str]
    read: Mapping[str, Any]
    names_callers: bool
    names_things: bool


def shipped() -> Source:
    """The policies that come with the package."""
    return Source("default", FILES.joinpath("default.cedar").read_text("utf-8"))


class PolicyFiles(Watched["Policies"]):
    """The shipped policies with an operator's: a file, or all of a folder that end in ".cedar"."""

    def __init__(self, path: Path) -> None:
        """Takes them in.

        Raises:
            PolicyError: they are not policies, or do not fit the schema.
            FileError: they cannot be read, or there are none.
        """
        self._path = path
        super().__init__((), self._policies, "policies")

    def _marks(self) -> list[tuple[int, ...]]:
        self._files = _files(self._path)
        return super()._marks()

    def _policies(self, raw: Sequence[bytes]) -> Policies:
        texts = zip(self._files, raw, strict=True)
        return policies([Source(file.name, _decoded(file, text)) for file, text in texts])


def _files(path: Path) -> Sequence[Path]:
    if not path.is_dir():
        return (path,)
    found = sorted(path.glob(f"*{SUFFIX}"))
    if not found:
        raise PolicyError(f"{path} holds no file that ends in {SUFFIX}")
    return found


def _decoded(file: Path, raw: bytes) -> str:
    try:
        return raw.decode()
    except UnicodeDecodeError:
        raise PolicyError(f"{file} is not UTF-8") from None


def policies(own: Sequence[Source] = ()) -> Policies:
    """The shipped policies and an operator's own together: one permits, and any one forbids.

    Raises:
        PolicyError: some of them are not policies, or do not fit the schema.
    """
    sources = [shipped(), *own]
    faults = [fault for source in sources for fault in _faults(source)]
    if faults:
        raise PolicyError("\n".join(faults))
    text = "\n".join(source.text for source in sources)
    told = json.loads(policies_to_json_str(text))
    if told["templates"]:
        raise PolicyError("templates grant nothing here: write a policy for each")
    # Cedar numbers policies in the order of the text.
    ids = [own for source in sources for own in _ids(source)]
    named = set(_named(told["staticPolicies"]))
    return Policies(
        PolicySet.from_str(text),
        {f"policy{number}": own for number, own in enumerate(ids)},
        told["staticPolicies"],
        names_callers=bool(named & {PERSON, SERVICE}),
        names_things=bool(named - TREE - {PERSON, SERVICE}),
    )


def _ids(source: Source) -> list[str]:
    """What the policies of a text are called: by the annotation `@id`, or by their place in it."""
    told = json.loads(policies_to_json_str(source.text))["staticPolicies"]
    return [_id(source, number, told[f"policy{number}"]) for number in range(len(told))]


def _faults(source: Source) -> Iterator[str]:
    """What is wrong with a text by itself."""
    try:
        told = json.loads(policies_to_json_str(source.text))["staticPolicies"]
    except ValueError as error:
        yield f"{source.name}: {' '.join(str(error).split())}"
        return
    for fault in validate_policies(source.text, schema()).errors:
        number = fault.policy_id.removeprefix("policy")
        which = _id(source, int(number), told[fault.policy_id]) if number.isdigit() else source.name
        said = " ".join(fault.error.split()).removeprefix(f"for policy `{fault.policy_id}`, ")
        yield f"{source.name}: {which}: {said}"


def _id(source: Source, number: int, policy: Mapping[str, Any]) -> str:
    return str(policy.get("annotations", {}).get("id") or f"{source.name}#{number + 1}")


def _named(told: Any) -> Iterator[str]:
    """The types of all things that policies name, in Cedar's JSON."""
    if isinstance(told, list):
        for each in told:
            yield from _named(each)
    elif isinstance(told, dict):
        if told.keys() == {"type", "id"}:
            yield str(told["type"])
        for each in told.values():
            yield from _named(each)
