"""Files of identity that operators replace."""

import io
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from server import running
from service.identity.certificates import Certificates
from service.identity.watching import FileError, Watched
from service.logging import logs
from service.settings import Settings
from service.tls import Tls
from tests.support.identities import Files, authority
from tests.support.serving import LoopThread


def joined(texts: Sequence[bytes]) -> bytes:
    if b"wrong" in texts:
        raise FileError("they are wrong")
    return b"+".join(texts)


def test_files_are_read_again_when_one_changes(tmp_path: Path) -> None:
    one, two = tmp_path / "one", tmp_path / "two"
    one.write_bytes(b"1")
    two.write_bytes(b"2")
    reads = []

    def read(texts: Sequence[bytes]) -> bytes:
        reads.append(texts)
        return joined(texts)

    watched = Watched([one, two], read, "numbers")
    watched.look()
    assert (watched.value, len(reads)) == (b"1+2", 1)
    two.write_bytes(b"3")
    watched.look()
    assert (watched.value, len(reads)) == (b"1+3", 2)


def test_what_is_wrong_is_told_once_and_leaves_what_was(tmp_path: Path) -> None:
    file = tmp_path / "file"
    file.write_bytes(b"right")
    written = io.BytesIO()
    with logs("json", "info", written):
        watched = Watched([file], joined, "numbers")
        for breaking in (lambda: file.write_bytes(b"wrong"), file.unlink):
            breaking()
            for _ in range(3):
                watched.look()
            assert watched.value == b"right"
        file.write_bytes(b"new")
        watched.look()
        assert watched.value == b"new"
    entries = [json.loads(line) for line in written.getvalue().splitlines()]
    assert [(entry["level"], entry["state"]) for entry in entries] == [
        ("error", "kept as before"),
        ("error", "kept as before"),
        ("info", "renewed"),
    ]


def test_a_file_put_into_anothers_place_is_seen(tmp_path: Path) -> None:
    """As orchestrators do: a link that leads elsewhere, at the same size and time."""
    old, new, link = tmp_path / "old", tmp_path / "new", tmp_path / "link"
    for file, text in ((old, b"1"), (new, b"2")):
        file.write_bytes(text)
    link.symlink_to(old)
    watched = Watched([link], joined, "numbers")
    link.unlink()
    link.symlink_to(new)
    watched.look()
    assert watched.value == b"2"


@pytest.mark.parametrize(
    "text",
    [
        "[",
        '"crm.example.org" = "services/crm"',
        '["crm.example.org"]\nname = "crm"',
        '["crm.example.org"]\nname = "services/Crm"',
        '["crm.example.org"]\nroles = ["auditor"]',
        '["crm.example.org"]\nname = "services/crm"\nroles = "auditor"',
        '["crm.example.org"]\nname = "services/crm"\nroles = [1]',
        '["crm.example.org"]\nname = "services/crm"\nrole = ["auditor"]',
    ],
)
def test_names_of_certificates_that_are_wrong_are_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "names.toml"
    file.write_text(text)
    with pytest.raises(FileError):
        Certificates(file, ())


@settings(deadline=None)
@given(st.binary(max_size=200) | st.text(max_size=200).map(str.encode))
def test_whatever_stands_in_the_file_is_taken_in_or_refused(
    tmp_path_factory: pytest.TempPathFactory, text: bytes
) -> None:
    file = tmp_path_factory.getbasetemp() / "fuzzed.toml"
    file.write_bytes(text)
    try:
        Certificates(file, ())
    except FileError:
        return


@pytest.mark.parametrize("wrong", ["certificate", "key", "client_authority"])
def test_tls_takes_only_what_fits(tmp_path: Path, wrong: str) -> None:
    files = Files(tmp_path)
    files.write()
    files.client_authority.write_bytes(authority("clients").pem)
    Tls(files.certificate, files.key, files.client_authority)
    file: Path = getattr(files, wrong)
    other = authority("other").server()
    for text in (b"", b"nonsense", b"-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----"):
        file.write_bytes(text)
        with pytest.raises(FileError):
            Tls(files.certificate, files.key, files.client_authority)
    if wrong != "client_authority":
        file.write_bytes(other.key if wrong == "key" else other.certificate)
        with pytest.raises(FileError, match="not that of the key"):
            Tls(files.certificate, files.key, files.client_authority)


@pytest.mark.parametrize(
    ("setting", "text"),
    [
        ("jwt_jwks", None),
        ("jwt_jwks", b"{}"),
        ("tls_cert_file", None),
        ("tls_key_file", b"nonsense"),
        ("pseudonym_key_file", None),
        ("pseudonym_key_file", b"short\n"),
    ],
)
def test_a_server_does_not_start_with_a_file_that_it_cannot_take_in(
    loop: LoopThread, tmp_path: Path, setting: str, text: bytes | None
) -> None:
    files = Files(tmp_path)
    files.write()
    file = tmp_path / "wrong"
    if text is not None:
        file.write_bytes(text)
    chosen: dict[str, Any] = files.settings(listen="127.0.0.1:0", **{setting: str(file)})

    async def start() -> None:
        async with running(Settings(**chosen)):
            pass

    with pytest.raises(FileError) as refusal:
        loop.run(start())
    assert "short" not in str(refusal.value)
    assert not (tmp_path / "okr-ledger.db").exists()
