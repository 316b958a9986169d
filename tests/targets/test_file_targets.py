"""One list of promises for every place that keeps files: a directory, FTP, FTPS, SFTP, S3."""

from __future__ import annotations

import contextlib
import io
import json
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest

from soapsvc.clock import utc_now
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed, OutgoingPush, Target
from tests.conftest import PRIVILEGE
from tests.inbox.accepting import PROCESSES
from tests.pushing import envelope, free_port
from tests.s3 import s3_server
from tests.targets.outgoing import AT, REPORT, a_document, a_push
from tests.targets.servers import SECRET, Certificate, ftp_server, raw_server, sftp_server

OPTIONS = TargetOptions(connect_seconds=5, total_seconds=20, password=SECRET, clock=lambda: AT)
Files = Callable[[], dict[str, bytes]]
LARGE = b"0123456789abcdef" * 100_000


class _Killing(io.BytesIO):
    """Ends the process when a part of it was read."""

    def read(self, size: int | None = -1) -> bytes:
        if self.tell() > len(LARGE) // 2:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().read(size)


def _killed_in_the_middle(url: str, options: TargetOptions, environment: dict[str, str]) -> None:
    os.environ.update(environment)
    document = replace(a_document(LARGE), open=lambda: _Killing(LARGE))
    open_target(url, options).deliver(a_push(document))


def in_directory(root: Path) -> dict[str, bytes]:
    return {str(p.relative_to(root)): p.read_bytes() for p in sorted(root.rglob("*")) if p.is_file()}


class FilePromises:
    """`place` gives a target's URL, its options, and what lies there."""

    DAY: ClassVar[str] = "test2-1000001/2026-11-24"
    PARTS: ClassVar[int] = 1  # files that are left by an attempt that was cut off in the middle of one

    @pytest.fixture
    def place(self) -> tuple[str, TargetOptions, Files]:
        raise NotImplementedError

    def test_a_push_lies_there_decoded_with_record_and_envelope(self, place: tuple[str, TargetOptions, Files]) -> None:
        url, options, files = place
        receipt = open_target(f"{url}?record=yes", options).deliver(a_push())
        assert receipt.reference == f"{self.DAY}/report.csv"
        assert (receipt.at, SECRET in receipt.target) == (AT, False)
        found = files()
        assert sorted(found) == [f"{self.DAY}/report.csv{suffix}" for suffix in ("", ".envelope.xml", ".json")]
        assert found[f"{self.DAY}/report.csv"] == REPORT
        assert found[f"{self.DAY}/report.csv.envelope.xml"] == envelope()
        record = json.loads(found[f"{self.DAY}/report.csv.json"])
        assert (record["id"], record["files"]) == ("push1", [f"{self.DAY}/report.csv"])

    def test_the_same_push_again_changes_nothing_and_another_gets_a_number(
        self, place: tuple[str, TargetOptions, Files]
    ) -> None:
        url, options, files = place
        target = open_target(f"{url}?record=yes&name={{filename}}", options)
        target.deliver(a_push())
        before = files()
        assert target.deliver(a_push()).reference == "report.csv"
        assert files() == before
        assert target.deliver(a_push(push_id="push2")).reference == "report-2.csv"
        assert target.deliver(a_push(a_document(b"other"), push_id="push3")).reference == "report-3.csv"
        found = files()
        assert {name: found[name] for name in before} == before
        assert (found["report-2.csv"], found["report-3.csv"]) == (REPORT, b"other")

    def test_what_an_attempt_left_undone_the_next_one_completes(self, place: tuple[str, TargetOptions, Files]) -> None:
        url, options, files = place
        whole = a_push(a_document(), a_document(b"two", "two.txt", 2))

        def breaks() -> Any:
            raise OSError("the disk of the inbox is gone")

        broken = replace(whole, documents=(whole.documents[0], replace(whole.documents[1], open=breaks)))
        target = open_target(f"{url}?record=yes", options)
        with pytest.raises(DeliveryFailed, match="the disk of the inbox is gone") as raised:
            target.deliver(broken)
        assert raised.value.may_repeat
        assert set(files()) == {f"{self.DAY}/report.csv"}
        target.deliver(whole)
        assert set(files()) == {
            f"{self.DAY}/{name}" for name in ("report.csv", "two.txt", "report.csv.envelope.xml", "report.csv.json")
        }

    def test_a_source_that_breaks_in_the_middle_leaves_nothing_to_be_seen(
        self, place: tuple[str, TargetOptions, Files]
    ) -> None:
        url, options, files = place

        class Breaking(io.BytesIO):
            def read(self, size: int | None = -1) -> bytes:
                if self.tell() > 100_000:
                    raise OSError("read error")
                return super().read(size)

        document = replace(a_document(b"x" * 500_000), open=lambda: Breaking(b"x" * 500_000))
        with pytest.raises(DeliveryFailed, match="read error"):
            open_target(url, options).deliver(a_push(document))
        assert files() == {}

    @pytest.mark.parametrize(
        "name", ["../../outside.csv", "/etc/passwd", "..", "a\\..\\b", "\0\r\n.csv", "x" * 300 + ".csv", ".hidden"]
    )
    def test_a_name_never_leads_out_of_the_root(self, place: tuple[str, TargetOptions, Files], name: str) -> None:
        url, options, files = place
        open_target(url, options).deliver(a_push(a_document(filename=name)))
        (found,) = files()
        directory, _, file = found.rpartition("/")
        assert (directory, file.startswith("."), len(file) < 160) == (self.DAY, False, True)

    def test_what_a_process_that_was_killed_left_half_written_is_gone_after_the_next_attempt(
        self, place: tuple[str, TargetOptions, Files]
    ) -> None:
        url, options, files = place
        words = (url, replace(options, clock=utc_now), dict(os.environ))
        killed = PROCESSES.Process(target=_killed_in_the_middle, args=words)
        killed.start()
        killed.join(60)
        assert killed.exitcode == -signal.SIGKILL
        left = [Path(name) for name in files()]
        assert [(str(one.parent), one.name[0], one.suffix) for one in left] == [(self.DAY, ".", ".part")] * self.PARTS
        target = open_target(url, options)
        target.deliver(replace(a_push(push_id="push2"), is_repeat=True))
        assert set(files()) == {*map(str, left), f"{self.DAY}/report.csv"}, "another push's is left alone"
        target.deliver(replace(a_push(a_document(LARGE)), is_repeat=True))
        found = files()
        assert set(found) == {f"{self.DAY}/report.csv", f"{self.DAY}/report-2.csv"}
        assert found[f"{self.DAY}/report-2.csv"] == LARGE

    def test_two_at_once_make_one_file_or_two_and_never_half_a_one(
        self, place: tuple[str, TargetOptions, Files]
    ) -> None:
        url, options, files = place
        target, content = open_target(url, options), os.urandom(300_000)
        pushes = [a_push(a_document(content)), a_push(a_document(content))]
        failed: list[Exception] = []

        def deliver(push: OutgoingPush) -> None:
            try:
                target.deliver(push)
            except Exception as error:  # told after the threads have ended
                failed.append(error)

        threads = [threading.Thread(target=deliver, args=(push,)) for push in pushes]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert failed == []
        assert set(files().values()) == {content}


class TestDirectory(FilePromises):
    @pytest.fixture
    def place(self, tmp_path: Path) -> tuple[str, TargetOptions, Files]:
        root = tmp_path / "given"
        return f"file://{root}", OPTIONS, lambda: in_directory(root)


class TestFtp(FilePromises):
    @pytest.fixture
    def place(self, tmp_path: Path) -> Iterator[tuple[str, TargetOptions, Files]]:
        with ftp_server(tmp_path) as site:
            yield f"ftp://vendor@127.0.0.1:{site.port}/", OPTIONS, lambda: in_directory(tmp_path)


class TestFtps(FilePromises):
    @pytest.fixture
    def place(self, tmp_path: Path, certificate: Certificate) -> Iterator[tuple[str, TargetOptions, Files]]:
        with ftp_server(tmp_path, certificate) as site:
            options = replace(OPTIONS, ca_file=certificate.ca)
            yield f"ftps://vendor@127.0.0.1:{site.port}/", options, lambda: in_directory(tmp_path)


class TestSftp(FilePromises):
    @pytest.fixture
    def place(
        self, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
    ) -> Iterator[tuple[str, TargetOptions, Files]]:
        with sftp_server(tmp_path, tmp_path_factory.mktemp("ssh")) as site:
            options = replace(OPTIONS, known_hosts=site.known_hosts)
            yield f"sftp://vendor@127.0.0.1:{site.port}/", options, lambda: in_directory(tmp_path)


@pytest.fixture(scope="module")
def store() -> Iterator[str]:
    with s3_server() as url:
        yield url


class TestS3(FilePromises):
    PARTS = 0

    @pytest.fixture
    def place(self, store: str) -> tuple[str, TargetOptions, Files]:
        import s3fs

        bucket = f"b{os.urandom(6).hex()}"
        fs = s3fs.S3FileSystem(endpoint_url=store, skip_instance_cache=True, use_listings_cache=False)
        fs.mkdir(bucket)
        root = f"{bucket}/given/"
        return f"s3://{bucket}/given", OPTIONS, lambda: {
            name.removeprefix(root): fs.cat_file(name) for name in fs.find(root)
        }  # fmt: skip


def failure(target: Target, push: OutgoingPush | None = None) -> DeliveryFailed:
    with pytest.raises(DeliveryFailed) as raised:
        target.deliver(push or a_push())
    assert "\n" not in str(raised.value)
    assert SECRET not in str(raised.value)
    return raised.value


@pytest.mark.parametrize("scheme", ["ftp", "ftps", "sftp"])
def test_a_site_that_is_not_there_may_be_tried_again(scheme: str, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    options = replace(OPTIONS, known_hosts=tmp_path / "known_hosts")
    error = failure(open_target(f"{scheme}://vendor@127.0.0.1:{free_port()}/", options))
    assert error.may_repeat
    assert "did not take the push" in str(error)


@pytest.mark.parametrize("scheme", ["ftp", "ftps", "sftp"])
def test_a_site_that_says_nothing_is_let_go_in_time(scheme: str, tmp_path: Path) -> None:
    (tmp_path / "known_hosts").touch()
    options = replace(OPTIONS, connect_seconds=0.4, known_hosts=tmp_path / "known_hosts")
    with raw_server(lambda connection: connection.recv(1) and None) as port:
        assert failure(open_target(f"{scheme}://vendor@127.0.0.1:{port}/", options)).may_repeat


def test_a_wrong_password_is_told_without_it(tmp_path: Path) -> None:
    with ftp_server(tmp_path) as site:
        error = failure(open_target(f"ftp://vendor@127.0.0.1:{site.port}/", replace(OPTIONS, password="something")))
    assert "something" not in str(error)


def test_a_certificate_that_nobody_vouches_for_is_not_believed(tmp_path: Path, certificate: Certificate) -> None:
    with ftp_server(tmp_path, certificate) as site:
        error = failure(open_target(f"ftps://vendor@127.0.0.1:{site.port}/", OPTIONS))
    assert "certificate" in str(error).lower()
    assert in_directory(tmp_path) == {}


def test_a_host_key_that_is_not_known_is_not_believed(tmp_path: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.mktemp("ssh")
    (folder / "none").touch()
    with sftp_server(tmp_path, folder) as site:
        error = failure(
            open_target(f"sftp://vendor@127.0.0.1:{site.port}/", replace(OPTIONS, known_hosts=folder / "none"))
        )
    assert "known_hosts" in str(error)
    assert in_directory(tmp_path) == {}


def test_a_connection_cut_in_the_middle_of_a_file_leaves_nothing_to_be_seen(tmp_path: Path) -> None:
    def cut(handler: Any, _: str) -> None:
        handler.data_channel and handler.data_channel.close()
        handler.close()

    with ftp_server(tmp_path, before_write=cut) as site:
        error = failure(open_target(f"ftp://vendor@127.0.0.1:{site.port}/", OPTIONS))
    assert error.may_repeat
    assert in_directory(tmp_path) == {}


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    folder = tmp_path / "disk"
    folder.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)], capture_output=True
    ) if os.geteuid() == 0 else None  # fmt: skip
    if mounted is None or mounted.returncode:
        pytest.skip(f"{PRIVILEGE}: a file system of its own is mounted by root with CAP_SYS_ADMIN alone")
    try:
        yield folder
    finally:
        subprocess.run(["umount", str(folder)], check=True)


@pytest.mark.parametrize("over_ftp", [False, True])
def test_a_full_disk_at_the_target_takes_nothing_and_takes_it_when_there_is_room(
    small_disk: Path, over_ftp: bool
) -> None:
    with ftp_server(small_disk) if over_ftp else contextlib.nullcontext() as site:
        target = open_target(
            f"ftp://vendor@127.0.0.1:{site.port}/" if site else f"file://{small_disk}",
            replace(OPTIONS, total_seconds=2),
        )
        push = a_push(a_document(os.urandom(2_000_000)))
        assert failure(target, push).may_repeat
        assert {name for name in in_directory(small_disk) if not name.rpartition("/")[2].startswith(".")} == set()
        subprocess.run(["mount", "-o", "remount,size=8m", str(small_disk)], check=True)
        target.deliver(push)
        assert [len(content) for content in in_directory(small_disk).values() if len(content) == 2_000_000] == [
            2_000_000
        ]


def test_a_quota_at_the_target_takes_nothing(tmp_path: Path) -> None:
    """The limit on a file's size stands for a quota; a process of its own has it."""
    code = (
        "import resource, signal, sys\n"
        "signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000, 50_000))\n"
        "from soapsvc.targets.opening import open_target\n"
        "from soapsvc.targets.options import TargetOptions\n"
        "from tests.targets.outgoing import a_document, a_push\n"
        "open_target(sys.argv[1], TargetOptions()).deliver(a_push(a_document(b'x' * 100_000)))\n"
    )
    done = subprocess.run([sys.executable, "-c", code, f"file://{tmp_path}"], capture_output=True, text=True)
    assert "DeliveryFailed" in done.stderr
    assert "File too large" in done.stderr
    assert in_directory(tmp_path) == {}
    assert resource.getrlimit(resource.RLIMIT_FSIZE)[0] != 50_000


@pytest.mark.parametrize("call", ["os.fsync", "os.link", "pathlib.Path.unlink", "soapsvc.targets.places._sync"])
@pytest.mark.parametrize("nth", [1, 2, 3])
def test_a_process_killed_between_any_two_steps_leaves_whole_files_alone(tmp_path: Path, call: str, nth: int) -> None:
    """Killed at the nth call of a step; the next attempt completes the push."""
    code = (
        "import os, pathlib, signal, sys\n"
        "import soapsvc.targets.places\n"
        "from soapsvc.targets.opening import open_target\n"
        "from soapsvc.targets.options import TargetOptions\n"
        "from tests.targets.outgoing import a_push\n"
        f"real, left = {call}, [{nth}]\n"
        "def killing(*arguments, **more):\n"
        "    left[0] -= 1\n"
        "    if not left[0]: os.kill(os.getpid(), signal.SIGKILL)\n"
        "    return real(*arguments, **more)\n"
        f"{call} = killing\n"
        "open_target(sys.argv[1], TargetOptions()).deliver(a_push())\n"
    )
    url = f"file://{tmp_path}?record=yes"
    done = subprocess.run([sys.executable, "-c", code, url], capture_output=True, text=True)
    assert done.returncode == -9, done.stderr
    wanted = {"report.csv": REPORT, "report.csv.envelope.xml": envelope()}

    def seen() -> dict[str, bytes]:
        return {Path(name).name: content for name, content in in_directory(tmp_path).items() if ".soapsvc-" not in name}

    for name, content in seen().items():
        assert content == wanted[name] if name in wanted else json.loads(content)["id"] == "push1"
    open_target(url, OPTIONS).deliver(replace(a_push(), is_repeat=True))
    assert {Path(name).name for name in in_directory(tmp_path)} == {*wanted, "report.csv.json"}


def test_a_link_in_the_directory_does_not_lead_out_of_it(tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    root = tmp_path / "root"
    root.mkdir()
    (root / "test2-1000001").symlink_to(outside)
    assert "leads out of" in str(failure(open_target(f"file://{root}", OPTIONS)))
    assert in_directory(outside) == {}


def test_a_push_without_documents_is_its_record_and_envelope(tmp_path: Path) -> None:
    push = replace(a_push(), documents=())
    assert open_target(f"file://{tmp_path}?record=yes", OPTIONS).deliver(push).reference.endswith("push-push1.json")
    assert {Path(name).name for name in in_directory(tmp_path)} == {"push-push1.json", "push-push1.envelope.xml"}


def test_a_slow_site_gets_no_more_than_the_time_for_the_whole(tmp_path: Path) -> None:
    """The data connection takes nothing; what fits into the buffers of the system is not enough for the push."""

    with socket.create_server(("127.0.0.1", 0)) as data:
        port = data.getsockname()[1]
        answers = {
            b"USER": b"230 in", b"PASS": b"230 in", b"TYPE": b"200 ok", b"MKD": b"257 made", b"SIZE": b"550 none",
            b"PASV": f"227 go (127,0,0,1,{port // 256},{port % 256})".encode(), b"EPSV": f"229 go (|||{port}|)".encode(),
            b"STOR": b"150 send", b"DELE": b"250 gone", b"QUIT": b"221 bye",
        }  # fmt: skip

        def serve(connection: socket.socket) -> None:
            connection.sendall(b"220 hello\r\n")
            for line in connection.makefile("rb"):
                connection.sendall(answers.get(line.split()[0].upper(), b"502 no") + b"\r\n")

        with raw_server(serve) as control:
            target = open_target(f"ftp://vendor@127.0.0.1:{control}/", replace(OPTIONS, total_seconds=1))
            error = failure(target, a_push(a_document(b"x" * 30_000_000)))
    assert error.may_repeat
