"""Roles as they are granted: by a caller's credential, and by an operator's file."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Final, NamedTuple

from service.access.resources import TOP
from service.identity.watching import FileError, Watched

EVERYONE: Final = "everyone"
"""The entry of a roles file that holds for whoever is authenticated."""

MEMBERS: Final = frozenset({"contributor", "editor"})
"""The roles that make somebody a member of the team that they hold for."""

_ID: Final = "[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?"
_ROLE: Final = re.compile(rf"({_ID})(?::(teams/{_ID}))?")
_NAME: Final = re.compile(rf"(?:people|services)/{_ID}")


class RolesFileError(FileError):
    """A roles file cannot be read or says something that is not understood."""


class Role(NamedTuple):
    """A role, and the team for which, with those below it, it holds; `TOP` is everywhere."""

    role: str
    scope: str = TOP

    def __str__(self) -> str:
        return self.role if self.scope == TOP else f"{self.role}:{self.scope}"


def role_of(text: str) -> Role | None:
    """The role that a text grants, "auditor" or "contributor:teams/marketing"; None if none."""
    found = _ROLE.fullmatch(text)
    return None if found is None else Role(found[1], found[2] or TOP)


class Grants:
    """What an operator's file grants: to people and services by name, and to everyone."""

    def __init__(self, granted: Mapping[str, tuple[Role, ...]] | None = None) -> None:
        self._granted = granted or {}

    def of(self, name: str) -> tuple[Role, ...]:
        """The roles that a person or service has by the file."""
        return self._granted.get(name, ()) + self._granted.get(EVERYONE, ())


NO_GRANTS: Final = Grants()


class RolesFile(Watched[Grants]):
    """What an operator's file grants.

    It is TOML: names with lists of roles, as in `"people/anna" = ["contributor:teams/marketing"]`.
    """

    def __init__(self, file: Path) -> None:
        """Takes it in.

        Raises:
            RolesFileError: in one line for each thing that is wrong.
            FileError: it cannot be read.
        """
        super().__init__((file,), lambda raw: _grants(file, raw[0]), "roles file")


def _grants(file: Path, raw: bytes) -> Grants:
    try:
        told = tomllib.loads(raw.decode())
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise RolesFileError(f"{file}: {error}") from None
    granted = {}
    wrong = []
    for name, roles in told.items():
        if name != EVERYONE and _NAME.fullmatch(name) is None:
            wrong.append(f"{file}: {name!r} is neither people/ID, services/ID nor {EVERYONE}")
        elif not isinstance(roles, list):
            wrong.append(f"{file}: {name} has to have a list of roles")
        else:
            found = [role_of(role) if isinstance(role, str) else None for role in roles]
            wrong += [
                f"{file}: {name}: {text!r} is neither ROLE nor ROLE:teams/ID"
                for text, role in zip(roles, found, strict=True)
                if role is None
            ]
            granted[name] = tuple(filter(None, found))
    if wrong:
        raise RolesFileError("\n".join(wrong))
    return Grants(granted)


def roles_of(texts: Iterable[str]) -> tuple[list[Role], list[str]]:
    """The roles in texts, and the texts that are none."""
    found: list[Role] = []
    odd: list[str] = []
    for text in texts:
        role = role_of(text)
        if role is None:
            odd.append(text)
        else:
            found.append(role)
    return found, odd
