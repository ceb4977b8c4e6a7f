from pathlib import Path
from typing import Any

import pytest

from ledger.texts.finding import keys_database
from service.settings import Settings, SettingsError


@pytest.fixture(autouse=True)
def no_settings_around(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.delenv(f"OKR_{name.upper()}", raising=False)


def test_without_settings_the_server_is_embedded_and_local() -> None:
    settings = Settings.read()
    assert settings.listen == "127.0.0.1:50051"
    assert settings.database.file == Path("okr-ledger.db")
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
    assert "--jwt-jwks (OKR_JWT_JWKS)" in message


TOKENS = {"jwt_jwks": "keys.json", "jwt_issuer": "https://issuer.example", "jwt_audience": "okr"}
TLS = {"tls_cert_file": "server.pem", "tls_key_file": "server.key"}
EVERYWHERE = "0.0.0.0:50051"


@pytest.mark.parametrize(
    "others",
    [
        {**TOKENS, **TLS},
        {**TOKENS, "tls_at_proxy": True},
        {**TLS, "tls_client_ca_file": "ca.pem", "spiffe_trust_domains": "example.org"},
        {**TLS, "tls_client_ca_file": "ca.pem", "certificate_names_file": "names.toml"},
        {**TLS, **TOKENS, "tls_client_ca_file": "ca.pem"},
    ],
)
def test_others_may_reach_it_where_they_are_known_over_tls(others: dict[str, Any]) -> None:
    settings = Settings.read(listen=EVERYWHERE, **others)
    assert settings.authenticates


@pytest.mark.parametrize(
    ("others", "named", "sentence"),
    [
        (TOKENS, "--listen", "without TLS"),
        (TLS, "--listen", "no authentication is configured"),
        ({"tls_at_proxy": True}, "--listen", "no authentication is configured"),
        ({"tls_cert_file": "server.pem"}, "--tls-key-file", "--tls-cert-file"),
        ({"tls_key_file": "server.key"}, "--tls-key-file", "--tls-cert-file"),
        ({**TLS, "tls_at_proxy": True}, "--tls-at-proxy", "TLS ends here or at a proxy"),
        ({"tls_client_ca_file": "ca.pem"}, "--tls-client-ca-file", "over TLS only"),
        (
            {**TLS, "tls_client_ca_file": "ca.pem"},
            "--spiffe-trust-domains",
            "would name nobody",
        ),
        ({**TOKENS, "jwt_issuer": ""}, "--jwt-issuer", "--jwt-jwks"),
        ({**TOKENS, "jwt_audience": ""}, "--jwt-audience", "--jwt-jwks"),
        ({"jwt_audience": "okr"}, "--jwt-audience", "--jwt-jwks"),
        ({**TOKENS, "jwt_jwks": "http://issuer.example/keys"}, "--jwt-jwks", "https://"),
        ({**TOKENS, "jwt_jwks": "ftp://127.0.0.1/keys"}, "--jwt-jwks", "https://"),
        ({**TOKENS, "jwt_jwks": "https://a:b@issuer.example/keys"}, "--jwt-jwks", "https://HOST"),
        ({**TOKENS, "jwt_jwks": "https:///keys"}, "--jwt-jwks", "https://HOST"),
        ({"jwt_algorithms": "RS256,HS256"}, "--jwt-algorithms", "each has to be one of"),
        ({"jwt_algorithms": "none"}, "--jwt-algorithms", "each has to be one of"),
        ({"jwt_algorithms": ","}, "--jwt-algorithms", "each has to be one of"),
        ({"jwt_leeway_seconds": 3600}, "--jwt-leeway-seconds", "300"),
    ],
)
def test_settings_of_identity_that_do_not_fit_are_told(
    others: dict[str, Any], named: str, sentence: str
) -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.read(**({"listen": EVERYWHERE} if named == "--listen" else {}), **others)
    (line,) = (told for told in str(refusal.value).splitlines() if told.startswith(named))
    assert sentence in line
    assert "a:b" not in line


def test_keys_may_come_from_this_machine_in_plain_text() -> None:
    for place in ("http://127.0.0.1:8080/keys", "http://[::1]/keys", "https://issuer.example/keys"):
        assert Settings.read(**{**TOKENS, "jwt_jwks": place}).jwt_jwks == place


def test_lists_are_separated_by_commas() -> None:
    settings = Settings.read(
        jwt_algorithms="ES256, EdDSA", spiffe_trust_domains="a.example,b.example"
    )
    assert settings.algorithms == ("ES256", "EdDSA")
    assert settings.trust_domains == {"a.example", "b.example"}


@pytest.mark.parametrize("address", ["127.0.0.1", "50051", "127.0.0.1:http", "127.0.0.1:65536", ""])
def test_an_address_needs_host_and_port(address: str) -> None:
    with pytest.raises(SettingsError, match="neither HOST:PORT nor unix:PATH"):
        Settings.read(listen=address)


@pytest.mark.parametrize("url", ["okr-ledger.db", "sqlite:///", "mysql://localhost/okr", ""])
def test_a_database_it_does_not_know_is_refused(url: str) -> None:
    with pytest.raises(
        SettingsError, match=r"--database-url \(OKR_DATABASE_URL\): .*sqlite:///FILE"
    ):
        Settings.read(database_url=url)


def test_four_slashes_begin_an_absolute_path() -> None:
    assert Settings.read(database_url="sqlite:////srv/okr.db").database.file == Path("/srv/okr.db")


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://okr:s3cret@db.example:5433/okr?sslmode=verify-full&sslrootcert=/etc/okr/ca.pem",
        "postgres://okr@db1.example,db2.example/okr?target_session_attrs=read-write",
        "postgresql:///okr?host=/run/postgresql&password=s3cret&sslpassword=s3cret",
    ],
)
def test_postgresql_takes_what_libpq_takes_and_a_password_is_never_shown(url: str) -> None:
    settings = Settings.read(database_url=url, database_schema="okr_test")
    assert (settings.database.url, settings.database.schema) == (url, "okr_test")
    for shown in (str(settings.database), repr(settings.database), repr(settings)):
        assert "s3cret" not in shown
    assert str(settings.database).startswith(url[:10])


def test_what_is_no_url_is_not_repeated_since_it_may_hold_a_password() -> None:
    with pytest.raises(SettingsError) as refusal:
        Settings.read(database_url="okr:s3cret@db.example/okr")
    assert "s3cret" not in str(refusal.value)
    assert "postgresql://USER@HOST/DATABASE" in str(refusal.value)


def test_only_a_ledger_on_postgresql_has_a_replica() -> None:
    primary, replica = "postgresql://okr@db1.example/okr", "postgresql://okr:s3cret@db2.example/okr"
    settings = Settings.read(database_url=primary, database_schema="goals", replica_url=replica)
    assert settings.replica is not None
    assert (settings.replica.url, settings.replica.schema) == (replica, "goals")
    assert "s3cret" not in repr(settings)
    assert Settings.read(database_url=primary).replica is None
    for wrong in (
        {"replica_url": replica},
        {"database_url": primary, "replica_url": "sqlite:///okr-ledger.db"},
    ):
        with pytest.raises(SettingsError, match=r"--replica-url \(OKR_REPLICA_URL\): ") as refusal:
            Settings.read(**wrong)
        assert "s3cret" not in str(refusal.value)


def test_keys_are_beside_the_ledger_or_where_they_are_said_to_be() -> None:
    elsewhere = "postgresql://okr:s3cret@db2.example/keys"
    beside = Settings.read(database_url="sqlite:////srv/okr.db").database
    assert str(keys_database(beside)) == "/srv/okr.keys.db"
    settings = Settings.read(database_schema="goals", keys_url=elsewhere)
    found = keys_database(settings.database)
    assert (found.url, found.schema) == (elsewhere, "goals_keys")
    for told in (repr(settings), repr(settings.database), str(found), repr(found)):
        assert "s3cret" not in told
    assert Settings.read(keys_url="none").database.keys_url == "none"
    with pytest.raises(SettingsError, match=r"--keys-url \(OKR_KEYS_URL\): ") as refusal:
        Settings.read(keys_url="okr:s3cret@db2.example/keys")
    assert "s3cret" not in str(refusal.value)


@pytest.mark.parametrize("schema", ["", "Okr", "okr ledger", "pg_okr", "1okr", "o" * 41])
def test_a_schema_needs_no_quotes(schema: str) -> None:
    with pytest.raises(SettingsError, match=r"--database-schema \(OKR_DATABASE_SCHEMA\): "):
        Settings.read(database_schema=schema)


def test_every_wrong_setting_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OKR_LOG_LEVEL", "loud")
    monkeypatch.setenv("OKR_DRAIN_SECONDS", "-1")
    with pytest.raises(SettingsError) as refusal:
        Settings.read()
    named = [line.partition(":")[0] for line in str(refusal.value).splitlines()]
    assert named == ["--log-level (OKR_LOG_LEVEL)", "--drain-seconds (OKR_DRAIN_SECONDS)"]
