"""`okr-ledger identity`: why a caller is known, or is not."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from service.cli import identity_options as options
from service.cli.output import console, failures_told
from service.identity.opening import verifying
from service.identity.stating import stated
from service.identity.watching import read_file
from service.logging import logs
from service.refusals import KeysUnavailable, Unauthenticated
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from service.identity.principal import Principal

app = typer.Typer(no_args_is_help=True)


@app.callback()
def identity() -> None:
    """Look into who callers are."""


@app.command()
def check(
    *,
    token_file: Annotated[Path, typer.Argument(help="Holds a bearer token.")],
    jwt_jwks: options.JwtJwks = None,
    jwt_issuer: options.JwtIssuer = None,
    jwt_audience: options.JwtAudience = None,
    jwt_algorithms: options.JwtAlgorithms = None,
    jwt_leeway_seconds: options.JwtLeewaySeconds = None,
    jwt_name_claim: options.JwtNameClaim = None,
    jwt_kind_claim: options.JwtKindClaim = None,
    jwt_roles_claim: options.JwtRolesClaim = None,
    pseudonym_key_file: options.PseudonymKeyFile = None,
) -> None:
    """Tell whose a token is, or why a server with these settings refuses it.

    It needs no server, and prints what the token states beside what is expected, but not the token.
    Ends with exit code 1 if the token is refused.
    """
    with failures_told(), logs("auto", "warning"):
        settings = Settings.read(
            jwt_jwks=jwt_jwks,
            jwt_issuer=jwt_issuer,
            jwt_audience=jwt_audience,
            jwt_algorithms=jwt_algorithms,
            jwt_leeway_seconds=jwt_leeway_seconds,
            jwt_name_claim=jwt_name_claim,
            jwt_kind_claim=jwt_kind_claim,
            jwt_roles_claim=jwt_roles_claim,
            pseudonym_key_file=pseudonym_key_file,
        )
        if not settings.jwt_jwks:
            raise SettingsError("--jwt-jwks (OKR_JWT_JWKS): no key set is given to verify it with")
        token = read_file(token_file).decode("ascii", "replace").strip()
        try:
            principal = asyncio.run(_principal(settings, token))
        except Unauthenticated as refusal:
            console().print(f"refused, {refusal.rule}: {refusal}", markup=False)
        except KeysUnavailable as refusal:
            console().print(f"not to be told: {refusal}", markup=False)
        else:
            console().print(f"known as {principal.caller.actor}", markup=False)
            console().print(f"roles: {', '.join(principal.roles) or 'none'}", markup=False)
            return
        console().print(_table(stated(token), settings))
    raise typer.Exit(1)


async def _principal(settings: Settings, token: str) -> Principal:
    async with verifying(settings) as tokens:
        return await tokens.principal(token)


def _table(found: Mapping[str, Any], settings: Settings) -> Table:
    """What the token states beside what is expected; the text is a stranger's."""
    now = int(time.time())
    expected = {
        "alg": ", ".join(settings.algorithms),
        "kid": "a key of the key set",
        "iss": settings.jwt_issuer,
        "aud": settings.jwt_audience,
        "exp": f"later than {_instant(now)}",
        "nbf": f"not later than {_instant(now)}, if stated",
        settings.jwt_name_claim: "people/{id}, services/{id} or an id",
        settings.jwt_kind_claim: "person or service, if stated",
        settings.jwt_roles_claim: "a list of text, if stated",
    }
    table = Table("", "stated, unverified", "expected")
    for claim, wanted in expected.items():
        said = found.get(claim)
        shown = _instant(said) if claim in ("exp", "nbf") else "" if said is None else repr(said)
        table.add_row(escape(claim), escape(shown), escape(wanted))
    return table


def _instant(seconds: object) -> str:
    if not isinstance(seconds, (int, float)):
        return "" if seconds is None else repr(seconds)
    try:
        return datetime.fromtimestamp(seconds, UTC).isoformat(timespec="seconds")
    except (ValueError, OverflowError, OSError):
        return repr(seconds)
