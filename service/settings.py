"""Settings: flags first, then environment variables with the prefix OKR_, then defaults."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Annotated, Any, Literal, Self

from pydantic import Field, ValidationError, ValidationInfo, field_validator
from pydantic_settings import SettingsConfigDict

from ledger.log.database import SCHEMA, Database
from okr.loopback import stays_on_this_machine
from service.connections import Connections
from service.identity.settings import IdentitySettings
from service.limits import AGE_SECONDS, CONNECTIONS
from service.logging import LogFormat, LogLevel
from service.quotas import Quota

Follower = Literal["in_process", "separate"]
Lane = Literal["process", "thread"]
Switch = Literal["on", "off"]


class SettingsError(Exception):
    """A setting is missing or wrong; the message names it and says what would be right."""


class Settings(IdentitySettings):
    """What operators may set. Durations are in seconds."""

    model_config = SettingsConfigDict(env_prefix="OKR_", frozen=True, extra="forbid")

    database_url: Annotated[str, Field(repr=False)] = "sqlite:///okr-ledger.db"
    database_schema: str = SCHEMA
    database_connections: Annotated[int, Field(ge=2, le=1000)] = 16
    database_connect_seconds: Annotated[float, Field(gt=0, le=600)] = 5.0
    database_statement_seconds: Annotated[float, Field(ge=0, le=3600)] = 30.0
    replica_url: Annotated[str, Field(repr=False)] = ""
    keys_url: Annotated[str, Field(repr=False)] = ""
    replica_lag_seconds: Annotated[float, Field(ge=0, le=3600)] = 5.0
    listen: str = "127.0.0.1:50051"
    log_format: LogFormat = "auto"
    log_level: LogLevel = "info"
    follower: Follower = "in_process"
    lane: Lane = "process"
    drain_seconds: Annotated[float, Field(ge=0, le=3600)] = 10.0
    max_connections: Annotated[int, Field(ge=1, le=1_000_000)] = CONNECTIONS
    connection_age_seconds: Annotated[float, Field(ge=0, le=30 * 86_400)] = AGE_SECONDS
    caller_calls_per_second: Annotated[float, Field(ge=0, le=1_000_000)] = 1000.0
    caller_calls: Annotated[int, Field(ge=0, le=1_000_000)] = 500
    caller_streams: Annotated[int, Field(ge=0, le=1_000_000)] = 100
    max_waiting: Annotated[int, Field(ge=1, le=1_000_000)] = 10_000
    reflection: bool = True
    policy_path: Path | None = None
    roles_file: Path | None = None
    proofs: Switch = "on"
    checkpoint_key_file: str = ""
    checkpoint_file: str = ""

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
        return Database(url).url

    @field_validator("keys_url")
    @classmethod
    def _keys_are_known(cls, url: str) -> str:
        return Database("sqlite:///any", keys_url=url).keys_url

    @field_validator("replica_url")
    @classmethod
    def _replica_is_of_postgres(cls, url: str, info: ValidationInfo) -> str:
        primary = info.data.get("database_url", "")
        if url and not (Database(url).is_postgres and Database(primary).is_postgres):
            raise ValueError("only a ledger on postgresql://USER@HOST/DATABASE has a replica")
        return url

    @field_validator("database_schema")
    @classmethod
    def _schema_needs_no_quotes(cls, schema: str) -> str:
        return Database("sqlite:///any", schema).schema

    @field_validator("listen")
    @classmethod
    def _listens_where_callers_are_known(cls, address: str, info: ValidationInfo) -> str:
        if stays_on_this_machine(address):
            return address
        said = info.data
        if not (said.get("jwt_jwks") or said.get("tls_client_ca_file")):
            raise ValueError(
                f"{address!r} can be reached from other machines, and no authentication is"
                " configured: anybody could write under any name. Listen on 127.0.0.1:PORT,"
                " [::1]:PORT or unix:PATH, or set --jwt-jwks (OKR_JWT_JWKS) or"
                " --tls-client-ca-file (OKR_TLS_CLIENT_CA_FILE)"
            )
        if not (said.get("tls_cert_file") or said.get("tls_at_proxy")):
            raise ValueError(
                f"{address!r} can be reached from other machines, and without TLS whoever is on the"
                " way reads tokens and uses them. Set --tls-cert-file (OKR_TLS_CERT_FILE), or"
                " --tls-at-proxy (OKR_TLS_AT_PROXY) where a proxy ends TLS and nobody else can"
                " reach this address"
            )
        return address

    @property
    def database(self) -> Database:
        """Where the log is."""
        return Database(
            self.database_url,
            self.database_schema,
            self.database_connections,
            self.database_connect_seconds,
            self.database_statement_seconds,
            self.keys_url,
        )

    @property
    def connections(self) -> Connections:
        """How many connections there may be, and how long one lasts."""
        return Connections(at_most=self.max_connections, age_seconds=self.connection_age_seconds)

    @property
    def quota(self) -> Quota:
        """What each caller may take whom somebody vouches for."""
        return Quota(self.caller_calls_per_second, self.caller_calls, self.caller_streams)

    @property
    def replica(self) -> Database | None:
        """The streaming replica of that database that takes reads, None where none is named."""
        return replace(self.database, url=self.replica_url) if self.replica_url else None


def _named(location: tuple[int | str, ...]) -> str:
    """The setting as flag and as environment variable."""
    name = str(location[0])
    return f"--{name.replace('_', '-')} (OKR_{name.upper()})"
