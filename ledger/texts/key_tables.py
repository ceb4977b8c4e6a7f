"""Keys in a schema of a PostgreSQL: that of the log beside it, or any other.

Several servers share them. A destroyed key is overwritten and the tables are written anew at once,
so that no page of them has it any more. The server's write-ahead log, its archive and its replicas
keep what it was for as long as they keep anything.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Final

from psycopg.sql import SQL, Identifier

from ledger.log.postgres.datastore import LedgerDatastore
from ledger.texts.store import Header, KeysMismatch, StoredKey

if TYPE_CHECKING:
    from collections.abc import Collection

    from ledger.log.database import Database

TABLES: Final = """
    SELECT c.relname FROM pg_class AS c
    WHERE c.relnamespace = to_regnamespace(%s) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
"""
LOCK: Final = "SELECT pg_advisory_xact_lock(hashtextextended('okr-ledger keys ' || %s, 0))"

CREATE: Final = (
    """
    CREATE TABLE store (
        singleton   integer NOT NULL PRIMARY KEY CHECK (singleton = 1),
        log_id      text    NOT NULL,
        plain_until bigint  NOT NULL,
        erasures    bigint  NOT NULL,
        secret      bytea   NOT NULL,
        snapshots   bytea   NOT NULL
    )
    """,
    # Whose a key is, is told by a keyed digest: the table names nobody.
    """
    CREATE TABLE keys (
        name      text  NOT NULL COLLATE "C" PRIMARY KEY,
        pseudonym bytea NOT NULL UNIQUE,
        secret    bytea
    )
    """,
)
HEADER: Final = "SELECT log_id, plain_until, erasures, secret, snapshots FROM store"
OF_PERSON: Final = "SELECT name, secret FROM keys WHERE pseudonym = %s"
NAMED: Final = "SELECT name, secret FROM keys WHERE name = %s"
MAKE: Final = "INSERT INTO keys VALUES (%s, %s, %s) ON CONFLICT (pseudonym) DO NOTHING"
DESTROY: Final = "UPDATE keys SET secret = NULL WHERE name = ANY (%s) AND secret IS NOT NULL"
REPLACE: Final = "UPDATE store SET erasures = erasures + %s, snapshots = %s"


class KeyTables:
    """A `KeyStore` in the schema that a `Database` names."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._datastore = LedgerDatastore(database)

    def exists(self) -> bool:
        """Whether the store is there; a schema without tables is none.

        Raises:
            KeysMismatch: the schema holds something else.
        """
        found = {name for (name,) in self._datastore.rows("open", TABLES, [self._database.schema])}
        if found and found != {"store", "keys"}:
            schema = self._database.schema
            raise KeysMismatch(str(self._database), f"its schema {schema} holds other tables")
        return bool(found)

    def make_store(self, log_id: str, plain_until: int) -> None:
        """Makes a new store, unless another server has done so meanwhile."""
        with self._datastore.writing("make") as connection, connection.transaction():
            schema = self._database.schema
            connection.execute(LOCK, [schema])
            if connection.execute(TABLES, [schema]).fetchall():
                return
            connection.execute(SQL("CREATE SCHEMA IF NOT EXISTS {}").format(Identifier(schema)))
            for statement in CREATE:
                connection.execute(statement)
            connection.execute(
                "INSERT INTO store VALUES (1, %s, %s, 0, %s, %s)",
                [log_id, plain_until, os.urandom(32), os.urandom(32)],
            )

    def header(self) -> Header:
        ((log_id, plain_until, erasures, secret, snapshots),) = self._datastore.rows("read", HEADER)
        return Header(log_id, plain_until, erasures, secret, snapshots)

    def of_person(self, pseudonym: bytes) -> StoredKey | None:
        rows = self._datastore.rows("read", OF_PERSON, [pseudonym])
        return StoredKey(*rows[0]) if rows else None

    def named(self, name: str) -> StoredKey | None:
        rows = self._datastore.rows("read", NAMED, [name])
        return StoredKey(*rows[0]) if rows else None

    def make(self, pseudonym: bytes, key: StoredKey) -> StoredKey:
        with self._datastore.writing("write") as connection:
            connection.execute(MAKE, [key.name, pseudonym, key.secret])
            # In a statement of its own, which sees what another server has committed meanwhile.
            row = connection.execute(OF_PERSON, [pseudonym]).fetchone()
        assert row is not None
        return StoredKey(*row)

    def destroy(self, names: Collection[str]) -> int:
        with self._datastore.writing("write") as connection:
            with connection.transaction():
                destroyed = connection.execute(DESTROY, [sorted(names)]).rowcount
                if destroyed:
                    connection.execute(REPLACE, [destroyed, os.urandom(32)])
            if destroyed:
                # A plain vacuum gives a row's room free and leaves its bytes there.
                connection.execute("VACUUM (FULL) keys, store")
        return destroyed

    def close(self) -> None:
        """Closes the connections. May be called again."""
        self._datastore.close()
