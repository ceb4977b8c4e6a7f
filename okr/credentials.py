"""What a client shows for who it is: a bearer token, a certificate; and whom it trusts.

```python
from okr import OkrClient
from okr.credentials import TokenFile, tls

with OkrClient("okr.example:443", credentials=tls(), bearer=TokenFile("/run/okr/token")) as okr:
    ...
```
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

import grpc

from okr.errors import OkrError
from okr.loopback import stays_on_this_machine

AUTHORIZATION_KEY: Final = "authorization"

Bearer = Callable[[], str]
"""Gives the bearer token of the next call; asked before each, so it has to be quick."""

_TOKEN: Final = re.compile(r"[!-~]+")


class TokenFile:
    """The bearer token in a file, read again when the file changes.

    So whatever renews tokens writes each new one into the file's place, and clients go on.
    """

    def __init__(self, path: str | Path) -> None:
        self._path = Path(path)
        self._seen: tuple[int, ...] = ()
        self._token = ""

    def __call__(self) -> str:
        """The token that the file holds now, without white space around it.

        Raises:
            OkrError: the file cannot be read, or holds no token.
        """
        try:
            at = self._path.stat()
            seen = (at.st_ino, at.st_size, at.st_mtime_ns, at.st_ctime_ns)
            if seen != self._seen:
                self._token = self._path.read_text("ascii").strip()
                self._seen = seen
        except OSError as error:
            why = (error.strerror or "unknown error").lower()
            raise _no_token(f"the token's file {self._path} cannot be read: {why}") from None
        except UnicodeDecodeError:
            raise _no_token(f"the file {self._path} holds no token") from None
        return self._token


def tls(
    ca_file: str | Path | None = None,
    cert_file: str | Path | None = None,
    key_file: str | Path | None = None,
) -> grpc.ChannelCredentials:
    """Credentials that turn TLS on, from files in PEM, read now.

    `ca_file` holds the authorities whose servers are trusted; without one these are those that
    gRPC brings along, or the file that GRPC_DEFAULT_SSL_ROOTS_FILE_PATH names. `cert_file` and
    `key_file` are the client's own certificate with its chain, and its key.

    Raises:
        OSError: a file cannot be read.
        ValueError: a certificate is given without its key, or a key without its certificate.
    """
    if (cert_file is None) != (key_file is None):
        raise ValueError("a client's certificate and its key go together")
    ca, key, certificate = (
        None if path is None else Path(path).read_bytes() for path in (ca_file, key_file, cert_file)
    )
    return grpc.ssl_channel_credentials(ca, key, certificate)


@dataclass(frozen=True, slots=True)
class Shown:
    """What a command line shows for who calls, and whether over TLS; files are in PEM.

    `token_file` goes before `token`, which no flag may give: other users see flags.
    """

    tls: bool = False
    ca_file: Path | None = None
    cert_file: Path | None = None
    key_file: Path | None = None
    token_file: Path | None = None
    token: str = field(default="", repr=False)

    def credentials(self) -> grpc.ChannelCredentials | None:
        """What turns TLS on, None in plain text.

        Raises:
            OSError: a file cannot be read.
            ValueError: a certificate is given without its key, or a key without its certificate.
        """
        files = (self.ca_file, self.cert_file, self.key_file)
        return tls(*files) if self.tls or any(files) else None

    def bearer(self) -> Bearer | None:
        """What gives the token of each call, None where there is none."""
        if self.token_file is not None:
            return TokenFile(self.token_file)
        return (lambda: self.token) if self.token else None


def check_way(address: str, *, encrypted: bool) -> None:
    """Refuses to send tokens where others could read them.

    Raises:
        ValueError: the address is elsewhere, and the way there is not encrypted.
    """
    try:
        local = stays_on_this_machine(address)
    except ValueError:
        local = False
    if not (encrypted or local):
        raise ValueError(
            f"a token is sent to another machine over TLS only, and {address} may be one:"
            " whoever is on the way could use it"
        )


def authorization(bearer: Bearer) -> str:
    """The value of the metadata that carries the token.

    Raises:
        OkrError: there is no token, or it is none. What it is instead is not repeated.
    """
    token = bearer()
    if _TOKEN.fullmatch(token) is None:
        raise _no_token("what should be a bearer token is empty, or has spaces in it")
    return f"Bearer {token}"


def _no_token(message: str) -> OkrError:
    return OkrError(grpc.StatusCode.UNAUTHENTICATED, "", message)
