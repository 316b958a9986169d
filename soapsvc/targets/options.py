"""What a target is told beside its URL, and where its secrets come from."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, parse_qsl, unquote, urlsplit

from soapsvc.clock import Clock, utc_now
from soapsvc.errors import SettingsError
from soapsvc.settings import Settings, without_userinfo
from soapsvc.shipped import WSDL_FILE

MIB = 1024 * 1024
NAME_TEMPLATE = "{job}/{received:%Y-%m-%d}/{filename}"
DOCUMENTS_IN_WEBHOOKS = ("inline", "links", "none")


@dataclass(frozen=True, slots=True)
class TargetOptions:
    """What holds for a target beside its URL; each kind looks at what concerns it.

    connect_seconds  for a connection to stand, TLS included
    total_seconds    for a whole delivery: a peer that drips bytes gets no more than that
    ca_file          PEM file of the authorities to believe instead of the machine's; TLS is always verified
    password         of the user whom the URL names
    private_key      file of an SSH key; known_hosts: file of the host keys to believe (None: ~/.ssh/known_hosts)
    wsdl             whose operations a SOAP receiver offers
    smtp_url         smtp://[USER@]HOST[:PORT] or smtps://…, the server that takes mail; smtp_password: of that user
    mail_from        sender of mails; None: soapsvc@ and this machine's name
    webhook_secret   whsec_ and base64, or any text; None: webhooks are not signed
    allow_internal   webhooks may go to loopback, private, link-local and other addresses that are not public
    documents        in webhooks: "inline" as base64, "links", or "none"
    inline_bytes     largest sum of the documents of a push that goes inline; more: links, where link_base is set
    link_base        URL below which the documents are to be had: {link_base}/{id}/documents/{n}
    name_template    of the files (docs/senders-and-backups.md)
    side_files       record and envelope beside the documents, whatever the URL says
    """

    connect_seconds: float = 10.0
    total_seconds: float = 60.0
    ca_file: Path | None = None
    password: str | None = field(default=None, repr=False)
    private_key: Path | None = None
    known_hosts: Path | None = None
    wsdl: Path = WSDL_FILE
    smtp_url: str | None = field(default=None, repr=False)
    smtp_password: str | None = field(default=None, repr=False)
    mail_from: str | None = None
    webhook_secret: str | None = field(default=None, repr=False)
    allow_internal: bool = False
    documents: str = "inline"
    inline_bytes: int = 4 * MIB
    link_base: str | None = None
    name_template: str = NAME_TEMPLATE
    side_files: bool = False
    clock: Clock = utc_now

    @classmethod
    def from_settings(cls, settings: Settings, **more: Any) -> TargetOptions:
        """The options that the settings give, and those that are told. Errors: SettingsError: a secret is not there."""
        own = {
            "wsdl": settings.wsdl or WSDL_FILE,
            "smtp_url": settings.smtp_url,
            "smtp_password": None
            if settings.smtp_password is None
            else _secret(settings.smtp_password.get_secret_value()),
            "mail_from": settings.smtp_from,
            "ca_file": settings.ca_file,
        }
        return cls(**(own | more))


def read_secret(source: str) -> str:
    """The secret that lies at `env:NAME` or `file:PATH`, without the line's end.

    Errors  SettingsError: there is none, or the source is neither; what was found is not shown
    """
    kind, _, place = source.partition(":")
    if kind == "env" and place:
        secret = os.environ.get(place)
        if not secret:
            raise SettingsError(f"the environment has no {place}, where a secret is looked for; set it")
        return secret
    if kind == "file" and place:
        try:
            secret = Path(place).read_text(encoding="utf-8").rstrip("\r\n")
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8"
            raise SettingsError(f"the secret in the file {place} cannot be read: {reason}") from error
        if not secret:
            raise SettingsError(f"the file {place}, where a secret is looked for, is empty")
        return secret
    raise SettingsError("a secret is named by env:NAME or file:PATH, and never written there itself")


def _secret(value: str) -> str:
    """A secret of the settings, which may say where it lies instead."""
    return read_secret(value) if value.startswith(("env:", "file:")) else value


def split(url: str) -> SplitResult:
    """The parts of a target's URL. Errors: SettingsError: it is none, with what was given but for its secrets."""
    try:
        parts = urlsplit(url)
        _ = parts.port  # looked at for the ValueError
    except ValueError as error:
        raise SettingsError(f"{without_userinfo(url)!r} is no URL: {error}") from None
    return parts


def check_no_password(url: str, what: str) -> None:
    """Errors: SettingsError: the URL has a password, which lists of processes and settings files would show."""
    if split(url).password is not None:
        raise SettingsError(
            f"the URL of {what} has a password in it: leave the user name there alone, and name the password by "
            "env:NAME or file:PATH"
        )


def host_of(parts: SplitResult) -> str:
    """Errors: SettingsError: the URL names none."""
    if not parts.hostname or parts.port == 0:
        raise SettingsError(f"{shown(parts)!r} names no host; a target such as {parts.scheme}://host/ is wanted")
    return parts.hostname


def user_of(parts: SplitResult, options: TargetOptions) -> tuple[str | None, str | None]:
    """User and password: that of the options before that of the URL."""
    user = None if parts.username is None else unquote(parts.username)
    own = None if parts.password is None else unquote(parts.password)
    return user, own if options.password is None else options.password


def shown(parts: SplitResult) -> str:
    """The URL for people: without user, password, query and fragment, any of which may hold a secret."""
    return parts._replace(netloc=parts.netloc.rpartition("@")[2], query="", fragment="").geturl()


def query_of(parts: SplitResult, known: Mapping[str, str]) -> dict[str, str]:
    """The options that stand in the URL's query.

    known   name to what it is for
    Errors  SettingsError: another name, or one that comes twice
    """
    found: dict[str, str] = {}
    for name, value in parse_qsl(parts.query, keep_blank_values=True):
        if name not in known:
            listed = "; ".join(f"{one}: {what}" for one, what in known.items())
            raise SettingsError(f"{shown(parts)} takes no option {name!r} in its query; there are {listed}")
        if name in found:
            raise SettingsError(f"{shown(parts)} has the option {name!r} twice in its query; once is enough")
        found[name] = value
    return found


def yes_or_no(value: str, what: str) -> bool:
    """Errors: SettingsError."""
    if value.lower() not in ("yes", "no"):
        raise SettingsError(f"{what} reads {value!r}; yes or no is wanted")
    return value.lower() == "yes"
