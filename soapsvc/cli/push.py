"""`soapsvc push`: play the vendor, to one receiver, with backups, and with faults to try it with."""

from __future__ import annotations

import contextlib
import os
import sys
import time
from collections.abc import Sequence
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit
from xml.parsers import expat

import click

from soapsvc.cli.options import FILE, config_option, json_option, wsdl_option
from soapsvc.cli.push_report import PushReport, progress
from soapsvc.cli.push_run import Pace, Pause, Planned, run
from soapsvc.errors import SettingsError
from soapsvc.namespaces import SOAP11_ENVELOPE, SOAP12_ENVELOPE
from soapsvc.records import JobId
from soapsvc.sender.retry_schedule import SCHEDULES, RetrySchedule

if TYPE_CHECKING:
    from soapsvc.sender.made_push import MadePush
    from soapsvc.sender.profile import Backup, Profile
    from soapsvc.sender.sender import Sender
    from soapsvc.settings import Settings

PASSWORD_VARIABLE = "SOAPSVC_PUSH_PASSWORD"  # noqa: S105 (a name, not a password)
BACKUP_PASSWORD_VARIABLE = "SOAPSVC_BACKUP_PASSWORD"  # noqa: S105
_GAP_SECONDS = 5.0
_HEAD_BYTES = 64 * 1024  # comments and declarations before an envelope's start tag
_BASE64 = 1.4  # an envelope's bytes for each of its documents', line ends and markup included


@click.command(short_help="Play the vendor: push documents to a receiver, else to a backup.")
@click.argument("files", type=FILE, metavar="FILE...", nargs=-1, required=True)
@click.option("--to", metavar="URL", help="The receiver, such as http://127.0.0.1:8080/push.")
@click.option(
    "--backup",
    "backups",
    multiple=True,
    metavar="URL",
    help="Who gets what the receiver does not take: another receiver, mailto:, ftp:, sftp:, file:, …; repeatable.",
)
@config_option
@click.option("--profile", "profile_name", metavar="NAME", help="[profiles.NAME] of the settings.")
@click.option(
    "--property", "properties", multiple=True, metavar="NAME=VALUE", help="A property beside the document; repeatable."
)
@click.option("--job", metavar="XDN:MRN", help="The job, such as test2:1000001; of several FILEs the number counts up.")
@click.option("--type", "doctype", metavar="DOCTYPE", help="text, PDF, TIFF, …  [default: from the file's name]")
@wsdl_option
@click.option("--operation", metavar="NAME", help="Of the WSDL.  [default: the first that takes documents]")
@click.option("--together", is_flag=True, help="All FILEs as the documents of one push.")
@click.option("--attempts", type=click.IntRange(1), metavar="N", help="At the receiver.  [default: 1; 2 with --gap]")
@click.option("--gap", type=click.FloatRange(0), metavar="SECONDS", help="Between attempts.  [default: 5]")
@click.option("--retry", type=click.Choice(list(SCHEDULES)), help="Attempts by the schedule of a service of the field.")
@click.option(
    "--compress",
    type=click.FloatRange(0, min_open=True),
    metavar="FACTOR",
    help="Divides every gap: 3600 makes an hour a second.",
)
@click.option(
    "--timeout",
    type=click.FloatRange(0, min_open=True),
    metavar="SECONDS",
    help="For an attempt at the receiver.  [default: 15]",
)
@click.option("--rate", type=click.FloatRange(0, min_open=True), metavar="N", help="Pushes a second, at most.")
@click.option("--parallel", type=click.IntRange(1, 256), default=1, metavar="N", help="Pushes at once.  [default: 1]")
@click.option("--repeat", type=click.IntRange(1), default=1, metavar="N", help="Send each push N times, byte for byte.")
@click.option("--slow", type=click.FloatRange(0, min_open=True), metavar="BYTES", help="Fault: so many bytes a second.")
@click.option("--cut-after", type=click.IntRange(0), metavar="BYTES", help="Fault: hang up there, at first.")
@click.option("--lose-ack", is_flag=True, help="Fault: hang up before the acknowledgement, at first.")
@click.option("--twice-at-once", is_flag=True, help="Fault: the first attempt twice at the same moment.")
@json_option
def push(files: tuple[Path, ...], **told: Any) -> int:
    """Push each FILE as the vendor's sender would, and wait for the acknowledgement.

    A FILE that is a SOAP envelope (samples/sampleReport.xml) is sent as it is. What the receiver does not take goes to
    the first backup that does.

    For HTTP Basic put the user name into the URL (http://vendor@host/push); the password comes from
    SOAPSVC_PUSH_PASSWORD or is asked for, that of a backup's user from SOAPSVC_BACKUP_PASSWORD.

    Exit 0: the receiver has acknowledged every push; 3: a backup has one; 1: nobody has.
    """
    properties = tuple(map(_property, told["properties"]))
    job = None if told["job"] is None else _job(told["job"])
    planned = _planned(files, properties, job, told["doctype"], together=told["together"])
    from soapsvc.sender.faults import Faults
    from soapsvc.sender.sender import Sender
    from soapsvc.settings import load_settings
    from soapsvc.targets.options import TargetOptions

    to, password = (None, None) if told["to"] is None else _address(told["to"])
    settings = load_settings(config=told["config"])
    profile = _profile(settings, to, password, told, files)
    faults = Faults(told["slow"], told["cut_after"], told["lose_ack"], told["twice_at_once"])
    report = PushReport(as_json=told["as_json"], several=len(planned) * told["repeat"] > 1)
    pause, begun = Pause(), time.monotonic()
    options = TargetOptions.from_settings(settings)
    sender = Sender(profile, options=options, faults=faults, sleep=pause, on_attempt=report.attempt)
    with sender, progress(len(planned) * told["repeat"], shown=len(planned) * told["repeat"] > 1) as advance:
        pace = Pace(told["rate"], pause)
        for ended in run(sender, planned, repeat=told["repeat"], parallel=told["parallel"], pace=pace, pause=pause):
            report.add(ended)
            advance()
    report.close(time.monotonic() - begun)
    return report.exit_code


# What is pushed ------------------------------------------------------------------------------------------------------


def _planned(
    files: Sequence[Path],
    properties: tuple[tuple[str, str], ...],
    job: JobId | None,
    doctype: str | None,
    *,
    together: bool,
) -> list[Planned]:
    """A push for each file, or one for all; only the files' first bytes are looked at now."""
    envelopes = {file for file in files if _begins_an_envelope(file)}
    if envelopes and (properties or job or doctype or together):
        raise click.UsageError(
            f"{min(envelopes)} is a SOAP envelope and is replayed with what it holds: leave out --property, --job, "
            "--type and --together"
        )
    if together:
        return [Planned(files[0].name, partial(_make, files=files, properties=properties, job=job, doctype=doctype))]
    return [
        Planned(file.name, partial(_replay, file=file) if file in envelopes else partial(
            _make, files=(file,), properties=properties, job=_counted(job, n), doctype=doctype))
        for n, file in enumerate(files)
    ]  # fmt: skip


def _make(
    sender: Sender,
    *,
    files: Sequence[Path],
    properties: tuple[tuple[str, str], ...],
    job: JobId | None,
    doctype: str | None,
) -> MadePush:
    from soapsvc.sender.push_content import PushContent, SentDocument

    documents = tuple(SentDocument.read(file, doctype) for file in files)
    return sender.make(PushContent(documents, properties, job))


def _replay(sender: Sender, *, file: Path) -> MadePush:
    return sender.replay(file.read_bytes(), file.name)


def _counted(job: JobId | None, n: int) -> JobId | None:
    return job if job is None or job.mrn is None or not n else JobId(job.xdn, str(int(job.mrn) + n))


# Where it goes -------------------------------------------------------------------------------------------------------


def _profile(
    settings: Settings, to: str | None, password: str | None, told: dict[str, Any], files: Sequence[Path]
) -> Profile:
    """The profile of the settings, or one of the flags alone; what the flags say counts first."""
    from dataclasses import replace

    from soapsvc.sender.profile import Profile

    flags = {
        "receiver": to, "password": password, "backups": tuple(map(_backup, told["backups"])),
        "schedule": _schedule(told), "timeout_seconds": told["timeout"], "wsdl": told["wsdl"],
        "operation": told["operation"],
    }  # fmt: skip
    if told["profile_name"] is not None:
        profile = Profile.from_settings(settings, told["profile_name"], **flags)
        if told["compress"] is not None and flags["schedule"] is None:
            profile = replace(profile, schedule=profile.schedule.compressed(told["compress"]))
    elif to is None:
        raise click.UsageError("where to? Say --to URL, or --profile NAME of the settings")
    else:
        given = {"wsdl": settings.wsdl} | {key: value for key, value in flags.items() if value is not None}
        profile = Profile(**{key: value for key, value in given.items() if value is not None})
    user = urlsplit(profile.receiver).username
    if user is not None and profile.password is None:
        profile = replace(profile, password=_password(unquote(user)))
    if told["slow"] is not None:
        largest = sum(f.stat().st_size for f in files) if told["together"] else max(f.stat().st_size for f in files)
        profile = replace(profile, timeout_seconds=profile.timeout_seconds + (_BASE64 * largest + 8192) / told["slow"])
    return profile


def _schedule(told: dict[str, Any]) -> RetrySchedule | None:
    """None: the flags say nothing of it."""
    if told["retry"] is not None:
        if told["attempts"] is not None or told["gap"] is not None:
            raise click.UsageError("--retry NAME has attempts and gaps of its own: leave out --attempts and --gap")
        return SCHEDULES[told["retry"]].compressed(told["compress"] or 1)
    if told["attempts"] is None and told["gap"] is None:
        return None
    gap = _GAP_SECONDS if told["gap"] is None else told["gap"]
    return RetrySchedule.of(told["attempts"] or 2, gap).compressed(told["compress"] or 1)


def _backup(url: str) -> Backup:
    """Errors: click.BadParameter, SettingsError: no URL, or one with a password."""
    from soapsvc.sender.profile import Backup
    from soapsvc.targets.options import check_no_password, split

    try:
        check_no_password(url, "a backup")
    except SettingsError as error:
        raise click.BadParameter(f"{error} (here: {BACKUP_PASSWORD_VARIABLE})", param_hint="--backup") from None
    named = split(url).username is not None
    return Backup(url, os.environ.get(BACKUP_PASSWORD_VARIABLE) if named else None)


def _begins_an_envelope(file: Path) -> bool:
    """By its first bytes, so that a large file is not read twice. Errors: click.UsageError: it cannot be read."""
    try:
        with file.open("rb") as stream:
            return is_envelope(stream.read(_HEAD_BYTES))
    except OSError as error:
        raise click.UsageError(f"{file} cannot be read: {error.strerror}") from error


def is_envelope(content: bytes) -> bool:
    """Whether the bytes are XML whose root is a SOAP envelope; nothing after its start tag is looked at."""
    found: list[str] = []

    def root(name: str, _: object) -> None:
        found.append(name)
        raise _RootSeen

    parser = expat.ParserCreate(namespace_separator=" ")
    parser.StartElementHandler = root
    with contextlib.suppress(_RootSeen, expat.ExpatError):  # what is no XML is no envelope either
        parser.Parse(content, False)
    return found in ([f"{SOAP11_ENVELOPE} Envelope"], [f"{SOAP12_ENVELOPE} Envelope"])


class _RootSeen(Exception):
    """Ends the parse at the root's start tag."""


def _address(to: str) -> tuple[str, str | None]:
    """The URL, and the password of the user that it names."""
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
    return to, None if parts.username is None else _password(unquote(parts.username))


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
