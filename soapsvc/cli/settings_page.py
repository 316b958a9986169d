"""docs/settings.md, printed from the settings: `python -m soapsvc.cli.settings_page > docs/settings.md`."""

from __future__ import annotations

from pathlib import Path
from typing import Any, get_args

from pydantic.fields import FieldInfo

from soapsvc.delivery_settings import RetentionSettings
from soapsvc.settings import MIB, Settings, example, is_list, is_secret, is_table

HEAD = """# Settings

Each setting has one name in three places; the first of them that has it wins:

| place | how `public_url` is written there |
|---|---|
| a flag of `soapsvc serve`, for those that have one | `--public-url https://reports.example.com/push` |
| an environment variable | `SOAPSVC_PUBLIC_URL=https://reports.example.com/push` |
| `soapsvc.toml` in the working directory, or `--config FILE` | `public_url = "https://reports.example.com/push"` |

Then comes the default. A value replaces the one below it whole: a list or a table from the environment is not merged
with the file's.

An unknown key in the file, or an unknown variable that begins with `SOAPSVC_`, is an error (exit 2) that names the
nearest one there is: a limit that was mistyped must not silently be none. An empty variable counts as not given.
Relative paths start at the working directory. In Kubernetes a service called `soapsvc` puts variables such as
`SOAPSVC_PORT` into every pod: say `enableServiceLinks: false`.

Lists and tables are TOML in the file and JSON in the environment:

```toml
allowed_sources = ["192.0.2.0/24", "2001:db8::/32"]

[basic_users]
vendor = "scrypt:32768:8:1$…"   # printed by: soapsvc password
```
```
SOAPSVC_ALLOWED_SOURCES='["192.0.2.0/24", "2001:db8::/32"]'
SOAPSVC_BASIC_USERS='{"vendor": "scrypt:32768:8:1$…"}'
```

Three variables are no settings: `SOAPSVC_PUSH_PASSWORD` is the HTTP Basic password that `soapsvc push` sends (the user
name stands in the URL), `SOAPSVC_BACKUP_PASSWORD` the password of the user in the URL of `--backup`, and
`SOAPSVC_DEBUG=1` shows the traceback of an internal error.

This page is printed from the settings themselves (`python -m soapsvc.cli.settings_page`).

| setting | what it is | value | default |
|---|---|---|---|
"""


def settings_page() -> str:
    """The page, in Markdown."""
    rows = [
        f"| `{name}` | {_cell(str(field.description))} | {_cell(_value(name, field))} | {_default(field)} |\n"
        for name, field in Settings.model_fields.items()
    ]
    return HEAD + "".join(rows)


def _value(name: str, field: FieldInfo) -> str:
    if is_list(name):
        return f"list, such as `{example(name)}`"
    if is_table(name):
        return "table of secrets: shown nowhere" if is_secret(name) else f"table, such as `{example(name)}`"
    if is_secret(name):
        return "secret: shown nowhere"
    kinds = {kind for kind in (get_args(field.annotation) or (field.annotation,)) if kind is not type(None)}
    bounds = [
        f"{word} {_number(getattr(limit, attribute))}"
        for limit in field.metadata
        for attribute, word in (("ge", "at least"), ("gt", "above"), ("le", "at most"))
        if hasattr(limit, attribute)
    ]
    if name == "spool":
        return "directory"
    word = {int: "number", float: "number", str: "text", Path: "file"}.get(kinds.pop(), "word")
    return ", ".join([word, *bounds])


def _default(field: FieldInfo) -> str:
    value: Any = field.get_default(call_default_factory=True)
    if value is None or value in ((), {}) or isinstance(value, RetentionSettings):
        return ""
    if isinstance(value, int) and value >= MIB:
        return f"`{value}` ({value // MIB} MiB)"
    return f"`{_number(value)}`"


def _number(value: object) -> str:
    return f"{value:g}" if isinstance(value, float) else str(value)


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


if __name__ == "__main__":
    print(settings_page(), end="")
