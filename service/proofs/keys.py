"""The files of the keys that sign checkpoints: PEM with a private key of Ed25519 (PKCS #8)."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

import structlog
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)

from okr.proofs.checkpoint import origin
from okr.proofs.note import SigningKey

if TYPE_CHECKING:
    from ledger.log.database import Database

log = structlog.get_logger(__name__)


class KeyFileError(Exception):
    """A file holds no key that can sign checkpoints, or cannot be used. Tells nothing of it."""


def key_file_beside(log_file: Path) -> Path:
    """Where a ledger on SQLite has its own key, `x.checkpoint-key.pem`."""
    return log_file.with_name(f"{log_file.stem}.checkpoint-key.pem")


def make_key_file(path: Path) -> Ed25519PrivateKey:
    """Makes a key, in a new file that its owner alone may read.

    Raises:
        KeyFileError: there is a file already, or it cannot be written.
    """
    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(pem)
            file.flush()
            os.fsync(descriptor)
    except OSError as error:
        raise KeyFileError(f"{path}: no key can be made there: {error.strerror}") from None
    return private


def load_key_file(path: Path) -> Ed25519PrivateKey:
    """The key in a file.

    Raises:
        KeyFileError: it cannot be read, or there is no such key in it.
    """
    try:
        if path.stat().st_mode & 0o007:
            log.warning("anybody on this machine may read the key that signs", file=str(path))
        private = load_pem_private_key(path.read_bytes(), None)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from None
    except (ValueError, TypeError, UnsupportedAlgorithm):
        raise KeyFileError(f"{path}: is no private key in PEM without a password") from None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: is no key of Ed25519; `checkpoint new-key` makes one")
    return private


def signing_keys(database: Database, files: str, log_id: str) -> list[SigningKey]:
    """The keys in files, given as paths with ":" between them; all of them sign.

    Where none is given, a ledger on SQLite has one of its own, which is made with it.

    Raises:
        KeyFileError: one of them cannot be used.
    """
    paths = [Path(path) for path in files.split(os.pathsep) if path]
    if not paths and not database.is_postgres:
        beside = key_file_beside(database.file)
        if not beside.exists():
            make_key_file(beside)
            log.info("made a key that signs checkpoints", file=str(beside))
        paths = [beside]
    return [SigningKey(origin(log_id), load_key_file(path)) for path in paths]
