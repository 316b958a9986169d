"""Settings: one name in three places, the first that has it wins, and nothing that is wrong passes in silence."""

from __future__ import annotations

from ipaddress import ip_network
from pathlib import Path

import pytest
from werkzeug.security import check_password_hash, generate_password_hash

from soapsvc.cli.settings_page import settings_page
from soapsvc.errors import SettingsError
from soapsvc.records import Conformance
from soapsvc.settings import OwnSettings, Settings, load_settings
from tests.commands import soapsvc

HASH = generate_password_hash("correct horse", method="pbkdf2:sha256:1")


@pytest.fixture(autouse=True)
def in_an_empty_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def wrong(text: str = "", **flags: object) -> str:
    """The sentence that these settings get."""
    Path("soapsvc.toml").write_text(text)
    with pytest.raises(SettingsError) as caught:
        load_settings(dict(flags))
    assert "pydantic" not in str(caught.value)
    assert "Traceback" not in str(caught.value)
    return str(caught.value)


def test_without_anything_the_defaults_hold() -> None:
    assert load_settings() == Settings()


def test_flag_then_environment_then_file_then_default(monkeypatch: pytest.MonkeyPatch) -> None:
    assert load_settings().threads == 8
    Path("soapsvc.toml").write_text("threads = 2\n")
    assert load_settings().threads == 2
    monkeypatch.setenv("SOAPSVC_THREADS", "3")
    assert load_settings().threads == 3
    assert load_settings({"threads": 4}).threads == 4


@pytest.mark.parametrize("name", Settings.model_fields)
def test_every_setting_is_read_from_the_environment_and_from_the_file(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    texts = {
        "listen": ('"[::1]:9"', "[::1]:9"), "admin": ('"localhost:9"', "localhost:9"),
        "inbox": ('"sqlite://"', "sqlite://"),
        "wsdl": ('"a.wsdl"', "a.wsdl"), "conformance": ('"observe"', "observe"),
        "conformance_by_source": ('{"10.0.0.0/8" = "observe"}', '{"10.0.0.0/8": "observe"}'),
        "public_url": ('"https://x/p"', "https://x/p"),
        "basic_users": (f'{{u = "{HASH}"}}', f'{{"u": "{HASH}"}}'),
        "allowed_sources": ('["10.0.0.0/8"]', '["10.0.0.0/8"]'),
        "trusted_proxies": ('["::1/128"]', '["::1/128"]'), "extra_charsets": ('["koi8-r"]', '["koi8-r"]'),
        "admin_user": ('"me"', "me"), "admin_password_hash": (f'"{HASH}"', HASH), "log_format": ('"json"', "json"),
        "affinity": ('"off"', "off"),
        "documents": ('"file:///d"', "file:///d"), "spool": ('"d"', "d"),
        "intake_password": ('"secret"', "secret"), "intake_password_file": ('"p"', "p"), "intake_key_file": ('"k"', "k"),
        "intake_known_hosts": ('"k"', "k"), "intake_ca_file": ('"c"', "c"),
        "delivery": ('[{name = "a", target = "file:///d"}]', '[{"name": "a", "target": "file:///d"}]'),
        "delivery_worker": ('"apart"', "apart"), "delivery_claim_seconds": ("7", "7"),
        "retention": ("{accepted = {days = 9}}", '{"accepted": {"days": 9}}'),
        "smtp_url": ('"smtp://h:25"', "smtp://h:25"), "smtp_password": ('"env:X"', "env:X"),
        "smtp_from": ('"a@b"', "a@b"), "ca_file": ('"ca.pem"', "ca.pem"),
        "profiles": ('{x = {receiver = "http://r/"}}', '{"x": {"receiver": "http://r/"}}'),
        "processes": ("7", "7"), "threads": ("7", "7"), "max_depth": ("9", "9"),
    }  # fmt: skip
    in_file, in_environment = texts.get(name, ("4321", "4321"))
    other = {"admin_user": "admin_password_hash", "admin_password_hash": "admin_user"}.get(name)
    pair = {other: HASH if other == "admin_password_hash" else "me"} if other else {}
    pair |= {"inbox": "postgresql://h/i"} if name in ("documents", "spool") else {}
    Path("soapsvc.toml").write_text(f"{name} = {in_file}\n")
    by_file = load_settings(dict(pair))
    Path("soapsvc.toml").write_text("")
    monkeypatch.setenv(f"SOAPSVC_{name.upper()}", in_environment)
    by_environment = load_settings(dict(pair))
    assert getattr(by_file, name) == getattr(by_environment, name) != getattr(Settings.model_construct(), name)


def test_a_list_from_the_environment_replaces_the_files(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("soapsvc.toml").write_text(f'allowed_sources = ["10.0.0.0/8"]\n[basic_users]\nold = "{HASH}"\n')
    monkeypatch.setenv("SOAPSVC_ALLOWED_SOURCES", '["192.0.2.0/24", "2001:db8::/32"]')
    monkeypatch.setenv("SOAPSVC_BASIC_USERS", f'{{"new": "{HASH}"}}')
    settings = load_settings()
    assert settings.allowed_sources == (ip_network("192.0.2.0/24"), ip_network("2001:db8::/32"))
    assert list(settings.basic_users) == ["new"]


def test_the_file_that_is_named_is_read_instead_of_the_one_in_the_working_directory(tmp_path: Path) -> None:
    Path("soapsvc.toml").write_text("threads = 2\n")
    named = tmp_path / "other.toml"
    named.write_text('conformance = "guarded"\n')
    settings = load_settings(config=named)
    assert (settings.threads, settings.conformance) == (8, Conformance.GUARDED)


def test_an_empty_variable_counts_as_not_given(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_WSDL", "")
    assert load_settings().wsdl is None


@pytest.mark.parametrize(
    ("key", "nearest"),
    [("treads", "threads"), ("public-url", "public_url"), ("max_envelope_size", "max_envelope_bytes")],
)
def test_an_unknown_key_in_the_file_is_named_with_its_line_and_the_nearest_one(key: str, nearest: str) -> None:
    assert wrong(f'# mine\nlisten = "127.0.0.1:0"\n{key} = 3\n') == (
        f"soapsvc.toml, line 3: '{key}' is no setting; the nearest one is {nearest}"
    )


def test_an_unknown_table_in_the_file_is_named() -> None:
    assert wrong('\n[basic_user]\nvendor = "x"\n').startswith(
        "soapsvc.toml, line 2: 'basic_user' is no setting; the nearest one is basic_users"
    )


def test_an_unknown_variable_is_named_with_the_nearest_one(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_CONFORMENCE", "observe")
    assert wrong() == (
        "the environment has SOAPSVC_CONFORMENCE, which is no setting; the nearest one is SOAPSVC_CONFORMANCE"
    )


def test_a_variable_that_kubernetes_sets_is_explained(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_PORT_8080_TCP_ADDR", "10.0.0.1")
    assert "enableServiceLinks: false" in wrong()


def test_variables_that_the_command_line_reads_itself_are_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_DEBUG", "1")
    monkeypatch.setenv("SOAPSVC_PUSH_PASSWORD", "x")
    load_settings()


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("threads = 0", "threads (from soapsvc.toml, line 1) is 0; wanted: greater than or equal to 1"),
        ('listen = "8080"',
         "listen (from soapsvc.toml, line 1) reads '8080'; wanted: HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080"),
        ("listen = 8080",
         "listen (from soapsvc.toml, line 1) is 8080; wanted: text"),
        ("quarantine_max_bytes = false",
         "quarantine_max_bytes (from soapsvc.toml, line 1) is false; wanted: a whole number"),
        ("threads = true", "threads (from soapsvc.toml, line 1) is true; wanted: a whole number"),
        ("threads = 1.5", "threads (from soapsvc.toml, line 1) is 1.5; wanted: a whole number"),
        ("threads = [8]", "threads (from soapsvc.toml, line 1) is [8]; wanted: a whole number"),
        ("shutdown_seconds = true", "shutdown_seconds (from soapsvc.toml, line 1) is true; wanted: a number"),
        ("request_seconds = inf", "request_seconds (from soapsvc.toml, line 1) is inf; wanted: a number"),
        ("request_seconds = nan", "request_seconds (from soapsvc.toml, line 1) is nan; wanted: a number"),
        ("allowed_sources = [1]",
         "allowed_sources (from soapsvc.toml, line 1) is [1]; wanted: a list of texts, such as [\"192.0.2.0/24\"]"),
        ('allowed_sources = "10.0.0.0/8"',
         "allowed_sources (from soapsvc.toml, line 1) reads '10.0.0.0/8'; "
         'wanted: a list of texts, such as ["192.0.2.0/24"]'),
        ("trusted_proxies = true",
         'trusted_proxies (from soapsvc.toml, line 1) is true; wanted: a list of texts, such as ["192.0.2.0/24"]'),
        ("extra_charsets = [[]]",
         'extra_charsets (from soapsvc.toml, line 1) is [[]]; wanted: a list of texts, such as ["windows-1250"]'),
        ("wsdl = 5", "wsdl (from soapsvc.toml, line 1) is 5; wanted: the path of a file"),
        ("conformance = true",
         "conformance (from soapsvc.toml, line 1) is true; wanted: 'strict', 'guarded' or 'observe'"),
        ("log_format = 5", "log_format (from soapsvc.toml, line 1) is 5; wanted: text"),
        ("basic_users = 5",
         'basic_users (from soapsvc.toml, line 1); wanted: a table of texts, such as {"vendor": "scrypt:32768:8:1$…"}'),
        ("[basic_users]\nvendor = 5",
         'basic_users (from soapsvc.toml, line 1); wanted: a table of texts, such as {"vendor": "scrypt:32768:8:1$…"}'),
        ("admin_password_hash = true", "admin_password_hash (from soapsvc.toml, line 1); wanted: text"),
        ('public_url = "http://reports.example.com:99999/push"',
         "public_url (from soapsvc.toml, line 1) reads 'http://reports.example.com:99999/push'; wanted: an absolute http "
         "or https URL without user, password and query, such as https://reports.example.com/push"),
        ('conformance = "lax"',
         "conformance (from soapsvc.toml, line 1) reads 'lax'; wanted: 'strict', 'guarded' or 'observe'"),
        ('log_format = "xml"', "log_format (from soapsvc.toml, line 1) reads 'xml'; wanted: one of text, json"),
        ('allowed_sources = ["10.0.0.0/8", "10.1.1.1/8"]',
         "allowed_sources (from soapsvc.toml, line 1) reads '10.1.1.1/8'; "
         "wanted: a CIDR range without host bits, such as 192.0.2.0/24 or 2001:db8::/32"),
        ('public_url = "reports.example.com"',
         "public_url (from soapsvc.toml, line 1) reads 'reports.example.com'; "
         "wanted: an absolute http or https URL without user, password and query, such as https://reports.example.com/push"),
        ('admin = "0.0.0.0:8081"', "admin is 0.0.0.0:8081, outside loopback, without a credential: set admin_user and "
         "admin_password_hash (soapsvc password), or listen on 127.0.0.1"),
        ('admin_user = "me"', "admin_user and admin_password_hash go together: set both or none"),
    ],
)  # fmt: skip
def test_a_wrong_value_is_told_with_setting_place_found_and_wanted(text: str, sentence: str) -> None:
    assert wrong(text) == sentence


def test_each_place_is_told_as_itself(monkeypatch: pytest.MonkeyPatch) -> None:
    assert wrong(min_free_bytes="x").startswith(
        "min_free_bytes (from the flag --min-free-bytes) reads 'x'; wanted: a whole number"
    )
    monkeypatch.setenv("SOAPSVC_PROCESSES", "many")
    assert wrong().startswith(
        "processes (from the environment variable SOAPSVC_PROCESSES) reads 'many'; wanted: a whole number"
    )


def test_a_list_in_the_environment_that_is_not_json_is_told_with_an_example(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_ALLOWED_SOURCES", "10.0.0.0/8")
    assert wrong() == "SOAPSVC_ALLOWED_SOURCES reads '10.0.0.0/8'; a JSON list is wanted, such as [\"192.0.2.0/24\"]"


def test_every_wrong_setting_is_told_at_once() -> None:
    assert len(wrong("threads = 0\nprocesses = 0\n").splitlines()) == 2


@pytest.mark.parametrize(
    "text",
    [
        '[basic_users]\nvendor = "open sesame"\n',
        "[basic_users]\nvendor = 4711\n",
        'basic_users = "open sesame"',
        'admin_user = "me"\nadmin_password_hash = "open sesame"\n',
    ],
)
def test_a_password_where_a_hash_belongs_is_refused_and_not_shown(text: str) -> None:
    sentence = wrong(text)
    assert "open sesame" not in sentence
    assert "4711" not in sentence
    assert "basic_users" in sentence or "admin_password_hash" in sentence


@pytest.mark.parametrize(
    "url", ["https://me:s3cret@reports.example.com/push", "https://me@x/", "me:s3cret@x", "http://me:s3c/ret@x"]
)
def test_a_public_url_with_a_user_is_refused_and_no_password_shown(url: str) -> None:
    sentence = wrong(f'public_url = "{url}"')
    assert "wanted: an absolute http or https URL without user, password and query" in sentence
    assert "s3c" not in sentence
    assert "ret@" not in sentence


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("i.db", "i.db"),
        ("", ""),
        ("mysql://me:s3cret@db/inbox", "mysql://***@db/inbox"),
        ("sqlite:i.db", "sqlite:i.db"),
    ],
)
def test_an_inbox_that_no_store_can_be_is_refused_and_no_password_shown(url: str, shown: str) -> None:
    assert wrong(f'inbox = "{url}"') == (
        f"inbox (from soapsvc.toml, line 1) reads {shown!r}; "
        "wanted: the URL of a store in SQLite or PostgreSQL, such as sqlite:///soapsvc-inbox.db"
    )


@pytest.mark.parametrize("setting", ['documents = "s3://b/p"', 'spool = "/var/spool/soapsvc"'])
def test_places_for_a_server_do_not_go_with_a_file(setting: str) -> None:
    name = setting.partition(" ")[0]
    assert wrong(setting) == (
        f"{name} is set, and inbox is a SQLite file, beside which that lies: take {name} away, or name an inbox in "
        "PostgreSQL"
    )


@pytest.mark.parametrize("place", ["/var/documents", "s3://key:secret@bucket/p", "ftp://h/p", "file://documents"])
def test_a_place_of_documents_that_there_is_not_is_refused(place: str) -> None:
    said = wrong(f'documents = "{place}"\ninbox = "postgresql://h/i"')
    assert said.endswith("wanted: file:///DIRECTORY or s3://BUCKET/PREFIX, such as s3://soapsvc-documents/inbox")
    assert "secret" not in said


def test_no_parameter_of_the_inbox_is_shown() -> None:
    assert "secret" not in wrong('inbox = "postgre://h/i?password=secret"')


@pytest.mark.parametrize("url", ["sqlite:///i.db", "postgresql://h/i", "postgresql+psycopg://u:p@h/i"])
def test_an_inbox_in_sqlite_or_postgresql_is_taken(url: str) -> None:
    assert load_settings({"inbox": url}).inbox == url


def test_a_secret_in_the_environment_that_is_not_json_is_not_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOAPSVC_BASIC_USERS", "vendor:open sesame")
    sentence = wrong()
    assert "open sesame" not in sentence
    assert "JSON object" in sentence


@pytest.mark.parametrize(
    "made_up",
    ["pbkdf2:nosuch:1$salt$abcd", "pbkdf2:sha256:0$salt$abcd", "scrypt:1:2$x$ab", "scrypt:3:8:1$salt$abcd",
     "scrypt:1:8:1$salt$abcd", "scrypt:16:8:1$salt$abcd", "scrypt:65536:1:1$salt$abcd", "scrypt:8388608:8:1$salt$abcd",
     "scrypt:32768:8:1$salt$", "scrypt:32768:8:1$$abcd", "sha256$salt$abcd"],
)  # fmt: skip
def test_a_hash_that_no_password_can_be_held_against_is_refused(made_up: str) -> None:
    assert "a hash made by `soapsvc password`" in wrong(f'[basic_users]\nvendor = "{made_up}"\n')


def test_what_the_command_prints_is_taken() -> None:
    printed = soapsvc("password", input="correct horse\n").stdout.strip()
    Path("soapsvc.toml").write_text(f'[basic_users]\nvendor = "{printed}"\n')
    assert check_password_hash(load_settings().basic_users["vendor"].get_secret_value(), "correct horse")


@pytest.mark.parametrize("method", ["scrypt", "scrypt:1024:8:1", "pbkdf2", "pbkdf2:sha512:1"])
def test_a_hash_that_werkzeug_made_is_taken(method: str) -> None:
    made = generate_password_hash("correct horse", method=method)
    Path("soapsvc.toml").write_text(f'[basic_users]\nvendor = "{made}"\n')
    assert load_settings().basic_users["vendor"].get_secret_value() == made


def test_a_user_name_with_a_colon_is_refused() -> None:
    assert "without a colon" in wrong(f'[basic_users]\n"a:b" = "{HASH}"\n')


def test_a_file_that_cannot_be_read_is_told(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read: No such file"):
        load_settings(config=tmp_path / "nowhere.toml")
    assert "line 1" in wrong("listen: 127.0.0.1")
    Path("soapsvc.toml").write_bytes(b"# \xe9\n")
    with pytest.raises(SettingsError, match="not UTF-8 at byte 2"):
        load_settings()


def test_settings_of_ones_own_ask_neither_environment_nor_file(monkeypatch: pytest.MonkeyPatch) -> None:
    Path("soapsvc.toml").write_text("threads = 0\n")
    monkeypatch.setenv("SOAPSVC_CONFORMANCE", "observe")
    monkeypatch.setenv("SOAPSVC_BASIC_USERS", "no JSON")
    assert OwnSettings(threads=3).model_dump() == {**Settings.model_construct().model_dump(), "threads": 3}


def test_secrets_do_not_print() -> None:
    Path("soapsvc.toml").write_text(f'[basic_users]\nvendor = "{HASH}"\n')
    assert HASH not in repr(load_settings())


def test_the_page_in_docs_is_the_one_that_the_settings_print(checkout: Path) -> None:
    page = (checkout / "docs" / "settings.md").read_text(encoding="utf-8")
    assert page == settings_page(), "run: python -m soapsvc.cli.settings_page > docs/settings.md"
    assert all(f"| `{name}` |" in page for name in Settings.model_fields)
