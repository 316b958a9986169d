"""What holds of each directory that a backup may be: here, on FTP, FTP over TLS, SFTP, S3."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from itertools import count
from pathlib import Path
from typing import Any

import pytest

from soapsvc.errors import SettingsError, SoapsvcError, Unreachable
from soapsvc.intake.places import source_of
from soapsvc.intake.source import Disposal
from soapsvc.settings import OwnSettings
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from tests.intake.conftest import PASSWORD, USER, Certificate, Inbox, Place, ftp_server, sftp_server
from tests.pushing import envelope
from tests.targets.outgoing import a_push

_BUCKETS = count()
LARGE = 700_000  # in a file of its own, and in several pieces of a transfer


class S3Place(Place):
    def drop(self, name: str, content: bytes) -> None:
        import s3fs

        s3fs.S3FileSystem(skip_instance_cache=True).pipe_file(f"{self.url.removeprefix('s3://')}/{name}", content)

    def names(self) -> list[str]:
        import s3fs

        root = self.url.removeprefix("s3://")
        files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
        return sorted(str(path).removeprefix(f"{root}/") for path in files.find(root))


@pytest.fixture(params=["file", "ftp", "ftps", "sftp", "s3"])
def place(request: pytest.FixtureRequest, tmp_path: Path, certificate: Certificate) -> Iterator[Place]:
    folder = tmp_path / "backup"
    (folder / "drop").mkdir(parents=True)
    secret = {"intake_password": PASSWORD}
    match request.param:
        case "file":
            yield Place((folder / "drop").as_uri(), folder / "drop", {})
        case "ftp":
            with ftp_server(folder) as port:
                yield Place(f"ftp://{USER}@127.0.0.1:{port}/drop", folder / "drop", secret)
        case "ftps":
            with ftp_server(folder, certificate) as port:
                settings = {**secret, "intake_ca_file": certificate.certificate}
                yield Place(f"ftps://{USER}@127.0.0.1:{port}/drop", folder / "drop", settings)
        case "sftp":
            with sftp_server(folder, tmp_path / "known_hosts") as port:
                settings = {**secret, "intake_known_hosts": tmp_path / "known_hosts"}
                yield Place(f"sftp://{USER}@127.0.0.1:{port}/drop", folder / "drop", settings)
        case _:
            request.getfixturevalue("s3_endpoint")
            import s3fs

            bucket = f"backup-{next(_BUCKETS)}"
            s3fs.S3FileSystem(skip_instance_cache=True).mkdir(bucket)
            yield S3Place(f"s3://{bucket}/drop", folder, {})


def test_what_lies_there_is_taken_in_once_and_stays(inbox: Inbox, place: Place) -> None:
    document = os.urandom(LARGE)
    place.drop("test2-1/2026-11-25/report_1.csv", document)
    place.drop("test2-1/2026-11-25/report_1.csv.envelope.xml", envelope(1, document))
    place.drop("test2-1/2026-11-25/report_1.csv.json", b"{}")
    place.drop("loose.csv", b"a,b\r\n1,2\r\n")
    place.drop(".soapsvc-0011.part", b"unfinished")
    place.drop("loose.csv.filepart", b"unfinished")
    before = place.names()
    taken = inbox.look(place.url, **place.settings)
    assert [(one.name, one.outcome, one.form) for one in taken] == [
        ("test2-1/2026-11-25/report_1.csv", "accepted", "envelope"), ("loose.csv", "accepted", "file"),
    ]  # fmt: skip
    assert inbox.look(place.url, **place.settings) == []
    assert place.names() == before
    with inbox.store.open_document(str(taken[0].push_id), 1) as stream:
        assert stream.read() == document
    with inbox.store.open_raw(str(taken[0].push_id)) as stream:
        assert stream.read() == envelope(1, document)
    row = inbox.store.stored(str(taken[1].push_id)).row
    assert row.origin is not None
    assert (row.origin.source, row.source_ip) == (place.url, place.url)
    assert row.origin.at is not None
    assert abs(time.time() - row.origin.at.timestamp()) < 3600
    assert PASSWORD not in repr(inbox.store.stored(row.id))


@pytest.mark.parametrize("scheme", ["ftp", "sftp"])
def test_without_a_path_it_is_where_the_login_leads_as_for_a_delivery(
    inbox: Inbox, tmp_path: Path, scheme: str
) -> None:
    home = tmp_path / "site" / "home" / USER
    home.mkdir(parents=True)
    (tmp_path / "site" / "of-others.csv").write_bytes(b"a,b\r\n")
    known_hosts = tmp_path / "known_hosts"
    site = tmp_path / "site"
    with ftp_server(site, home=home) if scheme == "ftp" else sftp_server(site, known_hosts, home=home) as port:
        url = f"{scheme}://{USER}@127.0.0.1:{port}/"
        options = TargetOptions(password=PASSWORD, known_hosts=known_hosts, name_template="out/{filename}")
        open_target(url, options).deliver(a_push())
        assert (home / "out" / "report.csv").is_file()
        settings = {"intake_password": PASSWORD, "intake_known_hosts": known_hosts}
        (taken,) = inbox.look(url, Disposal(move_to="taken"), **settings)
        assert (taken.name, taken.outcome) == ("out/report.csv", "accepted")
        assert (home / "taken" / "out" / "report.csv").is_file()


def test_a_file_that_was_changed_is_read_again(inbox: Inbox, place: Place) -> None:
    place.drop("report.csv", b"a,b\r\n1,2\r\n")
    inbox.look(place.url, **place.settings)
    place.drop("report.csv", b"a,b\r\n1,2\r\n3,4\r\n")
    (changed,) = inbox.look(place.url, **place.settings)
    assert changed.outcome == "accepted"
    assert inbox.store.stats().accepted == 2


def test_a_file_that_grows_is_left_until_it_does_not(inbox: Inbox, place: Place) -> None:
    place.drop("report.csv", b"a,b\r\n")
    place.drop("other.csv", b"c,d\r\n")
    growing = inbox.intake(place.url, pause=lambda _: place.drop("report.csv", b"a,b\r\n1,2\r\n"), **place.settings)
    assert [one.name for one in growing.look()] == ["other.csv"]
    assert growing.fresh == 1
    (whole,) = inbox.look(place.url, **place.settings)
    with inbox.store.open_document(str(whole.push_id), 1) as stream:
        assert stream.read() == b"a,b\r\n1,2\r\n"


def test_moved_when_told_and_not_over_another_file(inbox: Inbox, place: Place) -> None:
    place.drop("sub/report.csv", b"a,b\r\n1,2\r\n")
    inbox.look(place.url, Disposal(move_to="taken"), **place.settings)
    assert place.names() == ["taken/sub/report.csv"]
    place.drop("sub/report.csv", b"a,b\r\n3,4\r\n")
    assert len(inbox.look(place.url, Disposal(move_to="taken"), **place.settings)) == 1
    assert place.names() == ["taken/sub/report.csv", "taken/sub/report.csv~1"]
    assert inbox.look(place.url, Disposal(move_to="taken"), **place.settings) == []


def test_removed_when_told_but_not_what_is_in_quarantine(inbox: Inbox, place: Place) -> None:
    place.drop("report.csv", b"a,b\r\n1,2\r\n")
    inbox.look(place.url, **place.settings)
    place.drop("bad.envelope.xml", b"<soapenv:Envelope")
    outcomes = inbox.look(place.url, Disposal(delete=True), **place.settings)
    assert [(one.name, one.outcome) for one in outcomes] == [("bad", "quarantined")]
    assert place.names() == ["bad.envelope.xml"], "what was taken in by an earlier look goes too"
    inbox.look(place.url, Disposal(move_to="taken"), **place.settings)
    assert place.names() == ["taken/bad.envelope.xml"]


def test_a_file_that_is_too_large_is_left_and_told_each_time(inbox: Inbox, place: Place) -> None:
    place.drop("report.csv", b"x" * 5000)
    for _ in range(2):
        (left,) = inbox.look(place.url, max_envelope_bytes=4096, **place.settings)
        assert left.outcome == "left"
        assert "raise max_envelope_bytes" in str(left.why)
    assert inbox.store.stats().accepted == 0


def test_a_directory_that_is_not_there_is_unreachable(inbox: Inbox, place: Place) -> None:
    if place.url.startswith("s3:"):
        with pytest.raises(Unreachable):
            inbox.look("s3://no-such-bucket/drop")
        return
    with pytest.raises(Unreachable, match="/drop/nowhere"):
        inbox.look(f"{place.url}/nowhere", **place.settings)


def test_a_wrong_password_is_told_without_it(inbox: Inbox, place: Place) -> None:
    if place.url.startswith(("s3:", "file:")):
        return
    with pytest.raises(Unreachable) as told:
        inbox.look(place.url, **{**place.settings, "intake_password": "geheim geheim"})
    assert "geheim" not in str(told.value)


def test_a_connection_that_broke_is_made_anew_by_the_next_look(inbox: Inbox, place: Place) -> None:
    place.drop("report.csv", b"x" * 5000)
    taking = inbox.intake(place.url, max_envelope_bytes=4096, **place.settings)
    source: Any = taking._source
    assert [one.outcome for one in taking.look()] == ["left"]
    if hasattr(source, "_connected") and not place.url.startswith("s3:"):
        source._connected.ftp.close()
        with pytest.raises(Unreachable):
            list(taking.look())
    place.drop("report.csv", b"x" * 50)
    assert [one.outcome for one in taking.look()] == ["accepted"]
    source.close()


# -- TLS and host keys -----------------------------------------------------------------------------------------------


def test_a_certificate_that_nobody_vouches_for_is_refused(
    inbox: Inbox, tmp_path: Path, certificate: Certificate
) -> None:
    with ftp_server(tmp_path, certificate) as port, pytest.raises(Unreachable, match="certificate verify failed"):
        inbox.look(f"ftps://{USER}@127.0.0.1:{port}/", intake_password=PASSWORD)


def test_a_host_key_that_is_not_known_is_refused(inbox: Inbox, tmp_path: Path) -> None:
    (tmp_path / "none").write_text("")
    with (
        sftp_server(tmp_path, tmp_path / "known") as port,
        pytest.raises(Unreachable, match="not found in known_hosts"),
    ):
        inbox.look(f"sftp://{USER}@127.0.0.1:{port}/", intake_password=PASSWORD, intake_known_hosts=tmp_path / "none")


# -- URLs ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("url", "sentence"),
    [
        ("ftp://u:geheim@h/x", "a password in a URL"),
        ("http://h/x", "is no place that is read"),
        ("file:relative", "is no place that is read"),
        ("file://host/x", "is no place that is read"),
        ("imap://h/INBOX", "is no place that is read"),
        ("imap://u@h:99999/", "is no place that is read"),
        ("ftp://h/a?b=c", "%3F"),
        ("ftp://h/a%0d%0aDELE", "a line end"),
    ],
)
def test_what_is_no_place_is_told(url: str, sentence: str) -> None:
    with pytest.raises(SettingsError, match=sentence) as told:
        source_of(url, OwnSettings(), Disposal())
    assert "geheim" not in str(told.value)


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".hidden", "a\nb", " a"])
def test_what_was_taken_in_is_moved_to_a_plain_name_alone(name: str) -> None:
    with pytest.raises(SettingsError, match="--move-to"):
        source_of("file:///x", OwnSettings(), Disposal(move_to=name))


def test_the_password_may_lie_in_a_file(inbox: Inbox, tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(f"{PASSWORD}\nnot this\n")
    (tmp_path / "drop").mkdir()
    (tmp_path / "drop" / "report.csv").write_bytes(b"a,b\r\n1,2\r\n")
    with ftp_server(tmp_path) as port:
        url = f"ftp://{USER}@127.0.0.1:{port}/drop"
        assert len(inbox.look(url, intake_password_file=tmp_path / "secret")) == 1
    look: Callable[[], object] = lambda: inbox.look(url, intake_password_file=tmp_path / "nowhere")  # noqa: E731
    with pytest.raises(SoapsvcError, match="intake_password_file"):
        look()
