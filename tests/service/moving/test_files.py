"""A file is in its place when it is whole, and never in the place of another."""

from __future__ import annotations

import errno
from pathlib import Path

import pytest

from service.moving.files import FileUnusable, reading, unfinished


def test_a_file_is_put_in_its_place_when_it_is_whole(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with unfinished(target) as made:
        made.file.write(b"whole")
        assert not target.exists()
        made.put()
    assert target.read_bytes() == b"whole"
    assert list(tmp_path.iterdir()) == [target]
    with reading(target) as file:
        assert file.read() == b"whole"


def test_what_was_left_is_there_for_the_next_attempt(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with unfinished(target) as made:
        made.file.write(b"part")
    assert not target.exists()
    with unfinished(target) as made:
        assert made.file.read() == b"part"


def test_a_file_that_is_there_is_never_written_to(tmp_path: Path) -> None:
    target = tmp_path / "target"
    target.write_text("mine")
    with pytest.raises(FileUnusable, match="it is there already"), unfinished(target):
        pass
    target.unlink()
    with unfinished(target) as made:
        target.write_text("meanwhile")
        with pytest.raises(FileUnusable, match="cannot write"):
            made.put()
    assert target.read_text() == "meanwhile"


def test_two_do_not_write_one_file(tmp_path: Path) -> None:
    target = tmp_path / "target"
    with (
        unfinished(target) as made,
        pytest.raises(FileUnusable, match="another process writes it"),
        unfinished(target),
    ):
        pass
    assert made.path.exists()


def test_where_a_file_has_one_name_it_is_renamed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(_new: Path, _old: Path) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    target = tmp_path / "target"
    with unfinished(target) as made:
        made.put()
    assert list(tmp_path.iterdir()) == [target]
    target.unlink()
    with unfinished(target) as made:
        target.write_text("meanwhile")
        with pytest.raises(FileUnusable, match="it is there already"):
            made.put()


def test_a_folder_that_is_missing_is_told(tmp_path: Path) -> None:
    with (
        pytest.raises(FileUnusable, match="No such file or directory"),
        unfinished(tmp_path / "nowhere" / "target"),
    ):
        pass
    with pytest.raises(FileUnusable, match="cannot read"), reading(tmp_path / "nowhere"):
        pass
