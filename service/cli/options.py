"""The options that several commands share; each is a setting of `service.settings`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from service.logging import LogFormat, LogLevel
from service.settings import Switch

DatabaseUrl = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_DATABASE_URL",
        metavar="URL",
        help="The ledger: sqlite:///FILE (four slashes begin an absolute path) or"
        " postgresql://USER@HOST/DATABASE. Other users see what is in a flag: give a password"
        " in the variable, PGPASSWORD or ~/.pgpass.",
        show_default="sqlite:///okr-ledger.db",
    ),
]
DatabaseSchema = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_DATABASE_SCHEMA",
        metavar="NAME",
        help="The schema of a ledger on PostgreSQL; made where it is missing.",
        show_default="okr",
    ),
]
ProofsOption = Annotated[
    Switch | None,
    typer.Option(
        envvar="OKR_PROOFS",
        help="Whether the ledger's Merkle tree is kept, checkpoints are signed and proofs given.",
        show_default="on",
    ),
]
CheckpointKeyFile = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_CHECKPOINT_KEY_FILE",
        metavar="FILE[:FILE…]",
        help="The keys that sign checkpoints, all of them. Several while one replaces another.",
        show_default="beside a ledger on SQLite, made with it; none on PostgreSQL",
    ),
]
CheckpointFileOption = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_CHECKPOINT_FILE",
        metavar="FILE",
        help="Where each signed checkpoint is appended, for others to take.",
        show_default="none",
    ),
]
KeysUrl = Annotated[
    str | None,
    typer.Option(
        envvar="OKR_KEYS_URL",
        metavar="URL",
        help="Where the keys of personal texts are, in the form of the ledger's URL; `none` keeps"
        " the texts in the clear.",
        show_default="beside the ledger",
    ),
]
LogFormatOption = Annotated[
    LogFormat | None,
    typer.Option(
        envvar="OKR_LOG_FORMAT",
        help="Form of the logs; auto is console at a terminal, else json.",
        show_default="auto",
    ),
]
LogLevelOption = Annotated[
    LogLevel | None,
    typer.Option(envvar="OKR_LOG_LEVEL", help="The least level to log.", show_default="info"),
]
PolicyPath = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_POLICY_PATH",
        metavar="PATH",
        help="Cedar policies beside the shipped ones: a file, or a folder of files *.cedar.",
    ),
]
RolesFile = Annotated[
    Path | None,
    typer.Option(
        envvar="OKR_ROLES_FILE",
        metavar="FILE",
        help="TOML: the roles of people and services, beside those of their credentials.",
    ),
]
