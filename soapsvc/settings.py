"""Settings: flag > environment SOAPSVC_… > soapsvc.toml > default, one name in all three."""

from __future__ import annotations

import tomllib
from ipaddress import IPv4Network, IPv6Network, ip_address
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, SecretStr, ValidationError, field_validator, model_validator
from pydantic_settings import BaseSettings, PydanticBaseSettingsSource, SettingsConfigDict

from soapsvc.errors import SettingsError
from soapsvc.records import Conformance

Network = IPv4Network | IPv6Network
MIB = 1024 * 1024
DEFAULT_FILE = Path("soapsvc.toml")


class Settings(BaseSettings):
    """Everything that can be set; README.md and docs/settings.md list it from here."""

    model_config = SettingsConfigDict(env_prefix="SOAPSVC_", extra="forbid", frozen=True, hide_input_in_errors=True)

    listen: str = Field("127.0.0.1:8080", description="HOST:PORT of the public listener; port 0: any free one")
    admin: str = Field("127.0.0.1:8081", description="HOST:PORT of the admin listener; port 0: any free one")
    inbox: str = Field("sqlite:///soapsvc-inbox.db", description="SQLAlchemy URL of the store")
    wsdl: Path | None = Field(None, description="the contract in force; unset: the shipped reconstruction")
    conformance: Conformance = Field(Conformance.STRICT, description="strict, guarded or observe")
    public_url: str | None = Field(
        None, description="URL that senders use, shown as soap:address; unset: the listen address and /push"
    )
    processes: Annotated[int, Field(ge=1, le=64)] = Field(1, description="receiver processes")
    threads: Annotated[int, Field(ge=1, le=256)] = Field(8, description="worker threads in each process")

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
        4 * MIB, description="characters outside the documents, attribute values included"
    )
    max_documents: Annotated[int, Field(ge=1)] = Field(1000, description="documents in one push")
    extra_charsets: tuple[str, ...] = Field((), description="charsets taken beside UTF-8, UTF-16, US-ASCII, "
                                                            "ISO-8859-1 and windows-1252")  # fmt: skip

    request_seconds: Annotated[float, Field(gt=0)] = Field(600, description="a whole request must be in by then")
    min_bytes_per_second: Annotated[int, Field(ge=0)] = Field(
        500, description="a slower sender is let go after 10 seconds; 0: never"
    )
    shutdown_seconds: Annotated[float, Field(ge=0)] = Field(
        30, description="SIGTERM waits this long for requests under way"
    )
    min_free_bytes: Annotated[int, Field(ge=0)] = Field(
        64 * MIB, description="kept free on the inbox's disk beside 1.5 times each request"
    )
    retry_after_seconds: Annotated[int, Field(ge=1)] = Field(60, description="Retry-After of a Server fault")
    quarantine_max_bytes: Annotated[int, Field(ge=0)] = Field(1024 * MIB, description="raw bytes kept of refused input")
    quarantine_max_bytes_per_source: Annotated[int, Field(ge=0)] = Field(
        256 * MIB, description="the same for one source address"
    )
    log_format: str = Field("text", pattern="^(text|json)$", description="text or json, one line an event, on stderr")

    @field_validator("listen", "admin")
    @classmethod
    def _is_host_and_port(cls, value: str) -> str:
        host_and_port(value)
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


def load_settings(flags: dict[str, Any] | None = None, config: Path | None = None) -> Settings:
    """The settings in force.

    flags   name to value as the command line gave them; None values count as not given
    config  the file; None: soapsvc.toml in the working directory where there is one
    Errors  SettingsError: which key, in which of the three places, what was wanted
    """
    raise NotImplementedError


def host_and_port(address: str) -> tuple[str, int]:
    """HOST:PORT or [IPv6]:PORT taken apart; ValueError says what was wanted."""
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdigit() or int(port) > 65535:
        raise ValueError(f"{address!r} is not HOST:PORT (127.0.0.1:8080, [::1]:8080)")
    return host, int(port)


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"
