"""A service that knows its callers, over TLS: what each of them sees."""

from __future__ import annotations

import io
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from threading import Thread
from typing import Any, Final

import grpc
import pytest
from google.protobuf.message_factory import GetMessageClass
from grpc_health.v1.health_pb2 import HealthCheckRequest, HealthCheckResponse
from grpc_health.v1.health_pb2_grpc import HealthStub
from grpc_reflection.v1alpha.reflection_pb2 import ServerReflectionRequest
from grpc_reflection.v1alpha.reflection_pb2_grpc import ServerReflectionStub

from okr.v1.operations_service_pb2 import GetStatusRequest
from service.logging import logs
from tests.support.ask import team
from tests.support.databases import ON_SQLITE_ALONE
from tests.support.identities import (
    AUDIENCE,
    ISSUER,
    Callers,
    Files,
    authenticated_service,
    bearer,
    elliptic,
    key_set,
    public_pem,
    put_together,
    rsa_key,
    token,
)
from tests.support.serving import LoopThread, refused
from tests.support.turned_away import ROLES, actors, rule, turned_away, until
from tests.support.whole import METHODS, Caller, path_of

pytestmark = ON_SQLITE_ALONE

NOW: Final = int(time.time())
CLAIMS: Final = {"iss": ISSUER, "aud": AUDIENCE, "sub": "people/anna", "exp": NOW + 3600}


@pytest.fixture(scope="module")
def callers(loop: LoopThread, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callers]:
    folder = tmp_path_factory.mktemp("known")
    with authenticated_service(loop, folder, everyone=ROLES) as found:
        yield found


# Without a credential


@pytest.mark.parametrize("request_name", sorted(METHODS))
def test_every_method_refuses_a_call_without_a_credential(
    callers: Callers, request_name: str
) -> None:
    request = GetMessageClass(METHODS[request_name].input_type)()
    me = callers.anonymous()
    error = refused(lambda: me.post(path_of(request), b""))
    assert (error.code, error.reason) == (grpc.StatusCode.UNAUTHENTICATED, "UNAUTHENTICATED")
    assert error.info.metadata["rule"] == "credential.missing"
    assert "authorization: Bearer" in error.message


def test_a_name_in_the_metadata_is_no_credential(callers: Callers) -> None:
    me = callers.anonymous()
    error = me.refused(GetStatusRequest(), metadata=[("okr-actor", "people/anna")])
    assert error.info.metadata["rule"] == "credential.missing"


def test_health_is_told_to_everybody(callers: Callers) -> None:
    asked: Any = HealthStub(callers.channel())
    until(lambda: asked.Check(HealthCheckRequest()).status == HealthCheckResponse.SERVING)


def test_reflection_is_for_callers_that_are_known(callers: Callers) -> None:
    question = ServerReflectionRequest(list_services="*")
    asked: Any = ServerReflectionStub(callers.channel())
    error = refused(lambda: next(asked.ServerReflectionInfo(iter([question]), timeout=5)))
    assert error.reason == "UNAUTHENTICATED"
    known = asked.ServerReflectionInfo(iter([question]), timeout=5, metadata=bearer(token("anna")))
    (answer,) = known
    assert "okr.v1.LedgerService" in {s.name for s in answer.list_services_response.service}


# Tokens


def test_a_token_names_who_writes(callers: Callers) -> None:
    me = callers.named("people/anna")
    position = me.ask(team("of-anna")).position
    assert actors(me)[position - 1] == ("people/anna", "")


@pytest.mark.parametrize(
    ("claims", "name"),
    [
        ({"sub": "services/crm"}, "services/crm"),
        ({"sub": "berta"}, "people/berta"),
        ({"sub": "f81d4fae-7dec-11d0-a765-00a0c91e6bf6"}, None),
        ({"sub": "metrics", "okr_kind": "service"}, "services/metrics"),
        ({"sub": "metrics", "client_id": "metrics"}, "services/metrics"),
        ({"sub": "metrics", "azp": "metrics"}, "services/metrics"),
        ({"sub": "berta", "azp": "dashboard"}, "people/berta"),
        ({"sub": "berta", "aud": ["other", "okr-ledger"]}, "people/berta"),
    ],
)
def test_claims_say_who_somebody_is(
    callers: Callers, claims: dict[str, Any], name: str | None
) -> None:
    me = callers.with_token(token("", **claims))
    position = me.ask(team(f"t{abs(hash(str(claims))):x}"[:20])).position
    assert actors(me)[position - 1] == (name or f"people/{claims['sub']}", "")


BAD_TOKENS: Final[dict[str, tuple[str, Callable[[], str]]]] = {
    "that has expired": ("token.expired", lambda: token("people/anna", exp=NOW - 3600)),
    "without an end": ("token.expiry", lambda: token("people/anna", exp=None)),
    "with an end that is no number": (
        "token.malformed",
        lambda: put(CLAIMS | {"exp": "tomorrow"}),
    ),
    "with an end beyond all numbers": ("token.malformed", lambda: put(CLAIMS | {"exp": 10**400})),
    "for another service": ("token.audience", lambda: token("people/anna", aud="okr-ledge")),
    "for nobody": ("token.audience", lambda: token("people/anna", aud=None)),
    "of another issuer": ("token.issuer", lambda: token("people/anna", iss="https://issuer")),
    "of a stranger": ("token.signature", lambda: token("people/anna", key=elliptic("stranger"))),
    "of no key": ("token.algorithm", lambda: put_together({"alg": "none"}, CLAIMS, None)),
    "signed with what is public": (
        "token.algorithm",
        lambda: put_together(
            {"alg": "HS256", "kid": "first"}, CLAIMS, public_pem(elliptic("first"))
        ),
    ),
    "that was changed": ("token.signature", lambda: changed(token("people/anna"))),
    "that holds later": ("token.early", lambda: token("people/anna", nbf=NOW + 3600)),
    "made in the future": ("token.early", lambda: token("people/anna", iat=NOW + 3600)),
    "of a key that nobody knows": ("token.key", lambda: token("people/anna", key_id="second")),
    "of a key of another kind": (
        "token.key",
        lambda: token("people/anna", key=rsa_key(), algorithm="RS256"),
    ),
    "that asks for more": (
        "token.header",
        lambda: token("people/anna", headers={"crit": ["exp"], "exp": NOW}),
    ),
    "that is too long": ("token.size", lambda: token("people/anna", padding="x" * 8192)),
    "that is none": ("token.malformed", lambda: "people/anna"),
    "that is empty": ("token.malformed", lambda: ""),
    "of three dots": ("token.malformed", lambda: "a.b.c"),
    "of nobody": ("token.name", lambda: token("people/anna", sub=None)),
    "of a team": ("token.pseudonym", lambda: token("teams/sales")),
    "of a robot": ("token.kind", lambda: token("people/anna", okr_kind="robot")),
    "of a person that is a service": (
        "token.kind",
        lambda: token("people/anna", okr_kind="service"),
    ),
}


def put(claims: dict[str, Any]) -> str:
    """A token with these claims, well signed."""
    return token("", **{"iat": None, "roles": None, **claims})


def changed(text: str) -> str:
    """The token with another subject and the old signature."""
    header, _, signature = text.split(".")
    _, payload, _ = token("people/berta").split(".")
    return f"{header}.{payload}.{signature}"


@pytest.mark.parametrize("kind", BAD_TOKENS)
def test_a_token_is_refused(callers: Callers, kind: str) -> None:
    broken, make = BAD_TOKENS[kind]
    text = make()
    error = turned_away(callers.with_token(text))
    assert error.info.metadata["rule"] == broken
    told = str(vars(error))
    assert all(part not in told for part in text.split(".") if len(part) > 5)


@pytest.mark.parametrize(
    ("metadata", "broken"),
    [
        ((("authorization", "Basic YW5uYTpzZWNyZXQ="),), "token.scheme"),
        ((("authorization", ""),), "token.scheme"),
        ((*bearer("a"), *bearer("b")), "token.once"),
    ],
)
def test_an_authorization_is_one_bearer_token(
    callers: Callers, metadata: tuple[tuple[str, str], ...], broken: str
) -> None:
    error = turned_away(Caller(callers.channel(), credential=metadata))
    assert error.info.metadata["rule"] == broken
    assert "YW5uYTpzZWNyZXQ" not in str(vars(error))


def test_a_subject_that_is_no_id_needs_a_key_for_pseudonyms(
    callers: Callers, loop: LoopThread, tmp_path: Path
) -> None:
    subject = "Anna.Smith@example.org"
    error = turned_away(callers.named(subject))
    assert error.info.metadata["setting"] == "OKR_PSEUDONYM_KEY_FILE"
    assert subject not in str(vars(error))
    secret = tmp_path / "pseudonyms.key"
    secret.write_bytes(b"0123456789abcdef0123456789abcdef\n")
    with authenticated_service(loop, tmp_path, everyone=ROLES, pseudonym_key_file=secret) as found:
        me = found.named(subject)
        me.ask(team("first"))
        ((actor, _),) = actors(me)
    # Computed with OpenSSL: printf 'https://issuer.example\0Anna.Smith@example.org' |
    # openssl dgst -sha256 -hmac 0123456789abcdef0123456789abcdef -binary | base32
    assert actor == "people/meb6fscnsklxzwhgiqlmqw7pccjor73m5ucf4576p7ohp4lys5oa"


def test_new_keys_are_taken_in_and_old_ones_no_longer_hold(
    loop: LoopThread, tmp_path: Path, swift: None
) -> None:
    with authenticated_service(loop, tmp_path, everyone=ROLES) as found:
        old = found.named("people/anna")
        new = found.named("people/anna", key=elliptic("second"), key_id="second")
        assert (rule(old), rule(new)) == ("", "token.key")
        files = Files(tmp_path)
        files.keys.write_bytes(key_set(first=elliptic("first"), second=elliptic("second")))
        until(lambda: rule(new) == "")
        assert rule(old) == ""
        files.keys.write_bytes(b"{")
        files.keys.write_bytes(key_set(second=elliptic("second")))
        until(lambda: rule(old) == "token.key")
        assert rule(new) == ""


@contextmanager
def published(text: bytes, port: int = 0) -> Iterator[str]:
    """An address that answers with a key set."""

    class Answering(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.end_headers()
            self.wfile.write(text)

        def log_message(self, *_: Any) -> None:
            """Says nothing."""

    with HTTPServer(("127.0.0.1", port), Answering) as server:
        answering = Thread(target=server.serve_forever, args=(0.02,))
        answering.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/keys"
        finally:
            server.shutdown()
            answering.join()


def test_until_an_issuer_answers_callers_are_told_to_come_back(
    loop: LoopThread, tmp_path: Path, swift: None
) -> None:
    with published(b"") as address:
        port = int(address.split(":")[2].split("/")[0])
    with authenticated_service(loop, tmp_path, everyone=ROLES, jwt_jwks=address) as found:
        me = found.named("people/anna")
        error = refused(lambda: me.ask(GetStatusRequest()))
        assert (error.code, error.reason) == (grpc.StatusCode.UNAVAILABLE, "KEYS_UNAVAILABLE")
        assert error.retry.HasField("retry_delay")
        with published(key_set(first=elliptic("first")), port):
            until(lambda: rule(me) == "")
        # It is away again, and its keys are still good.
        assert me.ask(GetStatusRequest()).head_position == 0
        assert rule(found.named("people/berta")) == ""


def test_the_request_log_tells_how_a_caller_is_known_and_no_token(
    loop: LoopThread, tmp_path: Path
) -> None:
    written = io.BytesIO()
    good, bad = token("services/crm", "auditor"), token("people/berta", exp=NOW - 3600)
    with (
        logs("json", "debug", written),
        authenticated_service(loop, tmp_path, everyone=ROLES) as found,
    ):
        found.with_token(good).ask(GetStatusRequest())
        turned_away(found.with_token(bad))
    text = written.getvalue().decode()
    assert '"actor":"services/crm","authenticated_by":"token"' in text
    assert '"reason":"UNAUTHENTICATED","rule":"token.expired"' in text
    for part in (*good.split("."), *bad.split(".")):
        assert part not in text


# Names that a call gives


def test_an_actor_that_a_call_names_has_to_be_its_principal(callers: Callers) -> None:
    me = callers.named("people/anna")
    me.ask(GetStatusRequest(), metadata=[("okr-actor", "people/anna")])
    error = me.refused(GetStatusRequest(), metadata=[("okr-actor", "people/berta")])
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "IMPERSONATION")
    assert error.info.metadata == {"principal": "people/anna", "named": "people/berta"}


def test_a_service_acts_for_others_and_a_person_does_not(callers: Callers) -> None:
    behalf = [("okr-on-behalf-of", "people/berta")]
    crm = callers.named("services/crm")
    position = crm.ask(team("for-berta"), metadata=behalf).position
    assert actors(crm)[position - 1] == ("services/crm", "people/berta")
    error = callers.named("people/anna").refused(team("as-berta"), metadata=behalf)
    assert (error.code, error.reason) == (grpc.StatusCode.PERMISSION_DENIED, "IMPERSONATION")
