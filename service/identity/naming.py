"""The name and the roles that a token's claims give its bearer."""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from service.identity.metadata import ID, NAME
from service.refusals import Unauthenticated

ROLES: Final = 100
"""The most roles of a principal; a credential that states more gives none."""
ROLE: Final = re.compile(r"[!-~]{1,200}")
PSEUDONYM_KEY_BYTES: Final = 32
SUBJECT_CHARACTERS: Final = 1000

PERSON: Final = "person"
SERVICE: Final = "service"

_ID: Final = re.compile(ID)
_COLLECTIONS: Final = {PERSON: "people", SERVICE: "services"}
# A client that has a token in its own name: RFC 9068 section 2.2, and what issuers call it.
_CLIENT_CLAIMS: Final = ("client_id", "azp", "cid")


@dataclass(frozen=True, slots=True)
class Naming:
    """How the claims of verified tokens become names and roles.

    `name_claim`, `kind_claim` and `roles_claim` are keys of claims, or paths of keys with dots
    between them where no key is of that name. `pseudonym_key` makes names of subjects that are no
    ids, empty if there is none.
    """

    name_claim: str
    kind_claim: str
    roles_claim: str
    pseudonym_key: bytes

    def name(self, claims: Mapping[str, Any]) -> str:
        """The bearer's name: "people/{id}" or "services/{id}".

        Raises:
            Unauthenticated: no name follows from the claims.
        """
        subject = _found(claims, self.name_claim)
        if not isinstance(subject, str) or not _is_text(subject):
            raise Unauthenticated("token.name", f"the token has no claim `{self.name_claim}`")
        kind = self._kind(claims)
        if NAME.fullmatch(subject):
            if kind and not subject.startswith(f"{_COLLECTIONS[kind]}/"):
                raise Unauthenticated("token.kind", "the token's subject is of another kind")
            return subject
        collection = _COLLECTIONS[kind or (SERVICE if _names_itself(claims) else PERSON)]
        if _ID.fullmatch(subject):
            return f"{collection}/{subject}"
        if not self.pseudonym_key:
            raise Unauthenticated(
                "token.pseudonym",
                "the token's subject is no id, and the server has no key to make a pseudonym of it",
                "OKR_PSEUDONYM_KEY_FILE",
            )
        return f"{collection}/{pseudonym(self.pseudonym_key, str(claims['iss']), subject)}"

    def roles(self, claims: Mapping[str, Any]) -> tuple[str, ...]:
        """What the token states as a list of text, sorted, each once; else none."""
        return roles_of(_found(claims, self.roles_claim))

    def _kind(self, claims: Mapping[str, Any]) -> str:
        """What the token says that its bearer is; empty if it says nothing."""
        kind = _found(claims, self.kind_claim)
        if kind is None:
            return ""
        if kind not in (PERSON, SERVICE):
            raise Unauthenticated(
                "token.kind", f"the token's `{self.kind_claim}` is neither person nor service"
            )
        return str(kind)


def roles_of(stated: object) -> tuple[str, ...]:
    """The roles that a list of text states, sorted, each once; none if it is anything else."""
    if not isinstance(stated, list) or len(stated) > ROLES:
        return ()
    if not all(isinstance(role, str) and ROLE.fullmatch(role) for role in stated):
        return ()
    return tuple(sorted(set(stated)))


def pseudonym(key: bytes, issuer: str, subject: str) -> str:
    """An id that tells nothing of the subject to whoever lacks the key: 52 of a-z and 2-7.

    Base32 in lower case, without padding, of the HMAC-SHA256 with the key over the issuer's UTF-8,
    a byte 0, and the subject's UTF-8.
    """
    digest = hmac.digest(key, f"{issuer}\0{subject}".encode(), hashlib.sha256)
    return base64.b32encode(digest).decode().rstrip("=").lower()


def _is_text(subject: str) -> bool:
    """Whether it is Unicode, as JSON need not be, and not out of all measure."""
    try:
        subject.encode()
    except UnicodeEncodeError:
        return False
    return 0 < len(subject) <= SUBJECT_CHARACTERS


def _names_itself(claims: Mapping[str, Any]) -> bool:
    """Whether the bearer is a client that was given the token for itself."""
    subject = claims.get("sub")
    return claims.get("idtyp") == "app" or any(
        subject is not None and claims.get(claim) == subject for claim in _CLIENT_CLAIMS
    )


def _found(claims: Mapping[str, Any], path: str) -> Any:
    """The claim, None where there is none."""
    if path in claims:
        return claims[path]
    found: Any = claims
    for key in path.split("."):
        found = found.get(key) if isinstance(found, dict) else None
    return found
