"""How a server identifies its callers, by its settings."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import structlog

from service.identity.authentication import Authentication
from service.identity.certificates import Certificates
from service.identity.fetching import is_address, source_of
from service.identity.keys import Keys
from service.identity.naming import PSEUDONYM_KEY_BYTES, Naming
from service.identity.self_named import self_named
from service.identity.tokens import Expected, Tokens
from service.identity.watching import FileError, looked_at, read_file

if TYPE_CHECKING:
    from service.identity.principal import Identify
    from service.identity.settings import IdentitySettings

log = structlog.get_logger()


@asynccontextmanager
async def identifying(settings: IdentitySettings) -> AsyncIterator[Identify]:
    """What tells who calls, kept up to date while the block runs.

    Raises:
        FileError: a file that is set cannot be taken in.
    """
    if not settings.authenticates:
        yield self_named
        return
    async with AsyncExitStack() as stack:
        certificates = None
        if settings.tls_client_ca_file:
            certificates = Certificates(settings.certificate_names_file, settings.trust_domains)
            stack.enter_context(looked_at(certificates.look))
        tokens = None
        if settings.jwt_jwks:
            tokens = await stack.enter_async_context(verifying(settings))
        yield Authentication(tokens, certificates)


@asynccontextmanager
async def verifying(settings: IdentitySettings) -> AsyncIterator[Tokens]:
    """What verifies tokens, with keys that are kept up to date while the block runs.

    Raises:
        FileError: a file that is set cannot be taken in.
    """
    naming = _naming(settings)
    async with _keys(settings) as keys:
        yield Tokens(keys, _expected(settings), naming)


@asynccontextmanager
async def _keys(settings: IdentitySettings) -> AsyncIterator[Keys]:
    """The issuer's keys; a server whose issuer is away starts all the same, and asks again."""
    fetch, every_seconds, again_seconds = source_of(settings.jwt_jwks)
    keys = Keys(
        fetch,
        every_seconds,
        settings.jwt_jwks_max_age_seconds,
        again_seconds=again_seconds,
    )
    await keys.renew()
    if keys.trouble and not is_address(settings.jwt_jwks):
        raise FileError(f"the key set {settings.jwt_jwks} cannot be taken in: {keys.trouble}")
    renewing = asyncio.create_task(keys.run())
    renewing.add_done_callback(_tell_defect)
    try:
        yield keys
    finally:
        renewing.cancel()


def _tell_defect(renewing: asyncio.Task[None]) -> None:
    """Says that keys are no longer renewed, which nobody would learn of until they are too old."""
    if not renewing.cancelled() and (error := renewing.exception()) is not None:
        log.error("keys of tokens", state="no longer renewed", exc_info=error)


def _expected(settings: IdentitySettings) -> Expected:
    return Expected(
        settings.jwt_issuer,
        settings.jwt_audience,
        settings.algorithms,
        settings.jwt_leeway_seconds,
    )


def _naming(settings: IdentitySettings) -> Naming:
    file = settings.pseudonym_key_file
    return Naming(
        settings.jwt_name_claim,
        settings.jwt_kind_claim,
        settings.jwt_roles_claim,
        _pseudonym_key(file) if file else b"",
    )


def _pseudonym_key(file: Path) -> bytes:
    """The key in the file. Never read again: another key would give everybody another name."""
    key = read_file(file).strip()
    if len(key) < PSEUDONYM_KEY_BYTES:
        raise FileError(f"{file} has less than {PSEUDONYM_KEY_BYTES} bytes, too few for a secret")
    return key
