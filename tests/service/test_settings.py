from pathlib import Path

import pytest

from service.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OKR_{name.upper()}", raising=False)


def test_without_settings_the_server_is_embedded_and_local() -> None:
    settings = Settings.read()
    assert settings.listen == "127.0.0.1:50051"
    assert settings.log_file == Path("okr-ledger.db")
    assert settings.follower == "in_process"


def test_a_flag_wins_over_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKR_LISTEN", "127.0.0.1:1")
    monkeypatch.setenv("OKR_MAX_WAITING", "5")
    settings = Settings.read(listen="127.0.0.1:2", max_waiting=None)
    assert (settings.listen, settings.max_waiting) == ("127.0.0.1:2", 5)


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1:50051",
        "127.8.8.8:0",
        "[::1]:50051",
        "localhost:50051",
        "unix:/run/okr-ledger.sock",
        "unix:okr.sock",
    ],
)
def test_it_listens_on_this_machine(address: str) -> None:
    assert Settings.read(listen=address).listen == address


@pytest.mark.parametrize(
    "address", ["0.0.0.0:50051", "[::]:50051", ":50051", "192.168.1.7:50051", "okr.example:443"]
)
def test_it_refuses_to_be_reached_from_others_and_says_what_to_do(address: str) -> None:
    with pytest.raises(SettingsError, match="no authentication is configured") as refusal:
        Settings.read(listen=address)
    message = str(refusal.value)
    assert message.startswith("--listen (OKR_LISTEN): ")
    assert "127.0.0.1:PORT" in message
    assert "proxy" in message


@pytest.mark.parametrize("address", ["127.0.0.1", "50051", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(SettingsError, match="neither HOST:PORT nor unix:PATH"):
        Settings.read(listen=address)


@pytest.mark.parametrize("url", ["okr-ledger.db", "sqlite:///", "postgresql://localhost/okr", ""])
def test_a_database_it_does_not_know_is_refused(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"--database-url \(OKR_DATABASE_URL\): .*sqlite:///FILE"
    ):
        Settings.read(database_url=url)


def test_four_slashes_begin_an_absolute_path() -> None:
    assert Settings.read(database_url="sqlite:////srv/okr.db").log_file == Path("/srv/okr.db")


def test_every_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKR_LOG_LEVEL", "loud")
    monkeypatch.setenv("OKR_DRAIN_SECONDS", "-1")
    with pytest.raises(SettingsError) as refusal:
        Settings.read()
    named = [line.partition(":")[0] for line in str(refusal.value).splitlines()]
    assert named == ["--log-level (OKR_LOG_LEVEL)", "--drain-seconds (OKR_DRAIN_SECONDS)"]
