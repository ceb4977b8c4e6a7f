"""The options of TLS and authentication; each is a setting of `service.identity.settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

TlsCertFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_TLS_CERT_FILE",
        help="The certificate to listen with and its chain, in PEM. Followed when it is replaced.",
        show_default="no TLS",
    ),
]
TlsKeyFile = Annotated[
    Path | None,
    typer.Option(envvar="OKR_TLS_KEY_FILE", help="The private key of that certificate, in PEM."),
]
TlsClientCaFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_TLS_CLIENT_CA_FILE",
        help="The authorities of client certificates, in PEM: every client has to show one.",
        show_default="none is asked for",
    ),
]
TlsAtProxy = Annotated[
    bool | None,
    typer.Option(
        envvar="OKR_TLS_AT_PROXY",
        help="Listen for others in plain text: a proxy ends TLS, and nobody else can connect.",
        show_default="no-tls-at-proxy",
    ),
]
JwtJwks = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_JWT_JWKS",
        metavar="FILE|URL",
        help="The key set that tokens are verified with: a file, or an https:// address.",
        show_default="no tokens",
    ),
]
JwtIssuer = Annotated[
    str | None,
    typer.Option(envvar="OKR_JWT_ISSUER", help="Who issues tokens: the claim `iss`, exactly."),
]
JwtAudience = Annotated[
    str | None,
    typer.Option(envvar="OKR_JWT_AUDIENCE", help="Whom tokens are for: one of the claim `aud`."),
]
JwtAlgorithms = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_JWT_ALGORITHMS",
        help="What tokens may be signed with, separated by commas.",
        show_default="RS…, PS…, ES…, EdDSA",
    ),
]
JwtLeewaySeconds = Annotated[
    float | None,
    typer.Option(
        envvar="OKR_JWT_LEEWAY_SECONDS",
        help="What the clocks of issuer and server may differ by.",
        show_default="30",
    ),
]
JwtJwksMaxAgeSeconds = Annotated[
    float | None,
    typer.Option(
        envvar="OKR_JWT_JWKS_MAX_AGE_SECONDS",
        help="How long keys are good that cannot be fetched anew.",
        show_default="86400",
    ),
]
JwtNameClaim = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_JWT_NAME_CLAIM",
        help="The claim that names the caller; callers must not be able to choose it.",
        show_default="sub",
    ),
]
JwtKindClaim = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_JWT_KIND_CLAIM",
        help="The claim that says person or service.",
        show_default="okr_kind",
    ),
]
JwtRolesClaim = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_JWT_ROLES_CLAIM",
        help="The claim that lists the caller's roles.",
        show_default="roles",
    ),
]
PseudonymKeyFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_PSEUDONYM_KEY_FILE",
        help="A secret of 32 bytes or more, which makes names of subjects that are no ids.",
        show_default="such subjects are refused",
    ),
]
CertificateNamesFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_CERTIFICATE_NAMES_FILE",
        help="TOML: whom the names in client certificates stand for.",
    ),
]
SpiffeTrustDomains = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_SPIFFE_TRUST_DOMAINS",
        help="Whose spiffe://DOMAIN/services/… and …/people/… name their bearers themselves,"
        " separated by commas.",
        show_default="nobody's",
    ),
]
