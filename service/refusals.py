"""Refusals that come from the call and not from the domain: its bytes, its tokens, its instants."""

from __future__ import annotations

from dataclasses import dataclass

from ledger.refusals import Refusal


@dataclass(eq=False)
class FieldUnknown(Refusal):
    """The request has fields that this server does not know, as paths that end in a number."""

    fields: tuple[str, ...]

    def __str__(self) -> str:
        return f"this server does not know {', '.join(self.fields)}"


@dataclass(eq=False)
class RequestUnreadable(Refusal):
    """The bytes are not the message that the method takes; `message` is its full name."""

    message: str

    def __str__(self) -> str:
        return f"the request is not a valid {self.message}"


@dataclass(eq=False)
class RequestTooLarge(Refusal):
    """The request's bytes exceed the limit."""

    size_bytes: int
    limit_bytes: int

    def __str__(self) -> str:
        return f"the request has {self.size_bytes} bytes; {self.limit_bytes} are allowed"


@dataclass(eq=False)
class MetadataTooLarge(Refusal):
    """The call's metadata exceeds the limit."""

    size_bytes: int
    limit_bytes: int

    def __str__(self) -> str:
        return f"the metadata has {self.size_bytes} bytes; {self.limit_bytes} are allowed"


@dataclass(eq=False)
class AnswerTooLarge(Refusal):
    """The answer's bytes exceed the limit."""

    size_bytes: int
    limit_bytes: int

    def __str__(self) -> str:
        return (
            f"the answer has {self.size_bytes} bytes; {self.limit_bytes} are allowed: "
            "ask for a smaller part"
        )


@dataclass(eq=False)
class TooManyCalls(Refusal):
    """The server has as many calls of this class in its hands as it takes."""

    limit: int
    retry_seconds: float

    def __str__(self) -> str:
        return f"the server is at its limit of {self.limit} such calls at a time"


@dataclass(eq=False)
class QuotaExceeded(Refusal):
    """The caller has used up `quota`: "calls", "streams" or "calls_per_second"."""

    quota: str
    limit: str
    retry_seconds: float

    def __str__(self) -> str:
        kind = {"calls": "calls at a time", "streams": "streams at a time"}
        return f"a caller may have {self.limit} {kind.get(self.quota, 'calls per second')}"


@dataclass(eq=False)
class CallTooLong(Refusal):
    """The read took longer than any may."""

    limit_seconds: float

    def __str__(self) -> str:
        return f"the call took longer than the {self.limit_seconds:g} s that a read may take"


@dataclass(eq=False)
class CallTooLate(Refusal):
    """The deadline had passed when the call came to its turn."""

    def __str__(self) -> str:
        return "the deadline passed before the request's turn came; nothing was written"


@dataclass(eq=False)
class NotPermitted(Refusal):
    """The policies do not permit it; `policies` are those that forbid it, if any does.

    The same whether what it is about exists or not.
    """

    action: str
    principal: str
    policies: tuple[str, ...] = ()

    def __str__(self) -> str:
        return f"{self.principal} is not permitted to do this: {self.action}"


@dataclass(eq=False)
class Unauthenticated(Refusal):
    """Nobody vouches for who calls.

    `rule` says which rule the call breaks, "token.expired". `sentence` repeats nothing that the
    credential holds. `setting` is the operators' setting that is missing, empty where none is.
    """

    rule: str
    sentence: str
    setting: str = ""

    def __str__(self) -> str:
        return self.sentence


@dataclass(eq=False)
class Impersonation(Refusal):
    """The call names somebody for whom its principal does not speak."""

    principal: str
    named: str

    def __str__(self) -> str:
        return f"{self.principal} does not speak for {self.named}"


@dataclass(eq=False)
class KeysUnavailable(Refusal):
    """The keys that tokens are signed with are not known, or not known to be good any more."""

    def __str__(self) -> str:
        return "the keys to verify tokens with cannot be had now"
