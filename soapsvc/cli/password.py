"""`soapsvc password`: from a password to the hash that the settings hold."""

from __future__ import annotations

import sys

import click


@click.command(short_help="Make the hash of a password.")
def password() -> None:
    """Print the hash of a password, for basic_users or admin_password_hash in the settings.

    Asks twice at a terminal; else the first line of stdin is the password.
    """
    if sys.stdin.isatty():
        secret = click.prompt("Password", hide_input=True, confirmation_prompt="Once more", err=True)
    else:
        secret = sys.stdin.readline().rstrip("\r\n")
    if not secret:
        raise click.UsageError("no password came in: type one at the terminal, or pipe one line to stdin")
    from werkzeug.security import generate_password_hash

    click.echo(generate_password_hash(secret))
