"""The wheel that is shipped: what is in it, and that it works where nothing else of ours is."""

import os
import subprocess
import sys
import sysconfig
import venv
from pathlib import Path
from zipfile import ZipFile

import pytest

ROOT = Path(__file__).resolve().parents[2]
SHIPPED = {"ledger", "projections", "service", "okr", "buf", "server.py"}

pytestmark = [pytest.mark.slow, pytest.mark.system]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The project's wheel, built by its own build backend."""
    folder = tmp_path_factory.mktemp("wheel")
    run(sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder), cwd=ROOT)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The programs of an environment that has this wheel and the dependencies, not the sources.

    The dependencies are those of the running environment, by a path file: Python does not look for
    further path files there, so the project's editable installation stays out.
    """
    home = tmp_path_factory.mktemp("installed")
    venv.create(home, with_pip=False, symlinks=True)
    programs = home / "bin"
    command = ("pip", "--python", str(programs / "python"), "install", "--no-deps", "--no-index")
    run(sys.executable, "-m", *command, str(wheel), cwd=home)
    (site_packages,) = (home / "lib").glob("python*/site-packages")
    (site_packages / "dependencies.pth").write_text(sysconfig.get_path("purelib"))
    return programs


def test_it_ships_the_packages_and_nothing_else(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = {Path(name) for name in archive.namelist()}
    tops = {name.parts[0] for name in names}
    assert {top for top in tops if not top.endswith(".dist-info")} == SHIPPED
    assert not [name for name in names if name.suffix in {".pyc", ".proto", ".db"}]


def test_it_ships_types_and_the_code_behind_the_rules(wheel: Path) -> None:
    with ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "okr/py.typed",
        "okr/v1/ledger_service_pb2.py",
        "okr/v1/ledger_service_pb2.pyi",
        "okr/v1/ledger_service_pb2_grpc.py",
        "okr/v1/ledger_service_pb2_grpc.pyi",
        "buf/validate/validate_pb2.py",
        "buf/validate/validate_pb2.pyi",
    } <= names
    assert not {"buf/__init__.py", "buf/validate/__init__.py"} & names


def test_it_ships_every_object_of_a_schema_on_postgresql(wheel: Path) -> None:
    steps = (ROOT / "ledger/log/postgres/steps").rglob("*.sql")
    with ZipFile(wheel) as archive:
        assert {str(step.relative_to(ROOT)) for step in steps} <= set(archive.namelist())


@pytest.mark.parametrize(
    "module", ["server", "service", "ledger.rpc", "projections.rpc", "okr.cli"]
)
def test_its_modules_import_where_the_sources_are_not(installed: Path, module: str) -> None:
    shown = run(
        str(installed / "python"),
        "-c",
        f"import {module}; print({module}.__file__)",
        cwd=installed,
    )
    assert shown.startswith(str(installed.parent))


@pytest.mark.parametrize("program", ["okr", "okr-ledger"])
def test_its_programs_say_how_they_are_used(installed: Path, program: str) -> None:
    assert "Usage" in run(str(installed / program), "--help", cwd=installed)


def run(*command: str, cwd: Path) -> str:
    """Run a program away from the sources; answers what it printed, and fails with it."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONPATH"}
    done = subprocess.run(
        command, cwd=cwd, env=environment, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout
