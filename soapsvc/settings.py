"""Settings: flag > environment SOAPSVC_… > soapsvc.toml > default, one name in all three."""

from __future__ import annotations

import difflib
import json
import os
import re
import tomllib
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from soapsvc.delivery_settings import DeliverySettings, RetentionSettings, entry_sentence
from soapsvc.errors import SettingsError
from soapsvc.password_hashes import is_password_hash
from soapsvc.records import Conformance

Network = IPv4Network | IPv6Network
MIB = 1024 * 1024
DEFAULT_FILE = Path("soapsvc.toml")
PREFIX = "SOAPSVC_"
NOT_SETTINGS = frozenset({"SOAPSVC_DEBUG", "SOAPSVC_PUSH_PASSWORD", "SOAPSVC_BACKUP_PASSWORD"})
"""Variables of ours that set nothing here: the command line reads them itself."""
_STORE_URL = re.compile(r"(?:sqlite|postgresql)(?:\+\w+)?://.*")
_DOCUMENTS = re.compile(r"file:///[^?#]+|s3://[^/?#@]+(?:/[^?#]*)?")
_MAIL_SERVER = re.compile(r"smtps?://[^/?#]+/?(?:\?[^#]*)?")
_USERINFO = re.compile(r"^(\w[\w+.-]*://)?.*@", re.DOTALL)  # to the last @: what is no URL may hold several
_URLS = ("inbox", "public_url", "documents", "smtp_url")
_KUBERNETES_SERVICE_LINK = re.compile(r"SOAPSVC_(SERVICE_(HOST|PORT)|PORT)(_\w+)?")


class Settings(BaseSettings):
    """Everything that can be set; README.md and docs/settings.md list it from here."""

    model_config = SettingsConfigDict(env_prefix="SOAPSVC_", env_ignore_empty=True, extra="forbid", frozen=True,
                                      hide_input_in_errors=True, allow_inf_nan=False)  # fmt: skip

    listen: str = Field("127.0.0.1:8080", description="HOST:PORT of the public listener; port 0: any free one")
    admin: str = Field("127.0.0.1:8081", description="HOST:PORT of the admin listener; port 0: any free one")
    inbox: str = Field("sqlite:///soapsvc-inbox.db", description="SQLAlchemy URL of the store, in SQLite or PostgreSQL")
    documents: str | None = Field(
        None,
        description="with PostgreSQL: where what is larger than 128 KiB lies, file:///DIRECTORY (one that all "
        "receivers share) or s3://BUCKET/PREFIX; unset: in the database. With SQLite it lies beside the file",
    )
    spool: Path | None = Field(
        None,
        description="with PostgreSQL: directory of this machine for what is not stored yet; unset: soapsvc-spool-UID "
        "in the directory for temporary files. With SQLite it lies beside the file",
    )
    wsdl: Path | None = Field(None, description="the contract in force; unset: the shipped reconstruction")
    conformance: Conformance = Field(Conformance.STRICT, description="strict, guarded or observe")
    conformance_by_source: dict[Network, Conformance] = Field(
        default_factory=dict,
        description="CIDR range to the degree that holds for it instead; the narrowest range counts",
    )
    public_url: str | None = Field(
        None, description="URL that senders use, shown as soap:address; unset: the listen address and /push"
    )
    processes: Annotated[int, Field(ge=1, le=64)] = Field(1, description="receiver processes")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(8, description="worker threads in each process")
    affinity: str = Field(
        "auto",
        pattern="^(auto|off)$",
        description="auto: each of several processes keeps to one processor, where there are enough (Linux); or off",
    )

    basic_users: dict[str, SecretStr] = Field(
        default_factory=dict, description="who may push: user name to hash (made by `soapsvc password`); empty: anybody"
    )
    allowed_sources: tuple[Network, ...] = Field((), description="CIDR ranges that may push; empty: any address")
    trusted_proxies: tuple[Network, ...] = Field((), description="CIDR ranges whose X-Forwarded-For counts")
    admin_user: str | None = Field(None, description="user name for the admin listener")
    admin_password_hash: SecretStr | None = Field(None, description="its hash (made by `soapsvc password`)")

    max_envelope_bytes: Annotated[int, Field(ge=1024)] = Field(256 * MIB, description="largest HTTP request body")
    max_depth: Annotated[int, Field(ge=8, le=2000)] = Field(64, description="depth of elements; the contract needs 8")
    max_elements: Annotated[int, Field(ge=16)] = Field(50_000, description="elements in an envelope")
    max_attributes: Annotated[int, Field(ge=1)] = Field(64, description="attributes of one element")
    max_name_chars: Annotated[int, Field(ge=16)] = Field(1024, description="characters in a name or namespace")
    max_text_bytes: Annotated[int, Field(ge=1024)] = Field(
        4 * MIB, description="characters outside the documents, and the most in one tag, comment or CDATA section"
    )
    max_documents: Annotated[int, Field(ge=1)] = Field(1000, description="documents in one push")
    extra_charsets: tuple[str, ...] = Field((), description="charsets taken beside UTF-8, UTF-16, US-ASCII, "
                                                            "ISO-8859-1 and windows-1252")  # fmt: skip

    request_seconds: Annotated[float, Field(gt=0)] = Field(600, description="a whole request must be in by then")
    min_bytes_per_second: Annotated[int, Field(ge=0)] = Field(
        500, description="a slower sender is let go after 10 seconds; 0: never"
    )
    shutdown_seconds: Annotated[float, Field(ge=0)] = Field(
        30, description="SIGTERM waits this long for the requests and deliveries under way, in all"
    )
    min_free_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * MIB, description="kept free on the disk of inbox or spool beside three times each request"
    )
    retry_after_seconds: Annotated[int, Field(ge=1)] = Field(60, description="Retry-After of a Server fault")
    quarantine_max_bytes: Annotated[int, Field(ge=0)] = Field(
        1024 * MIB, description="kept of refused input, with what is known of it"
    )
    quarantine_max_bytes_per_source: Annotated[int, Field(ge=0)] = Field(
        256 * MIB, description="the same for one source address"
    )
    intake_password: SecretStr | None = Field(
        None, description="password at the backup that `soapsvc intake` reads, or passphrase of intake_key_file"
    )
    intake_password_file: Path | None = Field(None, description="a file whose first line is that password")
    intake_key_file: Path | None = Field(None, description="private key for a backup at sftp://")
    intake_known_hosts: Path | None = Field(
        None, description="host keys for a backup at sftp://, as OpenSSH has them; unset: ~/.ssh/known_hosts"
    )
    intake_ca_file: Path | None = Field(
        None, description="authorities for a backup at ftps:// or imaps://, in PEM; unset: those of the system"
    )
    intake_timeout_seconds: Annotated[float, Field(gt=0)] = Field(
        30, description="a backup that is silent for longer counts as unreachable"
    )
    intake_max_items: Annotated[int, Field(ge=1)] = Field(
        100_000, description="files or emails of a backup that are looked at in one look; the largest that is read "
        "has max_envelope_bytes"
    )  # fmt: skip
    delivery: tuple[DeliverySettings, ...] = Field(
        (), description="where accepted pushes are handed on to, an entry each ([deliveries.md](deliveries.md))"
    )
    delivery_worker: str = Field(
        "serve", pattern="^(serve|apart)$", description="who delivers: serve, or apart: `soapsvc worker`"
    )
    delivery_claim_seconds: Annotated[float, Field(ge=1, le=3600)] = Field(
        60, description="a delivery whose worker was not heard of for so long may be taken by another one"
    )
    retention: RetentionSettings = Field(
        RetentionSettings(), description="what is removed, by age, count and bytes ([deliveries.md](deliveries.md))"
    )
    smtp_url: str | None = Field(
        None,
        description="server that takes mail: smtp://[USER@]HOST:PORT (?tls=required, offered or never) or smtps://…",
    )
    smtp_password: SecretStr | None = Field(
        None, description="of the user in smtp_url; env:NAME or file:PATH: where it lies"
    )
    smtp_from: str | None = Field(None, description="sender of mails; unset: soapsvc@ and this machine's name")
    ca_file: Path | None = Field(
        None, description="PEM file of the authorities to believe where this connects to; unset: the machine's"
    )
    profiles: dict[str, dict[str, Any]] = Field(
        default_factory=dict,
        description="profiles of `soapsvc push --profile NAME`: receiver, backup, retry (docs/senders-and-backups.md)",
    )
    exchanges_kept: Annotated[int, Field(ge=0)] = Field(
        20_000, description="HTTP exchanges kept for the wire page, beside the inbox; 0: none"
    )
    exchanges_days: Annotated[int, Field(ge=1)] = Field(30, description="days that they are kept at most")
    search_text_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * 1024, description="of each text document that the search on the inbox page reads; 0: none"
    )
    log_format: str = Field("text", pattern="^(text|json)$", description="text or json, one line an event, on stderr")

    @field_validator("*", mode="before")
    @classmethod
    def _is_of_its_kind(cls, value: Any, info: ValidationInfo) -> Any:
        # pydantic takes true for 1, and ip_network(1) is 0.0.0.1/32
        name = str(info.field_name)
        if is_entry(name):
            return value
        items = value if is_list(name) and isinstance(value, list | tuple) else ()
        if isinstance(value, bool) or any(not isinstance(item, str | Network) for item in items):
            raise ValueError(_kind(name))
        return value

    @field_validator("listen", "admin")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        try:
            host_and_port(value)
        except ValueError:
            raise ValueError("HOST:PORT, such as 127.0.0.1:8080 or [::1]:8080") from None
        return value

    @field_validator("public_url")
    @classmethod
    def _is_http_url(cls, value: str | None) -> str | None:
        if value is None:
            return value
        if not _is_public_url(value):
            raise ValueError(
                "an absolute http or https URL without user, password and query, such as "
                "https://reports.example.com/push"
            )
        return value

    @field_validator("inbox")
    @classmethod
    def _is_store_url(cls, value: str) -> str:
        if not _STORE_URL.fullmatch(value):
            raise ValueError("the URL of a store in SQLite or PostgreSQL, such as sqlite:///soapsvc-inbox.db")
        return value

    @field_validator("documents")
    @classmethod
    def _is_place_of_documents(cls, value: str | None) -> str | None:
        if value is not None and not _DOCUMENTS.fullmatch(value):
            raise ValueError("file:///DIRECTORY or s3://BUCKET/PREFIX, such as s3://soapsvc-documents/inbox")
        return value

    @field_validator("smtp_url")
    @classmethod
    def _is_mail_server(cls, value: str | None) -> str | None:
        if value is not None and not _MAIL_SERVER.fullmatch(value):
            raise ValueError("smtp://HOST:PORT or smtps://HOST:PORT, such as smtp://127.0.0.1:25")
        return value

    @field_validator("basic_users")
    @classmethod
    def _are_users(cls, value: dict[str, SecretStr]) -> dict[str, SecretStr]:
        for user, secret in value.items():
            if not user or ":" in user:
                raise ValueError(f"user names without a colon (HTTP Basic cannot carry {user!r})")
            if not is_password_hash(secret):
                raise ValueError(f"for user {user!r} a hash made by `soapsvc password`, not the password itself")
        return value

    @field_validator("admin_password_hash")
    @classmethod
    def _is_hash(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not is_password_hash(value):
            raise ValueError("a hash made by `soapsvc password`, not the password itself")
        return value

    @model_validator(mode="after")
    def _a_file_has_its_own_places(self) -> Settings:
        for name in ("documents", "spool"):
            if getattr(self, name) is not None and self.inbox.startswith("sqlite"):
                raise ValueError(
                    f"{name} is set, and inbox is a SQLite file, beside which that lies: take {name} away, or name an "
                    "inbox in PostgreSQL"
                )
        return self

    @field_validator("delivery")
    @classmethod
    def _have_names_of_their_own(cls, value: tuple[DeliverySettings, ...]) -> tuple[DeliverySettings, ...]:
        names = [one.name for one in value]
        for name in names:
            if names.count(name) > 1:
                raise ValueError(f"a name of its own for each (two are called {name!r})")
        return value

    @model_validator(mode="after")
    def _admin_is_guarded(self) -> Settings:
        if (self.admin_user is None) != (self.admin_password_hash is None):
            raise ValueError("admin_user and admin_password_hash go together: set both or none")
        host, _ = host_and_port(self.admin)
        if self.admin_user is None and not _is_loopback(host):
            raise ValueError(
                f"admin is {self.admin}, outside loopback, without a credential: set admin_user and "
                "admin_password_hash (soapsvc password), or listen on 127.0.0.1"
            )
        return self

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return init_settings, env_settings

    def conformance_for(self, source_ip: str) -> Conformance:
        """The degree by which a push from this address is judged."""
        if not self.conformance_by_source:
            return self.conformance
        try:
            address = ip_address(source_ip)
        except ValueError:
            return self.conformance
        holding = [network for network in self.conformance_by_source if address in network]
        narrowest = max(holding, key=lambda network: network.prefixlen, default=None)
        return self.conformance if narrowest is None else self.conformance_by_source[narrowest]


class OwnSettings(Settings):
    """Settings that neither the environment nor a file changes: for a receiver that shows or tests something."""

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        return (init_settings,)


def load_settings(flags: dict[str, Any] | None = None, config: Path | None = None) -> Settings:
    """The settings in force.

    flags   name to value as the command line gave them; None values count as not given
    config  the file; None: soapsvc.toml in the working directory where there is one
    Errors  SettingsError: which key, in which of the three places, what was wanted
    """
    origin: dict[str, str] = {}
    given: dict[str, Any] = {}
    for place in (_from_file(config), _from_environment(os.environ), _from_flags(flags or {})):
        for name, (value, where) in place.items():
            given[name], origin[name] = value, where
    try:
        return Settings(**given)
    except ValidationError as error:
        sentences = dict.fromkeys(_sentence(problem, given, origin) for problem in error.errors(include_url=False))
        raise SettingsError("\n".join(sentences)) from None  # the cause would print what was found, secrets included


_Place = dict[str, tuple[Any, str]]
"""Name of a setting to its value and to where it was found, in words."""


def _from_flags(flags: Mapping[str, Any]) -> _Place:
    return {name: (value, f"the flag --{name.replace('_', '-')}") for name, value in flags.items() if value is not None}


def _from_environment(environment: Mapping[str, str]) -> _Place:
    found: _Place = {}
    for variable, text in environment.items():
        if not variable.upper().startswith(PREFIX) or variable.upper() in NOT_SETTINGS or not text:
            continue
        name = variable[len(PREFIX) :].lower()
        if name not in Settings.model_fields:
            known = [PREFIX + field.upper() for field in Settings.model_fields]
            hint = _nearest(variable.upper(), known)
            if _KUBERNETES_SERVICE_LINK.fullmatch(variable):
                hint = "Kubernetes sets it for a service called soapsvc: say enableServiceLinks: false in the pod"
            raise SettingsError(f"the environment has {variable}, which is no setting; {hint}")
        found[name] = (_json_or_text(name, variable, text), f"the environment variable {variable}")
    return found


def _json_or_text(name: str, variable: str, text: str) -> Any:
    if not is_list(name) and not is_table(name):
        return text
    wanted = "list" if is_list(name) else "object"
    try:
        value = json.loads(text)
    except ValueError:
        value = None
    if not isinstance(value, list if is_list(name) else dict):
        found = "something else" if is_secret(name) else repr(text)
        raise SettingsError(f"{variable} reads {found}; a JSON {wanted} is wanted, such as {example(name)}") from None
    return value


def _from_file(config: Path | None) -> _Place:
    path = config or DEFAULT_FILE
    if config is None and not path.exists():
        return {}
    try:
        text = path.read_text(encoding="utf-8")
        content = tomllib.loads(text)
    except OSError as error:
        raise SettingsError(f"the settings file {path} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise SettingsError(f"the settings file {path} is not UTF-8 at byte {error.start}; TOML is UTF-8") from error
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"the settings file {path} is not TOML: {error}") from error
    places = {key: f"{path}{_line_of(key, text)}" for key in content}
    for key in content:
        if key not in Settings.model_fields:
            hint = _nearest(key, list(Settings.model_fields))
            raise SettingsError(f"{places[key]}: {key!r} is no setting; {hint}")
    return {key: (value, places[key]) for key, value in content.items()}


def _line_of(key: str, text: str) -> str:
    found = re.search(rf"""^[ \t]*\[{{0,2}}[ \t]*["']?{re.escape(key)}["']?[ \t]*[]=.]""", text, re.MULTILINE)
    return f", line {text.count(chr(10), 0, found.start()) + 1}" if found else ""


def _nearest(unknown: str, known: list[str]) -> str:
    close = difflib.get_close_matches(unknown.replace("-", "_"), known, n=1, cutoff=0.5)
    return f"the nearest one is {close[0]}" if close else "docs/settings.md lists them all"


def _sentence(problem: Any, given: Mapping[str, Any], origin: Mapping[str, str]) -> str:
    """One pydantic error as: which setting, where it came from, what was found, what was wanted."""
    message = str(problem["ctx"]["error"]) if problem["type"] == "value_error" else str(problem["msg"])
    if not problem["loc"]:
        return message  # the settings contradict each other: the message names them
    name = str(problem["loc"][0])
    found = given.get(name)
    if is_entry(name):
        return entry_sentence(problem, found, origin.get(name, "the default"), message)
    if is_list(name) and isinstance(found, list | tuple) and len(problem["loc"]) > 1:
        found = found[int(problem["loc"][1])]
    return f"{name} (from {origin.get(name, 'the default')}){_reads(name, found)}; wanted: {_wanted(problem, message)}"


def _reads(name: str, found: Any) -> str:
    if is_secret(name):
        return ""
    if isinstance(found, str | Path):
        shown = without_userinfo(str(found)) if name in _URLS else str(found)
        shown = shown.partition("?")[0] if name == "inbox" else shown  # a password may stand among the parameters
        return f" reads {shown!r}"
    return f" is {json.dumps(found) if isinstance(found, bool) else repr(found)}"


def _wanted(problem: Any, message: str) -> str:
    context = problem.get("ctx", {})
    match problem["type"]:
        case "ip_v4_network" | "ip_v6_network" | "ip_any_network":
            return "a CIDR range without host bits, such as 192.0.2.0/24 or 2001:db8::/32"
        case "enum" | "literal_error":
            return str(context["expected"])
        case "string_pattern_mismatch":
            return "one of " + ", ".join(str(context["pattern"]).strip("^$()").split("|"))
        case "value_error":
            return message
        case "greater_than" | "greater_than_equal" | "less_than" | "less_than_equal":
            return message.removeprefix("Input should be ")
        case _:
            return _kind(str(problem["loc"][0]))


def _kind(name: str) -> str:
    """What a value of the setting has to be, where nothing narrower is wanted."""
    annotation: Any = Settings.model_fields[name].annotation
    if is_list(name) or is_table(name):
        items = "tables" if name == "profiles" else "texts"
        return f"a {'list' if is_list(name) else 'table'} of {items}, such as {example(name)}"
    if annotation is Conformance:
        *others, last = (repr(str(degree)) for degree in Conformance)
        return f"{', '.join(others)} or {last}"
    if name == "spool":
        return "the path of a directory"
    return {int: "a whole number", float: "a number", Path | None: "the path of a file"}.get(annotation, "text")


def without_userinfo(url: str) -> str:
    """The URL, or what was given for one, to be shown: user and password as ***."""
    return _USERINFO.sub(r"\1***@", url)


def is_list(name: str) -> bool:
    """Whether the setting is a list: a TOML array, a JSON list in the environment."""
    return str(Settings.model_fields[name].annotation).startswith("tuple")


def is_table(name: str) -> bool:
    """Whether the setting maps names to values: a TOML table, a JSON object in the environment."""
    return str(Settings.model_fields[name].annotation).startswith("dict") or name == "retention"


def is_entry(name: str) -> bool:
    """Whether the setting has settings of its own (delivery_settings.py)."""
    return name in ("delivery", "retention")


def is_secret(name: str) -> bool:
    """Whether no message may show what was found there."""
    return "SecretStr" in str(Settings.model_fields[name].annotation)


def example(name: str) -> str:
    """A value of a list or table, as JSON."""
    if name == "delivery":
        return '[{"name": "archive", "target": "file:///srv/reports"}]'
    if name == "retention":
        return '{"accepted": {"days": 90}}'
    if name == "conformance_by_source":
        return '{"192.0.2.0/24": "observe"}'
    if name == "profiles":
        return '{"trial": {"receiver": "http://127.0.0.1:8080/push"}}'
    if is_table(name):
        return '{"vendor": "scrypt:32768:8:1$…"}'
    return '["windows-1250"]' if name == "extra_charsets" else '["192.0.2.0/24"]'


def host_and_port(address: str) -> tuple[str, int]:
    """HOST:PORT or [IPv6]:PORT taken apart; ValueError says what was wanted."""
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not (port.isascii() and port.isdigit()) or int(port) > 65535:
        raise ValueError(f"{address!r} is not HOST:PORT (127.0.0.1:8080, [::1]:8080)")
    return host, int(port)


def _is_public_url(value: str) -> bool:
    try:
        parts = urlsplit(value)
        _ = parts.port  # looked at for the ValueError
    except ValueError:
        return False
    bare = not (parts.fragment or parts.query or "@" in parts.netloc)
    return parts.scheme in ("http", "https") and bool(parts.hostname) and bare


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
