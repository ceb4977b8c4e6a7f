"""`okr-ledger checkpoint`: the keys that sign, and what was signed."""

from __future__ import annotations

from contextlib import closing, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ledger.log.clock import now_us
from ledger.log.errors import LogError
from ledger.log.opening import open_log
from okr.proofs.checkpoint import origin
from okr.proofs.note import VerifierKey
from projections.errors import ProofsMissing
from projections.following.duty import duty_beside
from projections.proofs.keeper import PROJECTION, Keeper
from projections.proofs.store import ProofStore
from projections.store.progress import Progress
from service.cli.options import CheckpointKeyFile, DatabaseSchema, DatabaseUrl
from service.cli.output import console, failures_told
from service.proofs.keys import make_key_file, signing_keys
from service.proofs.published import CheckpointFile
from service.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from projections.proofs.store import Signed

app = typer.Typer(no_args_is_help=True)


@app.callback()
def checkpoint() -> None:
    """Look after what proves that the ledger was not altered."""


@app.command()
def new_key(
    file: Annotated[Path, typer.Argument(help="The file to make; nothing may be there.")],
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Make a key that signs checkpoints, which its owner alone may read.

    Prints the key that verifies them, to be told to whoever keeps checkpoints. It is named after
    the ledger; where there is none yet, the server tells it once it has signed.
    """
    with failures_told():
        settings = Settings.read(database_url=database_url, database_schema=database_schema)
        public = make_key_file(file).public_key().public_bytes_raw()
        try:
            with closing(open_log(settings.database, read_only=True)) as ledger:
                name = origin(ledger.identity().log_id)
        except LogError as error:
            typer.echo(f"okr-ledger: the key has no name yet: {error}", err=True)
            return
    typer.echo(str(VerifierKey(name, public)))


@app.command()
def show(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    size: Annotated[
        int | None,
        typer.Option(
            min=0, help="That of the ledger's first so many events.", show_default="latest"
        ),
    ] = None,
    keys: Annotated[
        bool, typer.Option("--keys", help="Print the keys that have signed instead.")
    ] = False,
) -> None:
    """Print a checkpoint that is kept beside the ledger. No server need run."""
    with (
        failures_told(),
        _store(database_url, database_schema) as store,
        store.reading() as reading,
    ):
        if keys:
            for verifier in reading.verifiers():
                typer.echo(verifier)
            return
        signed = reading.latest() if size is None else reading.signed(size)
        typer.echo(_there(signed, size).written, nl=False)


@app.command()
def publish(
    file: Annotated[Path, typer.Argument(help="The file to append to.")],
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
) -> None:
    """Append the latest checkpoint to a file, unless it ends with it. No server need run."""
    with failures_told():
        with _store(database_url, database_schema) as store, store.reading() as reading:
            signed = _there(reading.latest(), None)
        try:
            CheckpointFile(file).append(signed)
        except OSError as error:
            raise ProofsMissing(f"{file}: cannot be written: {error.strerror}") from None


@app.command()
def rebuild(
    database_url: DatabaseUrl = None,
    database_schema: DatabaseSchema = None,
    checkpoint_key_file: CheckpointKeyFile = None,
) -> None:
    """Make the tree anew from the ledger. It has to fit every checkpoint that was signed.

    Nobody may keep the tree meanwhile: run it while no server does, or on PostgreSQL with
    OKR_PROOFS=off.
    """
    with failures_told():
        settings = Settings.read(
            database_url=database_url,
            database_schema=database_schema,
            checkpoint_key_file=checkpoint_key_file,
        )
        with closing(open_log(settings.database, read_only=True)) as ledger:
            log_id = ledger.identity().log_id
            keys = signing_keys(settings.database, settings.checkpoint_key_file, log_id)
            duty = duty_beside(settings.database, PROJECTION)
            with closing(ProofStore(settings.database, log_id)) as store:
                try:
                    if not duty.taken():
                        raise ProofsMissing(f"{duty.holder()} keeps the tree; end it first")
                    if store.is_laid_out():
                        store.clear()
                    keeper = Keeper(ledger, store, Progress(PROJECTION), keys, now_us)
                    size = keeper.catch_up()
                finally:
                    duty.leave()
    console().print(f"the tree was made anew of {size} events and fits all that was signed")


@contextmanager
def _store(database_url: str | None, database_schema: str | None) -> Iterator[ProofStore]:
    settings = Settings.read(database_url=database_url, database_schema=database_schema)
    with closing(open_log(settings.database, read_only=True)) as ledger:
        log_id = ledger.identity().log_id
    with closing(ProofStore(settings.database, log_id)) as store:
        if not store.is_laid_out():
            raise ProofsMissing("nothing was signed of this ledger yet")
        yield store


def _there(signed: Signed | None, size: int | None) -> Signed:
    if signed is None:
        which = "checkpoint" if size is None else f"checkpoint of {size} events"
        raise ProofsMissing(f"no {which} was signed of this ledger")
    return signed
