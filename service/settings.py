"""Settings: flags first, then environment variables with the prefix OKR_, then defaults."""

from __future__ import annotations

import ipaddress
from pathlib import Path
from typing import Annotated, Any, Final, Literal, Self

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

from service.logging import LogFormat, LogLevel

SQLITE: Final = "sqlite:///"

Follower = Literal["in_process", "separate"]
Lane = Literal["process", "thread"]


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what would be right."""


class Settings(BaseSettings):
    """What operators may set. Durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="OKR_", frozen=True, extra="forbid")

    database_url: str = "sqlite:///okr-ledger.db"
    listen: str = "127.0.0.1:50051"
    log_format: LogFormat = "auto"
    log_level: LogLevel = "info"
    follower: Follower = "in_process"
    lane: Lane = "process"
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    max_waiting: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    reflection: bool = True

    @classmethod
    def read(cls, **flags: Any) -> Self:
        """Settings from the flags that are not None, the environment, and the defaults.

        Raises:
            SettingsError: in one line for each setting that is wrong.
        """
        try:
            return cls(**{name: value for name, value in flags.items() if value is not None})
        except ValidationError as error:
            told = [
                f"{_named(each['loc'])}: {each['msg'].removeprefix('Value error, ')}"
                for each in error.errors()
            ]
            raise SettingsError("\n".join(told)) from None

    @field_validator("database_url")
    @classmethod
    def _database_is_known(cls, url: str) -> str:
        if not url.startswith(SQLITE) or len(url) == len(SQLITE):
            raise ValueError(f"{url!r} is not sqlite:///FILE; four slashes begin an absolute path")
        return url

    @field_validator("listen")
    @classmethod
    def _listens_where_callers_are_known(cls, address: str) -> str:
        if not _stays_on_this_machine(address):
            raise ValueError(
                f"{address!r} can be reached from other machines, and no authentication is"
                " configured: anybody could write under any name. Listen on 127.0.0.1:PORT,"
                " [::1]:PORT or unix:PATH, and let a proxy that authenticates callers (mutual"
                " TLS) forward to it"
            )
        return address

    @property
    def log_file(self) -> Path:
        """The SQLite file of the log."""
        return Path(self.database_url.removeprefix(SQLITE))


def _stays_on_this_machine(address: str) -> bool:
    if address.startswith(("unix:", "unix-abstract:")):
        return True
    host, colon, port = address.rpartition(":")
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is neither HOST:PORT nor unix:PATH")
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.removeprefix("[").removesuffix("]")).is_loopback
    except ValueError:
        return False


def _named(location: tuple[int | str, ...]) -> str:
    """The setting as flag and as environment variable."""
    name = str(location[0])
    return f"--{name.replace('_', '-')} (OKR_{name.upper()})"
