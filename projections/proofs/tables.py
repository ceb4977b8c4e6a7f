"""What the tree is kept in: a file beside a log on SQLite, a schema beside it on PostgreSQL.

`tree` and `tiles` are made from the log and may be made anew. What was signed is kept for ever, in
`checkpoints`, and so are the keys, in `keys`, and the size at which each epoch began, in `epochs`:
after a restore, checkpoints of earlier epochs count up to there.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from sqlalchemy import Column, LargeBinary, MetaData, Table

from projections.store import postgres
from projections.store.database import READING, RECORDING, WAIT_SECONDS, file_engine
from projections.store.tables import TEXT, WHOLE

if TYPE_CHECKING:
    from pathlib import Path

    from sqlalchemy import Engine

    from ledger.log.database import Database

TABLES: Final = MetaData()

tree = Table(
    "tree",
    TABLES,
    # The ledger that the tree is of, and the epoch that it was made in.
    Column("log_id", TEXT, primary_key=True),
    Column("epoch", WHOLE, nullable=False),
    Column("size", WHOLE, nullable=False),
    Column("tail", LargeBinary, nullable=False),
    # The first event that does not fit what was signed, and why; 0 and empty while all does.
    Column("stopped_position", WHOLE, nullable=False),
    Column("stopped_reason", TEXT, nullable=False),
    sqlite_strict=True,
)

tiles = Table(
    "tiles",
    TABLES,
    Column("level", WHOLE, primary_key=True, autoincrement=False),
    Column("number", WHOLE, primary_key=True, autoincrement=False),
    Column("hashes", LargeBinary, nullable=False),
    sqlite_strict=True,
)

checkpoints = Table(
    "checkpoints",
    TABLES,
    Column("size", WHOLE, primary_key=True, autoincrement=False),
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    Column("root", LargeBinary, nullable=False),
    # The lines below the text, as `okr.proofs.note` writes them.
    Column("signatures", TEXT, nullable=False),
    Column("signed_us", WHOLE, nullable=False),
    sqlite_strict=True,
)

epochs = Table(
    "epochs",
    TABLES,
    Column("epoch", WHOLE, primary_key=True, autoincrement=False),
    # How many events the ledger had when the epoch began.
    Column("size", WHOLE, nullable=False),
    sqlite_strict=True,
)


keys = Table(
    "keys",
    TABLES,
    # A key that has signed, as text; see `okr.proofs.note.VerifierKey`.
    Column("verifier", TEXT, primary_key=True),
    sqlite_strict=True,
)


def guards(dialect: str) -> list[str]:
    """Statements that have a database refuse to change or remove what is kept for ever."""
    kept = (checkpoints.name, epochs.name, keys.name)
    refusal = "what was signed is kept for ever"
    if dialect == "sqlite":
        return [
            f"CREATE TRIGGER {name}_refuse_{verb.lower()} BEFORE {verb} ON {name}"
            f" BEGIN SELECT RAISE(ABORT, '{refusal}'); END"
            for name in kept
            for verb in ("UPDATE", "DELETE")
        ]
    function = (
        "CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql"
        f" AS $$ BEGIN RAISE EXCEPTION '{refusal}'; END $$"
    )
    triggers = [
        f"CREATE TRIGGER kept_for_ever BEFORE UPDATE OR DELETE OR TRUNCATE ON {name}"
        " FOR EACH STATEMENT EXECUTE FUNCTION refuse_change()"
        for name in kept
    ]
    return [function, *triggers]


def proofs_file(log_file: Path) -> Path:
    """The file beside a log on SQLite, `x.proofs.db`."""
    return log_file.with_name(f"{log_file.stem}.proofs{log_file.suffix or '.db'}")


def proofs_schema(log: Database) -> str:
    """The schema beside a log on PostgreSQL."""
    return f"{log.schema}_proofs"


def writer(log: Database) -> Engine:
    """An engine whose transactions write, each of whose commits is durable."""
    pool = {"pool_size": 1, "max_overflow": 1, "pool_timeout": WAIT_SECONDS}
    if log.is_postgres:
        return postgres.engine_on(log, proofs_schema(log), postgres.LASTING, pool)
    return file_engine(proofs_file(log.file), RECORDING, "BEGIN IMMEDIATE", pool)


def reader(log: Database) -> Engine:
    """The same for reading: each transaction sees one state, from any thread."""
    pool = {"pool_size": 2, "max_overflow": 6, "pool_timeout": WAIT_SECONDS}
    if log.is_postgres:
        return postgres.engine_on(log, proofs_schema(log), None, pool)
    return file_engine(proofs_file(log.file), READING, "BEGIN", pool)
