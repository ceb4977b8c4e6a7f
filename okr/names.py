"""Resource names, in the full form of the API and in the short one that people type.

| resource | full | short |
|---|---|---|
| cycle | cycles/2026-q3 | 2026-q3 |
| objective | objectives/brand | brand |
| key result | objectives/brand/keyResults/followers | brand/followers |
| check-in | objectives/brand/keyResults/followers/checkIns/3 | brand/followers/3 |
"""

from __future__ import annotations

import re

_ID = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?", re.ASCII)
_NUMBER = re.compile(r"[1-9][0-9]{0,17}", re.ASCII)
_COLLECTIONS = ("objectives", "keyResults", "checkIns")


def cycle(given: str) -> str:
    """The full name of a cycle."""
    return _simple("cycles", given)


def team(given: str) -> str:
    """The full name of a team."""
    return _simple("teams", given)


def adjustment(given: str) -> str:
    """The full name of an adjustment."""
    return _simple("adjustments", given)


def review(given: str) -> str:
    """The full name of a review."""
    return _simple("reviews", given)


def actor(given: str) -> str:
    """The name of who acts: a person's pseudonym or a service."""
    collection, _, own = given.partition("/")
    if collection not in ("people", "services") or not valid_id(own):
        raise ValueError(f"{given!r} is no actor such as people/p-7f3a or services/crm")
    return given


def objective(given: str) -> str:
    """The full name of an objective."""
    return _nested(given, (1,), "an objective is written OBJECTIVE, such as brand")


def key_result(given: str) -> str:
    """The full name of a key result."""
    wanted = "a key result is written OBJECTIVE/KEY-RESULT, such as brand/followers"
    return _nested(given, (2,), wanted)


def check_in(given: str) -> str:
    """The full name of a check-in."""
    wanted = "a check-in is written OBJECTIVE/KEY-RESULT/NUMBER, such as brand/followers/3"
    return _nested(given, (3,), wanted)


def subject(given: str) -> str:
    """The full name of an objective or a key result, whichever it is."""
    wanted = "expected OBJECTIVE or OBJECTIVE/KEY-RESULT, such as brand or brand/followers"
    return _nested(given, (1, 2), wanted)


def short(name: str) -> str:
    """The short form of a full name; what is no full name comes back as it is."""
    parts = name.split("/")
    if parts[0] == "objectives" or len(parts) == 2:
        return "/".join(parts[1::2]) or name
    return name


def valid_id(given: str) -> bool:
    """Whether it can be the id of a cycle, team, objective, key result or adjustment."""
    return _ID.fullmatch(given) is not None


def _simple(collection: str, given: str) -> str:
    bare = given.removeprefix(f"{collection}/")
    if not valid_id(bare):
        raise ValueError(f"{given!r} is no name: lower-case letters, digits and hyphens only")
    return f"{collection}/{bare}"


def _nested(given: str, depths: tuple[int, ...], wanted: str) -> str:
    parts = given.split("/")
    if parts[0] == "objectives" and parts[::2] == [*_COLLECTIONS[: len(parts[::2])]]:
        parts = parts[1::2]
    well_formed = all(valid_id(part) for part in parts[:2]) and (
        len(parts) < 3 or _NUMBER.fullmatch(parts[2]) is not None
    )
    if len(parts) not in depths or not well_formed:
        raise ValueError(f"{given!r}: {wanted}")
    pairs = zip(_COLLECTIONS, parts, strict=False)
    return "/".join(segment for pair in pairs for segment in pair)
