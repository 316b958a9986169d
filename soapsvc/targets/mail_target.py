"""The target that is a mailbox: mailto:ADDRESS[,ADDRESS][?subject=…], handed to the SMTP server of the settings."""

from __future__ import annotations

import contextlib
import email.errors
import smtplib
import socket
import ssl
from collections.abc import Iterator
from email.headerregistry import Address
from urllib.parse import unquote

from soapsvc.errors import SettingsError, StoreError
from soapsvc.targets.deadline import Deadline, Watchdog
from soapsvc.targets.http_exchange import is_loopback
from soapsvc.targets.mail_message import mail_of
from soapsvc.targets.options import TargetOptions, host_of, query_of, shown, split
from soapsvc.targets.target import DeliveryFailed, OutgoingPush, Receipt
from soapsvc.targets.tls import client_context

SMTP_PORT, SMTPS_PORT = 25, 465
TLS = ("required", "offered", "never")


class MailTarget:
    """One or more addresses.

    Errors  SettingsError from the constructor: an address is none, or no server is set
    """

    def __init__(self, url: str, options: TargetOptions):
        parts = split(url)
        told = query_of(parts, {"subject": "of every mail, instead of the push's own"})
        self._subject = told.get("subject")
        self._recipients = [address_of(unquote(one), "mailto:") for one in parts.path.split(",")]
        self._url, self._options = f"mailto:{','.join(one.addr_spec for one in self._recipients)}", options
        if not options.smtp_url:
            raise SettingsError(
                f"{self._url} needs a server that takes mail: set smtp_url, such as smtp://mail.example.com:587"
            )
        self._server = _Server(options.smtp_url, options)
        self._sender = address_of(options.mail_from or f"soapsvc@{_own_domain()}", "mail_from")

    @property
    def url(self) -> str:
        return self._url

    def close(self) -> None:
        """A connection is closed with each push."""

    def deliver(self, push: OutgoingPush) -> Receipt:
        """Hand the mail to the server. Errors: DeliveryFailed."""
        now = self._options.clock()
        try:
            mail = mail_of(push, sender=self._sender, recipients=self._recipients, subject=self._subject, now=now)
            written = mail.as_bytes()
        except (OSError, StoreError) as error:
            raise DeliveryFailed(f"the documents cannot be read: {error}", may_repeat=True) from error
        addresses = [one.addr_spec for one in self._recipients]
        self._server.send(self._sender.addr_spec, addresses, written, self._url)
        return Receipt(self._url, self._options.clock(), f"Message-ID {mail['Message-ID']}")


class _Server:
    """The SMTP server: smtp:// (STARTTLS where it is offered; ?tls=required or never) or smtps://."""

    def __init__(self, url: str, options: TargetOptions):
        parts = split(url)
        if parts.scheme not in ("smtp", "smtps"):
            raise SettingsError(f"smtp_url reads {shown(parts)!r}; smtp://HOST:PORT or smtps://HOST:PORT is wanted")
        told = query_of(parts, {"tls": "required, offered or never"})
        self._host, self._secured = host_of(parts), parts.scheme == "smtps"
        self._port = parts.port or (SMTPS_PORT if self._secured else SMTP_PORT)
        self._shown, self._options = shown(parts), options
        self._tls = told.get("tls", "offered")
        if self._tls not in TLS:
            raise SettingsError(f"tls of smtp_url reads {self._tls!r}; one of {', '.join(TLS)} is wanted")
        self._user = None if parts.username is None else unquote(parts.username)
        password = None if parts.password is None else unquote(parts.password)
        self._password = password if options.smtp_password is None else options.smtp_password
        if self._user is not None and self._password is None:
            raise SettingsError(f"user {self._user} of smtp_url needs a password: set smtp_password")

    def send(self, sender: str, recipients: list[str], mail: bytes, target: str) -> None:
        """Errors: DeliveryFailed: not every recipient was taken, or the server did not answer."""
        deadline = Deadline(self._options.total_seconds, target)
        try:
            with self._session(deadline) as smtp, Watchdog(deadline, lambda: _hang_up(smtp)):
                self._look_at_size(smtp, len(mail))
                refused = smtp.sendmail(sender, recipients, mail)
        except (smtplib.SMTPException, OSError, email.errors.MessageError) as error:
            if deadline.passed or isinstance(error, TimeoutError):
                raise deadline.over() from error
            raise self._failed(error) from error
        if refused:
            told = "; ".join(f"{who}: {_answer(*why)}" for who, why in refused.items())
            raise DeliveryFailed(f"{self._shown} did not take the mail for all: {told}", may_repeat=False)

    @contextlib.contextmanager
    def _session(self, deadline: Deadline) -> Iterator[smtplib.SMTP]:
        seconds, context = deadline.left(self._options.connect_seconds), client_context(self._options)
        smtp: smtplib.SMTP
        if self._secured:
            smtp = smtplib.SMTP_SSL(self._host, self._port, timeout=seconds, context=context)
        else:
            smtp = smtplib.SMTP(self._host, self._port, timeout=seconds)
        try:
            smtp.ehlo_or_helo_if_needed()
            secured = self._secured or self._start_tls(smtp, context)
            if self._user is not None and self._password is not None:
                if not secured and not is_loopback(self._host):
                    raise DeliveryFailed(
                        f"{self._shown} offers no TLS, and a password goes out in no other way", may_repeat=True
                    )
                smtp.login(self._user, self._password)
            if smtp.sock is not None:
                smtp.sock.settimeout(deadline.left())
            yield smtp
            with contextlib.suppress(smtplib.SMTPException, OSError):  # it has said that it has the mail
                smtp.quit()
        finally:
            smtp.close()

    def _start_tls(self, smtp: smtplib.SMTP, context: ssl.SSLContext) -> bool:
        if self._tls == "never":
            return False
        if not smtp.has_extn("starttls"):
            if self._tls == "required":
                raise DeliveryFailed(f"{self._shown} offers no STARTTLS, and tls=required wants it", may_repeat=True)
            return False
        smtp.starttls(context=context)
        smtp.ehlo_or_helo_if_needed()
        return True

    def _look_at_size(self, smtp: smtplib.SMTP, size_bytes: int) -> None:
        told = smtp.esmtp_features.get("size", "").split()
        most = int(told[0]) if told and told[0].isdigit() else 0  # RFC 1870: 0 says that there is no limit
        if most and size_bytes > most:
            raise DeliveryFailed(
                f"the mail has {size_bytes} bytes, and {self._shown} takes at most {most}", may_repeat=False
            )

    def _failed(self, error: Exception) -> DeliveryFailed:
        if isinstance(error, smtplib.SMTPRecipientsRefused):
            codes = [why[0] for why in error.recipients.values()]
            told = "; ".join(f"{who}: {_answer(*why)}" for who, why in error.recipients.items())
            final = any(500 <= code < 600 for code in codes)
            return DeliveryFailed(f"{self._shown} takes no mail for {told}", may_repeat=not final)
        if isinstance(error, smtplib.SMTPAuthenticationError):
            return DeliveryFailed(
                f"{self._shown} does not take the login of user {self._user}: {error.smtp_code}", may_repeat=True
            )
        if isinstance(error, smtplib.SMTPResponseException):
            final = 500 <= error.smtp_code < 600
            return DeliveryFailed(
                f"{self._shown} refuses the mail: {_answer(error.smtp_code, error.smtp_error)}", may_repeat=not final
            )
        told = getattr(error, "verify_message", None) or getattr(error, "strerror", None) or str(error)
        return DeliveryFailed(f"{self._shown} cannot be reached: {told}", may_repeat=True)


def address_of(text: str, what: str) -> Address:
    """A mail address. Errors: SettingsError."""
    try:
        address = Address(addr_spec=text.strip())
    except (ValueError, email.errors.MessageError, IndexError):
        address = None
    if address is None or not address.username or not address.domain or not text.isprintable():
        raise SettingsError(f"{what} reads {text!r}; a mail address such as reports@example.com is wanted")
    return address


def _answer(code: int, said: bytes | str) -> str:
    text = said.decode("utf-8", "replace") if isinstance(said, bytes) else said
    return f"{code} {' '.join(text.split())}"[:300]


def _hang_up(smtp: smtplib.SMTP) -> None:
    with contextlib.suppress(OSError, AttributeError):
        if smtp.sock is not None:
            smtp.sock.shutdown(socket.SHUT_RDWR)


def _own_domain() -> str:
    name = socket.gethostname().strip(".")
    return name if name.isascii() and all(part.replace("-", "").isalnum() for part in name.split(".")) else "localhost"
