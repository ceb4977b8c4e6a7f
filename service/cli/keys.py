"""`okr-ledger keys`: the keys that personal texts are sealed with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.log.opening import open_log
from ledger.texts.finding import keys_at_hand, keys_database, renew_keys
from service.cli.options import DatabaseSchema, DatabaseUrl, KeysUrl
from service.cli.output import console, failures_told
from service.erasing import finish
from service.settings import Settings, SettingsError

if TYPE_CHECKING:
    from ledger.log.contract import LogReader
    from ledger.texts.keyring import Keyring

app = typer.Typer(no_args_is_help=True)


@app.callback()
def keys() -> None:
    """Look after the keys that personal texts are sealed with."""


@contextmanager
def _opened(settings: Settings) -> Iterator[tuple[LogReader, Keyring]]:
    """The ledger and its keys.

    Raises:
        SettingsError: it has none.
    """
    ledger = open_log(settings.database, read_only=True)
    try:
        with keys_at_hand(settings.database, ledger) as keyring:
            if keyring is None:
                raise SettingsError(f"there are no keys in {keys_database(settings.database)}")
            yield ledger, keyring
    finally:
        ledger.close()


@app.command()
def finish_erasures(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    keys_url: KeysUrl = None,
) -> None:
    """Destroy the keys of everybody whom the ledger says is erased.

    Servers do so as they start and every few seconds. For keys that came back from a backup when
    no server is to run on them, or as a proof.
    """
    with failures_told():
        settings = Settings.read(
            database_url=database_url, database_schema=database_schema, keys_url=keys_url
        )
        with _opened(settings) as (ledger, keyring):
            destroyed = finish(ledger, keyring)
            erasures = keyring.header.erasures
    console().print(f"{destroyed} keys destroyed now, {erasures} in all")


@app.command()
def renew(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    keys_url: KeysUrl = None,
    lost: Annotated[
        bool, typer.Option("--lost", help="Say that the keys are lost and cannot be put back.")
    ] = False,
) -> None:
    """Make new keys for a ledger whose own are lost for good.

    Every personal text up to now reads as erased from then on. Run it before the servers start.
    """
    with failures_told():
        settings = Settings.read(
            database_url=database_url, database_schema=database_schema, keys_url=keys_url
        )
        if not lost:
            raise SettingsError("put the keys back from their backup; say --lost if there is none")
        ledger = open_log(settings.database, read_only=True)
        try:
            renew_keys(settings.database, ledger)
        finally:
            ledger.close()
    console().print(f"new keys are in {keys_database(settings.database)}")
