"""`soapsvc contract`: the WSDL in force, the Spyne classes that are generated from it, and what it is held against."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import click

from soapsvc.cli.contract_desk import diff, fetch, verify
from soapsvc.cli.contract_learn import learn
from soapsvc.cli.options import FILE, config_option, json_option, wsdl_option
from soapsvc.cli.output import facts, print_json, show, tell, text
from soapsvc.shipped import WSDL_FILE

if TYPE_CHECKING:
    from soapsvc.contract.wsdl_document import Operation, WsdlDocument


@click.group(short_help="The WSDL in force, and its Spyne classes.")
def contract() -> None:
    """The WSDL in force, and what is made from it."""


contract.add_command(verify)
contract.add_command(diff)
contract.add_command(fetch)
contract.add_command(learn)


@contract.command("show")
@wsdl_option
@config_option
@json_option
def show_(wsdl: Path | None, config: Path | None, as_json: bool) -> None:
    """Which contract is in force: file, digest, operations."""
    document = _load(wsdl, config)
    if as_json:
        print_json(_object(document))
        return
    shipped = document.path.resolve() == WSDL_FILE.resolve()
    show(
        facts(
            (
                ("file", document.path),
                ("sha256", document.sha256),
                ("size", f"{len(document.raw)} bytes"),
                ("documents lie in", ", ".join(sorted(document.document_names))),
            )
        )
    )
    for operation in document.operations:
        show(
            "",
            text(f"operation {operation.name}", "bold underline"),
            facts(
                (
                    ("SOAPAction", f'"{operation.soap_action}"'),
                    ("Body", operation.input_element),
                    ("header blocks", tuple(operation.header_blocks) or "none"),
                    ("acknowledgement", _acknowledgement(operation)),
                )
            ),
        )
    if shipped:
        show("", "This WSDL is a reconstruction (docs/contract.md). Put the vendor's own in place with --wsdl FILE.")


@contract.command(short_help="The Spyne classes of a WSDL.")
@click.argument("file", type=FILE, required=False, metavar="[FILE]")
@click.option(
    "--out", type=click.Path(dir_okay=False, path_type=Path), metavar="FILE", help="Write there, not to stdout."
)
@config_option
def classes(file: Path | None, out: Path | None, config: Path | None) -> None:
    """The Spyne classes of a WSDL, as Python source; of the one in force unless FILE is given."""
    document = _load(file, config)
    from soapsvc.contract.class_generator import generate

    source = generate(document)
    if out is None:
        click.echo(source, nl=not source.endswith("\n"))
        return
    try:
        out.write_text(source, encoding="utf-8")
    except OSError as error:
        raise click.UsageError(f"{out} cannot be written: {error.strerror}") from error
    tell(f"wrote {out}")


def _load(wsdl: Path | None, config: Path | None) -> WsdlDocument:
    from soapsvc.settings import load_settings

    path = load_settings({"wsdl": wsdl}, config).wsdl or WSDL_FILE
    from soapsvc.contract.compiled_schema import CompiledSchema
    from soapsvc.contract.wsdl_document import WsdlDocument

    document = WsdlDocument.load(path)
    CompiledSchema(document)  # the components of a schema that does not compile lead anywhere
    return document


def _acknowledgement(operation: Operation) -> str:
    if operation.one_way:
        return "none (one-way): HTTP 202 without a body"
    return operation.output_element or "an envelope with an empty Body"


def _object(document: WsdlDocument) -> dict[str, object]:
    return {
        "file": str(document.path),
        "sha256": document.sha256,
        "document_elements": sorted(document.document_names),
        "operations": [
            {
                "name": operation.name,
                "soap_action": operation.soap_action,
                "input_element": operation.input_element,
                "header_blocks": list(operation.header_blocks),
                "output_element": operation.output_element,
                "one_way": operation.one_way,
            }
            for operation in document.operations
        ],
    }
