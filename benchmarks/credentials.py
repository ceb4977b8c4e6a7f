"""Credentials of a run's own: an issuer of tokens, an authority, a server that knows both."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import grpc
import jwt
import trustme
from cryptography.hazmat.primitives.asymmetric import ec
from jwt.algorithms import ECAlgorithm

ISSUER = "https://issuer.bench.invalid"
AUDIENCE = "okr-ledger"
CALLER = "services/bench"
ROLES = ("administrator", "cycle-administrator", "editor", "operator")
LASTS_SECONDS = 86_400


@dataclass(frozen=True, slots=True)
class Credentials:
    """The files by which a server knows its callers, and a caller its server."""

    authority: Path
    """Who signed the server's certificate, PEM."""
    token: Path
    """The caller's token."""
    settings: Mapping[str, str]
    """What the server is to be started with."""

    def channel(self, address: str) -> grpc.Channel:
        """A channel to the server, with the caller's token on each call; to be closed."""
        trusted = grpc.ssl_channel_credentials(self.authority.read_bytes())
        token = grpc.access_token_call_credentials(self.token.read_text(encoding="utf-8"))
        return grpc.secure_channel(address, grpc.composite_channel_credentials(trusted, token))


def make_credentials(folder: Path) -> Credentials:
    """Writes a certificate for 127.0.0.1, a key set, and a token that may do everything here."""
    folder.mkdir()
    authority = trustme.CA()
    authority.cert_pem.write_to_path(folder / "authority.pem")
    issued = authority.issue_cert("127.0.0.1")
    issued.private_key_pem.write_to_path(folder / "server.key")
    issued.cert_chain_pems[0].write_to_path(folder / "server.pem")

    key = ec.generate_private_key(ec.SECP256R1())
    published = ECAlgorithm.to_jwk(key.public_key(), as_dict=True)
    key_set = {"keys": [{**published, "kid": "bench", "use": "sig", "alg": "ES256"}]}
    (folder / "keys.json").write_text(json.dumps(key_set), encoding="utf-8")
    now = int(time.time())
    claims = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": CALLER,
        "iat": now,
        "exp": now + LASTS_SECONDS,
        "roles": list(ROLES),
    }
    token = jwt.encode(claims, key, algorithm="ES256", headers={"kid": "bench"})
    (folder / "token").write_text(token, encoding="utf-8")
    return Credentials(
        folder / "authority.pem",
        folder / "token",
        {
            "OKR_TLS_CERT_FILE": str(folder / "server.pem"),
            "OKR_TLS_KEY_FILE": str(folder / "server.key"),
            "OKR_JWT_JWKS": str(folder / "keys.json"),
            "OKR_JWT_ISSUER": ISSUER,
            "OKR_JWT_AUDIENCE": AUDIENCE,
            # One caller makes all the load here.
            "OKR_CALLER_CALLS_PER_SECOND": "0",
            "OKR_CALLER_CALLS": "0",
        },
    )
