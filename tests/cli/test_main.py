"""Whatever goes wrong becomes a sentence on stderr and an exit code; a traceback never."""

from __future__ import annotations

import os
import subprocess
import sys

import click
import pytest

from soapsvc import errors
from soapsvc.cli.main import EXIT_CODES, INTERNAL, UNREACHABLE, USAGE, exit_code, soapsvc
from tests.pushing import soapsvc as run

BROKEN = """
from soapsvc.cli import main
@main.soapsvc.command()
def broken():
    raise ValueError("the customer's password")
main.main(["broken"])
"""


def every_command(group: click.Group = soapsvc, words: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = [words]
    context = click.Context(group)
    for name in group.list_commands(context):
        command = group.get_command(context, name)
        found += every_command(command, (*words, name)) if isinstance(command, click.Group) else [(*words, name)]
    return found


@pytest.mark.parametrize("words", every_command(), ids=" ".join)
def test_every_command_tells_what_it_does(words: tuple[str, ...]) -> None:
    done = run(*words, "--help")
    assert done.returncode == 0
    assert done.stdout.startswith("Usage: soapsvc")
    assert len(done.stdout.split("\n\n")[1].strip()) > 20, "no docstring"
    assert "..." not in done.stdout.partition("Commands:")[2], "a short help was cut"


def test_help_imports_nothing_that_takes_long() -> None:
    code = "import sys, soapsvc.cli.main; print([m for m in sys.argv[1:] if m in sys.modules])"
    heavy = [
        "spyne",
        "lxml",
        "zeep",
        "flask",
        "sqlalchemy",
        "alembic",
        "pydantic",
        "rich",
        "waitress",
        "werkzeug",
        "structlog",
    ]
    done = subprocess.run([sys.executable, "-c", code, *heavy], capture_output=True, text=True, check=True)
    assert done.stdout == "[]\n"


@pytest.mark.parametrize(
    ("words", "told"),
    [
        (("nothing-of-the-kind",), "No such command"),
        (("inbox", "list", "--limit", "0"), "1<=x"),
        (("inbox", "show"), "Missing argument 'ID'"),
        (("serve", "--conformance", "lax"), "'strict', 'guarded', 'observe'"),
        (("serve", "--config", "/nonexistent.toml"), "does not exist"),
        (("serve", "--listen", "here"), "listen (from the flag --listen) reads 'here'; wanted: HOST:PORT"),
        (("contract", "classes", "/nonexistent.wsdl"), "does not exist"),
    ],
)
def test_wrong_usage_is_exit_2_with_a_sentence(words: tuple[str, ...], told: str) -> None:
    done = run(*words)
    assert done.returncode == USAGE
    assert told in done.stderr
    assert done.stdout == ""


def test_an_unknown_variable_is_exit_2() -> None:
    done = run("serve", env={**os.environ, "SOAPSVC_LISTN": "x"})
    assert done.returncode == USAGE
    assert done.stderr == (
        "soapsvc: the environment has SOAPSVC_LISTN, which is no setting; the nearest one is SOAPSVC_LISTEN\n"
    )


def internal_error(**environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", BROKEN], capture_output=True, text=True, env={**os.environ, **environment}
    )


def test_an_internal_error_is_exit_4_with_one_sentence_and_no_content() -> None:
    done = internal_error()
    assert done.returncode == INTERNAL
    assert done.stderr.startswith("soapsvc: internal error (ValueError).")
    assert len(done.stderr.splitlines()) == 1
    assert "password" not in done.stderr


def test_soapsvc_debug_shows_the_traceback() -> None:
    assert "Traceback" in internal_error(SOAPSVC_DEBUG="1").stderr


def every_error(kind: type[errors.SoapsvcError] = errors.SoapsvcError) -> list[type[errors.SoapsvcError]]:
    """Those that may reach a command: what a room raises for itself alone is not among them."""
    every = [each for sub in kind.__subclasses__() for each in (sub, *every_error(sub))]
    return [each for each in every if each.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", [e for e in every_error() if not issubclass(e, errors.HttpRefused)])
def test_every_error_of_ours_has_an_exit_code(kind: type[errors.SoapsvcError]) -> None:
    assert any(issubclass(kind, known) for known in EXIT_CODES)


def test_an_inbox_that_cannot_be_reached_is_exit_3() -> None:
    assert exit_code(errors.StoreUnavailable("x")) == UNREACHABLE
