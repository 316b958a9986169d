"""`soapsvc push` as a trial of a receiver: many files, faults, schedules; what the receiver then holds."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from soapsvc.cli.main import _run
from soapsvc.shipped import SAMPLES
from tests.pushing import Service, free_port, get, running_service


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("receiver")) as running:
        yield running


@dataclass(frozen=True)
class Done:
    returncode: int
    stdout: str
    stderr: str


Push = Callable[..., Done]


@pytest.fixture
def push(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Push:
    """The command in this process, in a folder without settings."""
    monkeypatch.chdir(tmp_path)

    def run(*words: str) -> Done:
        capsys.readouterr()
        status = _run(["push", *words])
        return Done(status, *capsys.readouterr())

    return run


def pushes(service: Service) -> list[dict]:
    return json.loads(get(f"{service.admin_url}/api/v1/pushes?limit=1000").body)["pushes"]


def held(service: Service, job: str) -> list[dict]:
    return [one for one in pushes(service) if one["job"] == {"xdn": "trial", "mrn": job}]


def report(folder: Path, name: str = "report.csv", size_bytes: int = 200) -> Path:
    file = folder / name
    file.write_bytes((name.encode() + b",Sent\r\n") * (1 + size_bytes // 16))
    return file


def test_many_files_are_summed_up_each_a_push_with_a_number_of_its_own(
    service: Service, push: Push, tmp_path: Path
) -> None:
    files = [str(report(tmp_path, f"r{n}.csv")) for n in range(12)]
    done = push(*files, "--to", service.url, "--job", "trial:100", "--parallel", "4", "--rate", "200")
    assert done.returncode == 0, done.stderr
    told = [line.rsplit(maxsplit=1) for line in done.stdout.splitlines()[:3]]
    assert told == [["acknowledged", "12"], ["handed to the backup", "0"], ["with nobody", "0"]]
    assert "pushes a second" in done.stdout
    for n in range(12):
        (one,) = held(service, str(100 + n))
        assert one["documents"][0]["filename"] == f"r{n}.csv"


def test_repeats_are_one_push_and_json_has_an_object_for_each(service: Service, push: Push, tmp_path: Path) -> None:
    told = ("--job", "trial:200", "--repeat", "3", "--json")
    done = push(str(report(tmp_path)), "--to", service.url, *told)
    outcomes = [json.loads(line) for line in done.stdout.splitlines()]
    assert [one["holder"] for one in outcomes] == ["receiver"] * 3
    assert len({one["id"] for one in outcomes}) == 1
    assert [one["redeliveries"] for one in held(service, "200")] == [2]


def test_files_together_are_the_documents_of_one_push(service: Service, push: Push, tmp_path: Path) -> None:
    files = [str(report(tmp_path, name)) for name in ("a.csv", "b.txt")]
    assert push(*files, "--together", "--to", service.url, "--job", "trial:300").returncode == 0
    (one,) = held(service, "300")
    assert [one["filename"] for one in one["documents"]] == ["a.csv", "b.txt"]


@pytest.mark.parametrize(
    ("fault", "redeliveries"),
    [
        (("--lose-ack",), 1),
        (("--cut-after", "700"), 0),
        (("--cut-after", "9999999"), 0),
        (("--twice-at-once",), 1),
        (("--slow", "8000"), 0),
    ],
    ids=["lose-ack", "cut-after", "cut-before-its-end", "twice-at-once", "slow"],
)
def test_a_receiver_stands_a_fault_with_one_push_of_the_right_bytes(
    service: Service, push: Push, tmp_path: Path, fault: tuple[str, ...], redeliveries: int
) -> None:
    job = str(400 + sum(map(ord, "".join(fault))))
    file = report(tmp_path, size_bytes=1000)
    done = push(str(file), "--to", service.url, "--job", f"trial:{job}", *fault)
    assert done.returncode == 0, done.stdout + done.stderr
    (one,) = held(service, job)
    assert (one["state"], one["redeliveries"]) == ("accepted", redeliveries)
    assert one["documents"][0]["size_bytes"] == file.stat().st_size
    if fault[0] in ("--lose-ack", "--cut-after"):
        assert "on purpose" in done.stderr
    if fault[0] == "--twice-at-once":
        assert "both of two at once were acknowledged, with the same bytes" in done.stdout


def test_a_day_of_retries_is_tried_in_a_second_and_a_half(push: Push, tmp_path: Path) -> None:
    """At a receiver that is not there: the first attempt and 16 more."""
    done = push(
        str(report(tmp_path)), "--to", f"http://127.0.0.1:{free_port()}/push", "--retry", "steps-24h",
        "--compress", "57600", "--json",
    )  # fmt: skip
    assert done.returncode == 1
    told = json.loads(done.stdout)
    assert (told["holder"], len(told["attempts"])) == ("nobody", 17)


def test_a_profile_says_where_to_and_flags_count_before_it(service: Service, push: Push, tmp_path: Path) -> None:
    config = tmp_path / "push.toml"
    config.write_text(
        f'[profiles.trial]\nreceiver = "{service.url}"\nbackup = ["{(tmp_path / "backup").as_uri()}"]\n'
        '[profiles.trial.properties]\nUserAccountNumber = "77"\n'
    )
    (tmp_path / "backup").mkdir()
    words = (str(report(tmp_path)), "--config", str(config), "--profile", "trial", "--job", "trial:500")
    assert push(*words).returncode == 0
    (one,) = held(service, "500")
    assert one["properties"]["UserAccountNumber"] == "77"
    done = push(*words, "--to", f"http://127.0.0.1:{free_port()}/push")
    assert done.returncode == 3, done.stderr
    assert "handed to the backup" in done.stdout
    assert "Connection refused" in done.stderr
    assert (tmp_path / "backup" / "trial-500").is_dir()


def test_one_of_many_that_nobody_has_is_told_by_its_name_and_the_others_go_on(
    service: Service, push: Push, tmp_path: Path
) -> None:
    good, bad = report(tmp_path), SAMPLES / "refused" / "badBase64.xml"
    done = push(str(bad), str(good), "--to", service.url)
    assert done.returncode == 1
    assert "badBase64.xml: Fault Client" in done.stderr
    assert "PAY-001" in done.stderr
    assert [line.split()[-1] for line in done.stdout.splitlines()[:3]] == ["1", "0", "1"]


def test_ctrl_c_between_two_attempts_ends_it_at_once(tmp_path: Path) -> None:
    gone = f"http://127.0.0.1:{free_port()}/push"
    command = [sys.executable, "-m", "soapsvc", "push", str(report(tmp_path)), "--to", gone, "--retry", "steps-24h"]
    process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    assert "the next attempt is in 60 s" in process.stderr.readline()
    process.send_signal(signal.SIGINT)
    assert process.wait(timeout=30) == 130
    assert process.stderr.read().strip() == "soapsvc: interrupted"
    process.stderr.close()


def test_a_push_that_the_contract_does_not_take_is_exit_1_and_nothing_is_sent(
    service: Service, push: Push, tmp_path: Path
) -> None:
    before = len(pushes(service))
    done = push(str(report(tmp_path)), "--to", service.url, "--property", "Subject=a\x01b")
    assert (done.returncode, done.stdout) == (1, "")
    assert "XML cannot carry" in done.stderr
    assert len(pushes(service)) == before


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ((), "Say --to URL, or --profile NAME"),
        (("--to", "http://h/", "--retry", "once", "--attempts", "2"), "leave out --attempts and --gap"),
        (("--to", "http://h/", "--retry", "never"), "'never' is not one of"),
        (("--to", "http://h/", "--backup", "ftp://u:s3cret@h/"), "SOAPSVC_BACKUP_PASSWORD"),
        (("--to", "http://h/", "--backup", "mailto:a@b.example"), "smtp_url"),
        (("--to", "http://h/", "--backup", "fpt://h/"), "fpt"),
        (("--to", "http://h/", "--lose-ack", "--cut-after", "3"), "not several"),
        (("--profile", "none"), "there is no profile 'none'"),
    ],
)
def test_wrong_words_are_exit_2_and_show_no_password(
    push: Push, tmp_path: Path, words: tuple[str, ...], told: str
) -> None:
    done = push(str(report(tmp_path)), *words)
    assert (done.returncode, done.stdout) == (2, "")
    assert told in " ".join(done.stderr.split())
    assert "s3cret" not in done.stderr
