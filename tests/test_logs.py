"""What the service says of itself: one event a line, without what was secret in it, and never at the price of a push."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest

FORMATS = ["text", "json"]
FAILS = """
def fails():
    password = "open sesame"
    raise ValueError("it broke")
try:
    fails()
except ValueError:
    {log}.exception("no answer", peer="192.0.2.7")
"""
OURS = FAILS.format(log="structlog.get_logger()").replace("no answer", "ours")
THEIRS = (
    FAILS.format(log="logging.getLogger('waitress')").replace(', peer="192.0.2.7"', "").replace("no answer", "theirs")
)


def logged(log_format: str, code: str, stderr: str = "") -> subprocess.CompletedProcess[str]:
    """The program that sets up the logs and runs the code; `stderr` is where a shell sends it."""
    program = (
        "import logging, structlog\n"
        "from soapsvc.logs import configure_logs\n"
        f"configure_logs({log_format!r})\n{code}\nprint('still there')\n"
    )
    return subprocess.run(
        ["sh", "-c", f'exec "$0" -c "$1" {stderr}', sys.executable, program], capture_output=True, text=True
    )


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("code", [OURS, THEIRS], ids=["ours", "theirs"])
def test_a_traceback_is_told_without_the_values_of_its_variables(log_format: str, code: str) -> None:
    said = logged(log_format, code).stderr
    assert "it broke" in said
    assert "in fails" in said or '"fails"' in said
    assert "open sesame" not in said


def test_each_line_is_one_json_object_whoever_logged_it() -> None:
    code = "logging.getLogger('waitress').warning('took %d s', 3)\nstructlog.get_logger().info('pushed', n=1)\n"
    theirs, ours, *failures = map(json.loads, logged("json", code + OURS + THEIRS).stderr.splitlines())
    assert (theirs["event"], theirs["level"], theirs["logger"]) == ("took 3 s", "warning", "waitress")
    assert (ours["event"], ours["level"], ours["n"]) == ("pushed", "info", 1)
    assert all(line["at"].endswith("Z") for line in (theirs, ours, *failures))
    assert [line["exception"][0]["exc_type"] for line in failures] == ["ValueError", "ValueError"]


def test_in_text_every_event_is_a_line_whoever_logged_it() -> None:
    code = "logging.getLogger('waitress').warning('took %d s', 3)\nstructlog.get_logger().info('pushed', n=1)\n"
    theirs, ours = logged("text", code).stderr.splitlines()
    assert "warning" in theirs
    assert "took 3 s" in theirs
    assert "waitress" in theirs
    assert "n=1" in ours


@pytest.mark.parametrize("log_format", FORMATS)
@pytest.mark.parametrize("stderr", ["2>/dev/full", "2>&-"])
def test_a_log_that_cannot_be_written_stops_nothing_and_is_not_written_elsewhere(log_format: str, stderr: str) -> None:
    assert logged(log_format, OURS + THEIRS, stderr).stdout == "still there\n"


def test_a_line_is_what_structlog_shows_on_a_console_and_nothing_in_it_moves_the_cursor() -> None:
    code = "structlog.get_logger().warning('no answer', peer='192.0.2.7', n=3, why='it was late', of=None, rules=['A'])"
    line = logged("text", code).stderr.rstrip("\n")
    at, _, rest = line.partition(" ")
    assert at.endswith("Z")
    assert rest == (
        "[warning  ] no answer                      n=3 of=None peer=192.0.2.7 rules=['A'] why='it was late'"
    )
    assert "\x1b" not in logged("text", "structlog.get_logger().info('asked', path='/\x1b[2Jx')").stderr
