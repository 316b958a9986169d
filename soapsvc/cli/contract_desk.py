"""`soapsvc contract verify` and `diff`: a WSDL held against the rules for WSDLs, and against another WSDL."""

from __future__ import annotations

import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.options import FILE, config_option, json_option
from soapsvc.cli.output import count, facts, print_json, show, table, tell, text
from soapsvc.errors import Unreachable
from soapsvc.shipped import WSDL_FILE

if TYPE_CHECKING:
    from soapsvc.contract.contract_difference import ContractDifference
    from soapsvc.contract.wsdl_rules import Judged

SERVED, SHIPPED, CLASSES = "served", "shipped", "classes"
_FETCH_SECONDS = 15
_MAX_FETCHED_BYTES = 16 * 1024 * 1024  # of one file; a WSDL with its schemas has some hundred KB
_MAX_STEPS_UP = 16  # ../ in the location of a schema: at the root of a server such a step stays there
_COLOURS = {"pass": "green", "fail": "red", "identical": "green", "compatible": "yellow", "breaking": "red"}


@click.command(short_help="A WSDL held against WSDL 1.1 and the Basic Profile.")
@click.argument("source", required=False, metavar="[FILE|URL]")
@config_option
@json_option
def verify(source: str | None, config: Path | None, as_json: bool) -> int:
    """Hold a WSDL against WSDL 1.1 and each rule of the WS-I Basic Profile 1.1 that applies to a WSDL.

    The one in force unless FILE or URL is given; `served` is what the running receiver serves. Exit 1 when a rule is
    broken.
    """
    from soapsvc.contract.wsdl_rules import verify as judge

    with _wsdl(source, config) as path:
        judged = judge(path)
    failed = [one for one in judged if one.outcome == "fail"]
    if as_json:
        print_json({"source": str(source or path), "rules": [_rule_object(one) for one in judged]})
        return 1 if failed else 0
    show(
        table(
            ("rule", "outcome", "what is wanted"),
            ((one.numbers, text(one.outcome, _COLOURS.get(one.outcome, "dim")), one.sentence) for one in judged),
            whole=("rule", "outcome"),
        )
    )
    for one in failed:
        show("", text(f"{one.numbers}: {one.sentence}", "bold"),
             facts((f"{breach.file}, line {breach.line}" if breach.line else breach.file, breach.found)
                   for breach in one.breaches))  # fmt: skip
    outcomes = Counter(one.outcome for one in judged)
    tell(", ".join(f"{outcomes[outcome]} {outcome}" for outcome in ("pass", "fail", "not applicable")))
    return 1 if failed else 0


def _rule_object(judged: Judged) -> dict[str, object]:
    return {
        "rule": judged.numbers,
        "sentence": judged.sentence,
        "outcome": judged.outcome,
        "breaches": [{"file": one.file, "line": one.line, "found": one.found} for one in judged.breaches],
    }


@click.command(short_help="In what way two WSDLs differ.")
@click.argument("old", metavar="OLD")
@click.argument("new", metavar="NEW")
@click.option("--html", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write a page as well.")
@config_option
@json_option
def diff(old: str, new: str, html: Path | None, config: Path | None, as_json: bool) -> int:
    """In what way NEW differs from OLD, component by component; each a FILE, a URL, `shipped`, `served` or `classes`.

    \b
    identical   no message and no answer is judged otherwise
    compatible  what is valid by OLD is valid by NEW: a sender that was not changed goes on
    breaking    it is not, or that cannot be shown

    Exit 1 when the contract breaks. `served` is what the running receiver serves, `shipped` the file of soapsvc,
    `classes` what the Spyne classes of the contract in force say: the schemas that Spyne derives from them.
    """
    from soapsvc.contract.contract_difference import as_object, contract_difference
    from soapsvc.contract.wsdl_document import WsdlDocument

    with _wsdl(old, config) as old_path, _wsdl(new, config) as new_path:
        found = contract_difference(*(WsdlDocument.load(path, any_form=True) for path in (old_path, new_path)))
    if html is not None:
        from soapsvc.cli.difference_page import difference_page

        try:
            html.write_text(difference_page(old, new, found), encoding="utf-8")
        except OSError as error:
            raise click.UsageError(f"{html} cannot be written: {error.strerror}") from error
        tell(f"wrote {html}")
    if as_json:
        print_json(as_object(found))
    else:
        _show_difference(old, new, found)
    return 1 if found.contract == "breaking" else 0


def _show_difference(old: str, new: str, found: ContractDifference) -> None:
    said = {True: "yes", False: "no", None: "not known"}
    show(
        facts(
            (
                ("messages", text(found.messages, _COLOURS[found.messages])),
                ("contract", text(found.contract, _COLOURS[found.contract])),
                (f"is a push by {old} valid by {new}?", said[found.old_valid_under_new]),
                (f"is a push by {new} valid by {old}?", said[found.new_valid_under_old]),
            )
        )
    )
    if found.differences:
        show(
            "",
            table(
                ("class", "old line", "new line", "where", "what"),
                (
                    (text(one.class_, _COLOURS[one.class_]), one.old_line, one.new_line, one.where, one.what)
                    for one in found.differences
                ),
                right=("old line", "new line"),
                whole=("class", "old line", "new line"),
            ),
        )
    tell(count(len(found.differences), "difference"))


@click.command(short_help="A WSDL and the files that it names, put beside each other.")
@click.argument("source", metavar="FILE|URL")
@click.option(
    "--out", type=click.Path(file_okay=False, path_type=Path), metavar="DIR",
    help="Where a WSDL from a URL is put.  [default: here]",
)  # fmt: skip
def fetch(source: str, out: Path | None) -> None:
    """Read a WSDL, and every WSDL and schema that it leads to, from where they are, and put them where `serve` looks
    for them.

    Nothing else ever reads one from the web. One with an address of its own is put into a folder of its host's
    name beside the WSDL. A file that is there already is left as it is; of the WSDL itself
    that is an error (exit 2).
    """
    from soapsvc.contract.fetching import bring_together, name_of

    url = source if _is_url(source) else None
    if url is None and out is not None:
        raise click.UsageError("--out says where a WSDL from a URL is put; the schemas of a FILE are put beside it")
    wsdl = (out or Path()) / name_of(source) if url else FILE.convert(source, None, None)
    if url and wsdl.exists():
        raise click.UsageError(f"{wsdl} is there already; name another folder with --out, or move it away")
    raw = _fetched(url) if url else wsdl.read_bytes()
    written = 0
    for path, content in bring_together(wsdl, url, raw, _fetched):
        _write(path, content)
        show(str(path))
        written += 1
    tell(f"{count(written, 'file')} written" if written else "nothing was missing")


def _write(path: Path, content: bytes) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    except OSError as error:
        raise click.UsageError(f"{path} cannot be written: {error.strerror}") from error


@contextmanager
def _wsdl(source: str | None, config: Path | None) -> Iterator[Path]:
    """The file that a word of the command line means; what comes from a URL is gone when the block ends."""
    from soapsvc.contract.derived_schema import as_classes_say
    from soapsvc.contract.fetching import bring_together
    from soapsvc.contract.wsdl_document import WsdlDocument
    from soapsvc.settings import load_settings

    if source is None or source == CLASSES:
        path = load_settings(config=config).wsdl or WSDL_FILE
    elif source == SHIPPED:
        path = WSDL_FILE
    elif source != SERVED and not _is_url(source):
        path = FILE.convert(source, None, None)
    else:
        url = f"http://{load_settings(config=config).listen}/push?wsdl" if source == SERVED else source
        with tempfile.TemporaryDirectory(prefix="soapsvc-contract-") as folder:
            path = Path(folder).joinpath(*["deeper"] * _MAX_STEPS_UP, "fetched.wsdl")
            fetched = bring_together(path, url, _fetched(url), _fetched, everything=False, within=Path(folder))
            for file, content in fetched:
                _write(file, content)
            yield path
        return
    if source != CLASSES:
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="soapsvc-contract-") as folder:
        files = as_classes_say(WsdlDocument.load(path))
        for name, content in files.items():
            _write(Path(folder) / name, content)
        yield Path(folder) / next(iter(files))


def _is_url(source: str) -> bool:
    return source.lower().startswith(("http://", "https://"))


def _fetched(url: str) -> bytes:
    import requests

    try:
        with requests.get(url, timeout=_FETCH_SECONDS, stream=True) as answer:
            if answer.status_code != requests.codes.ok:
                raise Unreachable(
                    f"{url} cannot be read: HTTP {answer.status_code}; name the URL of a WSDL, such as …/push?wsdl"
                )
            content = bytearray()
            for piece in answer.iter_content(64 * 1024):
                content += piece
                if len(content) > _MAX_FETCHED_BYTES:
                    raise Unreachable(f"{url} is larger than {_MAX_FETCHED_BYTES} bytes: it is no WSDL and no schema")
    except requests.RequestException as error:
        why = "nobody answers" if isinstance(error, requests.ConnectionError) else type(error).__name__
        raise Unreachable(f"{url} cannot be read: {why}; is the receiver running?") from error
    return bytes(content)
