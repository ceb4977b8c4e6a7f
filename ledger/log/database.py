"""Which database keeps a log, and how it is used."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

SQLITE: Final = "sqlite:///"
POSTGRES: Final = ("postgresql://", "postgres://")
SCHEMA: Final = "okr"
NO_KEYS: Final = "none"
"""In place of the URL of a key store: the ledger keeps personal text in the clear."""
SCHEMA_NAME: Final = re.compile(r"[a-z_][a-z0-9_]{0,39}")
"""A schema that needs no quotes and leaves room for the names made from it."""


@dataclass(frozen=True, slots=True)
class Database:
    """A log's database: `sqlite:///FILE` or `postgresql://…` as libpq reads it.

    `keys_url` says where the keys of the log's personal texts are, in the same form: beside the log
    if it is empty, nowhere if it is "none". All else concerns PostgreSQL alone: the `schema` that
    holds the log, how many connections a process may have for reading, how long a connection may
    take to be made or come free, and how long a statement may run, 0 without a limit. `str()` and
    `repr()` show no password.

    Raises:
        ValueError: the URL or the schema is none; the message says what would be right.
    """

    url: str = field(repr=False)
    schema: str = SCHEMA
    readers: int = 16
    connect_seconds: float = 5.0
    statement_seconds: float = 30.0
    keys_url: str = field(default="", repr=False)

    def __post_init__(self) -> None:
        for url in (self.url, *([self.keys_url] if self.keys_url not in {"", NO_KEYS} else [])):
            if not (url.startswith(POSTGRES) or url.removeprefix(SQLITE) not in {"", url}):
                # Not repeated: what was meant to be a URL may hold a password.
                raise ValueError(
                    "this is neither sqlite:///FILE, where four slashes begin an absolute path,"
                    " nor postgresql://USER@HOST/DATABASE"
                )
        if not SCHEMA_NAME.fullmatch(self.schema) or self.schema.startswith("pg_"):
            raise ValueError(
                f"{self.schema!r} is no schema: up to 40 of a–z, 0–9 and _, no digit first, no pg_"
            )

    @property
    def is_postgres(self) -> bool:
        return self.url.startswith(POSTGRES)

    @property
    def file(self) -> Path:
        """The file of a log on SQLite.

        Raises:
            ValueError: the log is on PostgreSQL.
        """
        if self.is_postgres:
            raise ValueError(f"{self!s} is not a file")
        return Path(self.url.removeprefix(SQLITE))

    def __str__(self) -> str:
        """The file's path, or the URL without what is secret in it."""
        if not self.is_postgres:
            return self.url.removeprefix(SQLITE)
        scheme, place, path, query, _ = urlsplit(self.url)
        user, at, hosts = place.rpartition("@")
        told = [(name, value) for name, value in parse_qsl(query) if "password" not in name]
        place = f"{user.partition(':')[0]}{at}{hosts}"
        return urlunsplit((scheme, place, path, urlencode(told), ""))
