"""The check of generated code sees what is other, missing or left over."""

from pathlib import Path

import pytest

from tools import protos


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = tmp_path / "project"
    monkeypatch.setattr(protos, "ROOT", root)
    return root


@pytest.fixture
def fresh(tmp_path: Path) -> Path:
    return tmp_path / "fresh"


def write(root: Path, path: str, text: str) -> None:
    (root / path).parent.mkdir(parents=True, exist_ok=True)
    (root / path).write_text(text)


def test_what_differs_is_listed_and_replaced(project: Path, fresh: Path) -> None:
    for path, committed, generated in (
        ("okr/v1/same_pb2.py", "a", "a"),
        ("okr/v1/other_pb2.py", "a", "b"),
        ("okr/v1/missing_pb2.py", None, "a"),
        ("okr/v1/left_over_pb2.py", "a", None),
        ("okr/client.py", "written by hand", None),
        ("okr/v1/__pycache__/same_pb2.pyc", "a", None),
    ):
        if committed is not None:
            write(project, path, committed)
        if generated is not None:
            write(fresh, path, generated)

    stale = protos.differences(fresh)
    assert [path.name for path in stale] == ["left_over_pb2.py", "missing_pb2.py", "other_pb2.py"]

    for different in stale:
        protos.replace(different, fresh)
    assert not protos.differences(fresh)
    assert (project / "okr/client.py").exists()


def test_a_proto_brings_what_its_imports_import(project: Path, fresh: Path) -> None:
    write(
        project,
        "protos/okr/v1/some.proto",
        'import "google/api/annotations.proto";\nimport "google/protobuf/any.proto";\n'
        'import "buf/validate/validate.proto";\n',
    )
    protos.vendor(fresh)
    copied = {str(path.relative_to(fresh)) for path in fresh.rglob("*.proto")}
    assert copied == {
        "third_party/google/api/annotations.proto",
        "third_party/google/api/http.proto",
    }
