"""`soapsvc push`: play the vendor once."""

from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from urllib.parse import SplitResult, unquote, urlsplit
from xml.parsers import expat

import click

from soapsvc.cli.options import FILE, wsdl_option
from soapsvc.cli.output import printable
from soapsvc.namespaces import SOAP11_ENVELOPE, SOAP12_ENVELOPE
from soapsvc.records import JobId
from soapsvc.shipped import WSDL_FILE

PASSWORD_VARIABLE = "SOAPSVC_PUSH_PASSWORD"  # noqa: S105 (a name, not a password)


@click.command(short_help="Play the vendor: push a document to a receiver.")
@click.argument("file", type=FILE, metavar="FILE")
@click.option("--to", required=True, metavar="URL", help="The receiver, such as http://127.0.0.1:8080/push.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="A property beside the document; repeatable."
)
@click.option("--job", metavar="XDN:MRN", help="The job's domain and number, such as test2:1000001.")
@click.option("--type", "doctype", metavar="DOCTYPE", help="text, PDF, TIFF, …  [default: from the file's name]")
@wsdl_option
def push(
    file: Path, to: str, properties: tuple[str, ...], job: str | None, doctype: str | None, wsdl: Path | None
) -> int:
    """Push FILE as the vendor's sender would, and wait for the acknowledgement.

    A FILE that is a SOAP envelope (samples/sampleReport.xml) is replayed: its values go through zeep by the WSDL.

    For HTTP Basic put the user name into the URL (http://vendor@host/push); the password comes from
    SOAPSVC_PUSH_PASSWORD or is asked for. Exit 0: acknowledged; 1: refused, or nobody answered.
    """
    pairs, job_id = tuple(map(_property, properties)), None if job is None else _job(job)
    content = file.read_bytes()
    replayed = is_envelope(content)
    if replayed and (pairs or job_id or doctype):
        raise click.UsageError(
            f"{file} is a SOAP envelope and is replayed with what it holds: leave out --property, --job and --type"
        )
    url, user, password = _address(to)
    from soapsvc.sender.push_client import PushClient

    client = PushClient(url, wsdl=wsdl or WSDL_FILE, user=user, password=password)
    if replayed:
        acknowledged = client.replay(content)
    else:
        acknowledged = client.push(content, filename=file.name, doctype=doctype, job=job_id, properties=pairs)
    click.echo(f"acknowledged by {url}: {printable(acknowledged.summary)}")
    return 0


def is_envelope(content: bytes) -> bool:
    """Whether the bytes are XML whose root is a SOAP envelope; nothing after its start tag is looked at."""
    found: list[str] = []

    def root(name: str, _: object) -> None:
        found.append(name)
        raise _RootSeen

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = root
    with contextlib.suppress(_RootSeen, expat.ExpatError):  # what is no XML is no envelope either
        parser.Parse(content, True)
    return found in ([f"{SOAP11_ENVELOPE} Envelope"], [f"{SOAP12_ENVELOPE} Envelope"])


class _RootSeen(Exception):
    """Ends the parse at the root's start tag."""


def _address(to: str) -> tuple[str, str | None, str | None]:
    """The URL without userinfo, the user, the password."""
    try:
        parts = urlsplit(to)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:  # brackets that do not match, a port beyond 65535
        usable = False
    if not usable:
        from soapsvc.settings import without_userinfo

        raise click.BadParameter(
            f"{without_userinfo(to)!r} is not an http or https URL, such as http://127.0.0.1:8080/push",
            param_hint="--to",
        )
    if parts.password is not None:
        raise click.BadParameter(
            "a password in a URL can be seen in the list of processes and in the shell's history: leave the user name "
            f"there alone, and set {PASSWORD_VARIABLE} or type it when asked",
            param_hint="--to",
        )
    if parts.username is None:
        return to, None, None
    return _address_alone(parts), unquote(parts.username), _password(unquote(parts.username))


def _address_alone(parts: SplitResult) -> str:
    return parts._replace(netloc=parts.netloc.rpartition("@")[2]).geturl()


def _password(user: str) -> str:
    password = os.environ.get(PASSWORD_VARIABLE)
    if password is not None:
        return password
    if not sys.stdin.isatty():
        raise click.UsageError(f"user {user} needs a password: set {PASSWORD_VARIABLE}, or run this at a terminal")
    return str(click.prompt(f"Password of {user}", hide_input=True, err=True))


def _property(text: str) -> tuple[str, str]:
    name, equals, value = text.partition("=")
    if not equals or not name.strip():
        raise click.BadParameter(f"{text!r} is not NAME=VALUE, such as Subject=Report", param_hint="--property")
    return name.strip(), value


def _job(text: str) -> JobId:
    xdn, colon, mrn = text.partition(":")
    if not colon or not xdn or not mrn.isdigit() or not mrn.isascii():
        raise click.BadParameter(f"{text!r} is not XDN:MRN, such as test2:1000001 (the MRN is a number)",
                                 param_hint="--job")  # fmt: skip
    return JobId(xdn, mrn)
