"""Data flows one way through the rooms: who may import whom is a table, and it is held here (README.md shows it)."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

PACKAGE = Path(__file__).parent.parent / "soapsvc"

FLOOR = {
    "soapsvc",
    "namespaces",
    "clock",
    "rules",
    "records",
    "spool",
    "skeleton",
    "judgement",
    "credentials",
    "errors",
    "settings",
    "shipped",
    "shutdown",
    "states",
    "delivery_records",
    "delivery_settings",
    "password_hashes",
    "noted",
    "secret_names",
}
MAY_IMPORT: dict[str, set[str]] = {
    **dict.fromkeys(FLOOR, FLOOR),
    "rules_page": FLOOR,
    "logs": FLOOR,
    "wire": FLOOR,
    "contract": FLOOR | {"wire"},
    "inbox": FLOOR,
    "targets": FLOOR,
    "delivery": FLOOR | {"inbox", "targets"},
    "inbox_export": FLOOR | {"inbox", "targets"},
    "worker": FLOOR | {"inbox", "delivery", "logs"},
    "sender": FLOOR | {"wire", "contract", "targets"},
    "web": FLOOR | {"inbox", "preview"},
    "judge": FLOOR | {"wire", "contract"},
    "intake": FLOOR | {"wire", "contract", "inbox", "judge"},
    "receiver": FLOOR | {"wire", "contract", "inbox", "judge"},
    "judging_again": FLOOR | {"wire", "inbox", "judge", "intake"},
    "learning": FLOOR | {"contract", "inbox"},
    "preview": FLOOR,
    "serving": FLOOR
    | {"wire", "contract", "inbox", "delivery", "web", "preview", "judge", "intake", "receiver", "judging_again"}
    | {"learning", "worker", "logs"},
    "cli": FLOOR
    | {"wire", "contract", "inbox", "targets", "sender", "web", "judge", "receiver", "judging_again", "serving"}
    | {"delivery", "intake", "worker", "inbox_export", "learning", "logs", "rules_page"},
    "__main__": {"cli"},
}
OTHERS_MAY_NOT = {
    "spyne": {"contract"},
    "sqlalchemy": {"inbox"},
    "alembic": {"inbox"},
    "zeep": {"targets", "sender"},
    "flask": {"web"},
    "waitress": {"serving"},
    "click": {"cli"},
    "rich": {"cli"},
    "lxml": {"wire", "contract", "targets", "sender", "serving"},
}


def modules() -> list[Path]:
    return sorted(PACKAGE.rglob("*.py"))


def room_of(module: Path) -> str:
    inside = module.relative_to(PACKAGE)
    return "soapsvc" if inside == Path("__init__.py") else inside.parts[0].removesuffix(".py")


def imported(module: Path) -> set[str]:
    names: set[str] = set()
    for node in ast.walk(ast.parse(module.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{module} imports relatively"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize("module", modules(), ids=lambda module: str(module.relative_to(PACKAGE)))
def test_a_module_imports_only_the_rooms_below_its_own(module: Path) -> None:
    room = room_of(module)
    for name in imported(module):
        first, *rest = name.split(".")
        if first == "soapsvc" and rest:
            other = rest[0] if (PACKAGE / rest[0]).is_dir() or (PACKAGE / f"{rest[0]}.py").is_file() else "soapsvc"
            assert other == room or other in MAY_IMPORT[room], f"{room} imports {name}"
        elif first in OTHERS_MAY_NOT:
            assert room in OTHERS_MAY_NOT[first], f"{room} imports {first}"


def test_the_floor_has_no_import_cycle() -> None:
    below = {room: {n.split(".")[1] for m in modules() if room_of(m) == room for n in imported(m)
                    if n.startswith("soapsvc.")} & FLOOR for room in FLOOR}  # fmt: skip
    left = set(FLOOR)
    while ready := {room for room in left if not below[room] & left - {room}}:
        left -= ready
    assert not left, f"these modules import each other: {sorted(left)}"
