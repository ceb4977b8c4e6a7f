"""The options that say what to show for who calls; a token itself is in no flag."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated

import typer

from okr.credentials import Shown

Tls = Annotated[
    bool,
    typer.Option(
        "--tls", envvar="OKR_TLS", help="Connect over TLS; the options on files do so too."
    ),
]
CaFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_CA_FILE", help="Whose servers to trust, in PEM.", show_default="gRPC's own"
    ),
]
CertFile = Annotated[
    Path | None, typer.Option(envvar="OKR_CERT_FILE", help="The certificate to show, in PEM.")
]
KeyFile = Annotated[
    Path | None, typer.Option(envvar="OKR_KEY_FILE", help="Its private key, in PEM.")
]
TokenFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_TOKEN_FILE",
        help="Holds the bearer token to show; the variable OKR_TOKEN may hold it itself.",
    ),
]


def shown(
    tls: bool,
    ca_file: Path | None,
    cert_file: Path | None,
    key_file: Path | None,
    token_file: Path | None,
) -> Shown:
    """What these options, and the variable OKR_TOKEN, say to show."""
    token = os.environ.get("OKR_TOKEN", "").strip()
    return Shown(tls, ca_file, cert_file, key_file, token_file, token)
