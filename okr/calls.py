"""What every call of a client carries, and what the client learns from its answer."""

from __future__ import annotations

import json
import threading
from typing import Any, Final, NamedTuple, TypeAlias, TypeVar, cast

import grpc
from google.protobuf.message import Message

from okr.credentials import AUTHORIZATION_KEY, Bearer, authorization
from okr.errors import OkrError, error_of
from okr.request_ids import identified

Metadata: TypeAlias = tuple[tuple[str, str | bytes], ...]
Request = TypeVar("Request", bound=Message)

DEFAULT_ADDRESS: Final = "127.0.0.1:50051"
DEFAULT_TIMEOUT_SECONDS: Final = 10.0

ACTOR_KEY: Final = "okr-actor"
ON_BEHALF_OF_KEY: Final = "okr-on-behalf-of"

# Watches are opened again by the client itself, after the last answer: see `okr.resuming`.
_SERVICES = ("LedgerService", "ScoreService", "AuditService", "OperationsService")
_REPLAYS = ("ReplayCycle", "GetRetrospective")

SERVICE_CONFIG: Final = {
    # Without it every call of a channel goes to the first server of the address.
    "loadBalancingConfig": [{"round_robin": {}}],
    # Only UNAVAILABLE is safe to repeat unseen (AIP-194); of writes because each carries a
    # request id and is applied once. CANCELLED is what a gRPC server that shuts down says to calls
    # that it has not begun; what a caller cancels itself is never repeated.
    # A stream of check-ins is none of these: its client sends again what was not acknowledged.
    "methodConfig": [
        {"name": [{"service": "okr.v1.LedgerService", "method": "StreamCheckIns"}]},
        {
            "name": [
                *({"service": f"okr.v1.{service}"} for service in _SERVICES),
                *({"service": "okr.v1.ReplayService", "method": method} for method in _REPLAYS),
            ],
            "retryPolicy": {
                "maxAttempts": 5,
                "initialBackoff": "0.3s",
                "maxBackoff": "2s",
                "backoffMultiplier": 2,
                "retryableStatusCodes": ["UNAVAILABLE", "CANCELLED"],
            },
        },
    ],
}

CHANNEL_OPTIONS: Final = (
    ("grpc.service_config", json.dumps(SERVICE_CONFIG)),
    ("grpc.enable_retries", 1),
    # Servers refuse callers that ping more often than every 30 s.
    ("grpc.keepalive_time_ms", 60_000),
    ("grpc.keepalive_timeout_ms", 20_000),
)

# The token is of a ledger that is no more: restored from a backup, or another one.
_DEAD_TOKEN = ("TOKEN_LOST", "TOKEN_FOREIGN")


class Prepared(NamedTuple):
    """A request ready to be sent.

    `writes` says that its answer's position is one of the client's own.
    """

    request: Message
    request_id: str
    timeout_seconds: float | None
    metadata: Metadata
    writes: bool


class Calls:
    """The circumstances of a client's calls, shared by its threads or tasks.

    Each write gets a request id, each read waits for the client's own latest write.
    """

    def __init__(
        self,
        actor: str,
        on_behalf_of: str,
        timeout_seconds: float,
        bearer: Bearer | None = None,
    ) -> None:
        self._who = {ACTOR_KEY: actor, ON_BEHALF_OF_KEY: on_behalf_of}
        self._bearer = bearer
        self._timeout_seconds = timeout_seconds
        self._lock = threading.Lock()
        self._position = 0
        self._token = ""

    @property
    def token(self) -> str:
        """Token of the latest write that was answered; empty before the first."""
        return self._token

    def prepared(
        self,
        request: Request,
        timeout_seconds: float | None,
        metadata: Metadata | None,
        *,
        streamed: bool = False,
    ) -> Prepared:
        """The request with what it lacks, on a copy; what the caller has set stays.

        A stream of answers goes on until it is cancelled, unless the caller says how long.
        """
        fields = request.DESCRIPTOR.fields_by_name
        writes = "request_id" in fields or "requests" in fields
        if writes:
            request = identified(request)
        elif "at_least_as_fresh" in fields and not getattr(request, "at_least_as_fresh", ""):
            fresh: Any = type(request)(at_least_as_fresh=self._token)
            fresh.MergeFrom(request)
            request = fresh
        if timeout_seconds is None and not streamed:
            timeout_seconds = self._timeout_seconds
        return Prepared(
            request,
            getattr(request, "request_id", ""),
            timeout_seconds,
            self.metadata(metadata),
            writes,
        )

    def metadata(self, given: Metadata | None) -> Metadata:
        """What a call says of its caller; what it says itself stays.

        Raises:
            OkrError: there is no bearer token where there should be one.
        """
        given = given or ()
        said = {key for key, _ in given}
        whole = (*given, *((k, v) for k, v in self._who.items() if v and k not in said))
        if self._bearer is None or AUTHORIZATION_KEY in said:
            return whole
        return (*whole, (AUTHORIZATION_KEY, authorization(self._bearer)))

    def learn(self, answer: object) -> None:
        """Remember the token of a write; answers may come in another order than positions."""
        if isinstance(answer, Message) and (token := getattr(answer, "token", "")):
            position = cast(int, getattr(answer, "position", 0))
            with self._lock:
                if position >= self._position:
                    self._position, self._token = position, token

    def failed(self, failure: grpc.RpcError, request_id: str = "") -> OkrError:
        """The error to raise; a token of a ledger that is no more is forgotten."""
        error = error_of(failure, request_id)
        if error.reason in _DEAD_TOKEN:
            with self._lock:
                self._position, self._token = 0, ""
        return error
