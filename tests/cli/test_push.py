"""`soapsvc push` hands a file to a real receiver, and says what became of it."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest
from werkzeug.security import generate_password_hash

from soapsvc.cli.push import is_envelope
from soapsvc.shipped import SAMPLES
from tests.commands import soapsvc
from tests.pushing import Service, envelope, free_port, listed, running_service

REPORT = "reference,status\r\nINV-1,Sent\r\n"


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@pytest.fixture
def report(tmp_path: Path) -> Path:
    file = tmp_path / "report.csv"
    file.write_bytes(REPORT.encode())
    return file


def test_a_document_is_pushed_with_job_type_and_properties(service: Service, report: Path) -> None:
    done = soapsvc(
        "push", str(report), "--to", service.url, "--job", "test2:4711", "--property", "Subject=Grüße = greetings",
        "--property", "UserAccountNumber=2000002",
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "acknowledged" in done.stdout
    push = listed(service.inbox)[0]
    assert (push["state"], push["job"], push["deviations"]) == ("accepted", {"xdn": "test2", "mrn": "4711"}, 0)
    assert (push["properties"]["Subject"], push["properties"]["UserAccountNumber"]) == ("Grüße = greetings", "2000002")
    (document,) = push["documents"]
    assert (document["filename"], document["size_bytes"]) == ("report.csv", len(REPORT))


def test_the_type_is_the_one_that_is_told(service: Service, report: Path) -> None:
    told = ("--type", "PDF", "--job", "test2:4712")
    assert soapsvc("push", str(report), "--to", service.url, *told).returncode == 0
    assert listed(service.inbox)[0]["documents"][0]["doctype"] == "PDF"


def test_an_envelope_is_replayed(service: Service) -> None:
    done = soapsvc("push", str(SAMPLES / "sampleReport.xml"), "--to", service.url)
    assert done.returncode == 0, done.stdout + done.stderr
    push = listed(service.inbox)[0]
    assert (push["state"], push["kind"], push["deviations"]) == ("accepted", "report", 0)


@pytest.mark.parametrize("charset", ["ISO-8859-1", "windows-1252", "UTF-16", "UTF-8"])
def test_an_envelope_in_another_charset_is_replayed_as_what_it_is(
    service: Service, tmp_path: Path, charset: str
) -> None:
    text = (
        envelope(mrn=5000)
        .decode()
        .replace("Delivery report", "Größe")
        .replace('encoding="UTF-8"', f'encoding="{charset}"')
    )
    file, backup = tmp_path / "envelope.xml", tmp_path / "backup"
    file.write_bytes(text.replace("5000", str(5000 + len(charset))).encode(charset))
    done = soapsvc("push", str(file), "--to", service.url)
    assert done.returncode == 0, done.stderr
    push = listed(service.inbox)[0]
    assert (push["state"], push["properties"]["Subject"]) == ("accepted", f"Größe - job {5000 + len(charset)}")
    gone = f"http://127.0.0.1:{free_port()}/push"
    assert soapsvc("push", str(file), "--to", gone, "--backup", backup.as_uri()).returncode == 3
    record = json.loads(next(backup.rglob("*.csv.json")).read_text())
    assert record["properties"]["Subject"] == f"Größe - job {5000 + len(charset)}"
    home = soapsvc("intake", backup.as_uri(), "--settle", "0", "--inbox", service.inbox)
    assert home.stdout.endswith(f"redelivery of {push['id']}\n")


def test_an_envelope_takes_no_properties_of_the_command_line(service: Service) -> None:
    done = soapsvc("push", str(SAMPLES / "sampleReport.xml"), "--to", service.url, "--job", "a:1")
    assert done.returncode == 2
    assert "is replayed with what it holds" in done.stderr


def test_a_refused_push_is_exit_1_with_the_sentence_of_the_fault(tmp_path: Path, report: Path) -> None:
    with running_service(tmp_path, settings='allowed_sources = ["192.0.2.0/24"]\n') as service:
        done = soapsvc("push", str(report), "--to", service.url)
    assert (done.returncode, done.stdout) == (1, "")
    assert "403" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_receiver_that_does_not_answer_is_exit_1(report: Path) -> None:
    done = soapsvc("push", str(report), "--to", f"http://127.0.0.1:{free_port()}/push")
    assert (done.returncode, done.stdout) == (1, "")
    assert len(done.stderr.strip().splitlines()) == 1


def test_a_password_comes_from_the_environment_and_never_from_the_url(tmp_path: Path, report: Path) -> None:
    hashed = generate_password_hash("open sesame", method="pbkdf2:sha256:1")
    with running_service(tmp_path, settings=f'[basic_users]\nvendor = "{hashed}"\n') as service:
        url = service.url.replace("http://", "http://vendor@")
        right = soapsvc("push", str(report), "--to", url, env={**os.environ, "SOAPSVC_PUSH_PASSWORD": "open sesame"})
        wrong = soapsvc("push", str(report), "--to", url, env={**os.environ, "SOAPSVC_PUSH_PASSWORD": "something"})
        none = soapsvc("push", str(report), "--to", url, input="")
        in_url = soapsvc("push", str(report), "--to", url.replace("vendor@", "vendor:open%20sesame@"))
    assert right.returncode == 0, right.stderr
    assert (wrong.returncode, "401" in wrong.stderr) == (1, True)
    assert (none.returncode, "SOAPSVC_PUSH_PASSWORD" in none.stderr) == (2, True)
    assert (in_url.returncode, "sesame" in in_url.stderr) == (2, False)


@pytest.mark.parametrize(
    ("flags", "told"),
    [
        (("--property", "Subject"), "is not NAME=VALUE"),
        (("--property", "=x"), "is not NAME=VALUE"),
        (("--job", "test2"), "is not XDN:MRN"),
        (("--job", "test2:44a"), "the MRN is a number"),
        (("--to", "127.0.0.1:8080"), "is not an http or https URL"),
        (("--to", "http://[::1/push"), "is not an http or https URL"),
        (("--to", "http://127.0.0.1:99999/push"), "is not an http or https URL"),
    ],
)
def test_wrong_words_are_exit_2(report: Path, flags: tuple[str, ...], told: str) -> None:
    done = soapsvc("push", str(report), "--to", "http://127.0.0.1:9/push", *flags)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in done.stderr


@pytest.mark.parametrize(
    "url", ["ftp://u:s3cret@h/push", "u:s3cret@h/push", "http://u:s3c/ret@h/", "http://u:s3cret@[::1/"]
)
def test_no_password_is_shown_of_a_url_that_is_none(report: Path, url: str) -> None:
    done = soapsvc("push", str(report), "--to", url)
    assert (done.returncode, done.stdout) == (2, "")
    assert "s3c" not in done.stderr
    assert "ret" not in done.stderr


def test_an_envelope_is_known_by_its_root() -> None:
    assert is_envelope(envelope())
    assert is_envelope(b'<E:Envelope xmlns:E="http://www.w3.org/2003/05/soap-envelope">broken')
    for other in (b"reference,status\n", b"", b"<Envelope/>", b"%PDF-1.4", b"<a><b/></a>"):
        assert not is_envelope(other)
