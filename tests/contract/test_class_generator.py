"""The generator turns any document/literal WSDL into Spyne classes, and says what it could not turn."""

from __future__ import annotations

import ast
import shutil
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from soapsvc.contract.class_generator import generate
from soapsvc.contract.python_text import docstring, literal, string_lines
from soapsvc.contract.schema_difference import differences
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.shipped import WSDL_FILE
from tests.contract.generated import application_of, module_of, schema_of

HARD = Path(__file__).parent / "hard.wsdl"
A, B = "{urn:vendor:types}", "{urn:vendor:common}"


@pytest.fixture(scope="module")
def hard() -> WsdlDocument:
    return WsdlDocument.load(HARD)


@pytest.fixture(scope="module")
def module(hard: WsdlDocument) -> ModuleType:
    return module_of(generate(hard))


@pytest.mark.parametrize("file", [WSDL_FILE, HARD], ids=lambda path: path.name)
def test_the_source_is_laid_out_as_ruff_leaves_it(file: Path, tmp_path: Path, checkout: Path) -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent)) or shutil.which("ruff")
    assert ruff, "ruff is among the test dependencies"
    path = tmp_path / "types.py"
    path.write_text(generate(WsdlDocument.load(file)), encoding="utf-8")
    config = ["--config", str(checkout / ".ruff.toml"), "--no-cache"]
    formatted = subprocess.run([ruff, "format", "--diff", *config, path], capture_output=True, text=True, check=False)
    assert formatted.returncode == 0, formatted.stdout
    checked = subprocess.run(
        [ruff, "check", "--ignore", "N", *config, path], capture_output=True, text=True, check=False
    )
    assert checked.returncode == 0, checked.stdout


def test_the_same_wsdl_gives_the_same_source_in_another_process(hard: WsdlDocument, checkout: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from soapsvc.contract.wsdl_document import WsdlDocument;"
        "from soapsvc.contract.class_generator import generate;"
        "sys.stdout.buffer.write(generate(WsdlDocument.load(Path(sys.argv[1]))).encode())"
    )
    made = {
        subprocess.run([sys.executable, "-c", script, HARD], cwd=checkout, check=True, capture_output=True, timeout=60,
                       env={"PYTHONHASHSEED": seed, "PYTHONPATH": str(checkout)}).stdout
        for seed in ("1", "2")
    }  # fmt: skip
    assert made == {generate(hard).encode()}


def test_what_spyne_cannot_say_is_listed(module: ModuleType) -> None:
    assert module.NOT_EXPRESSED == (
        "Base: xs:anyAttribute is left out",
        "Code: the schema that Spyne writes restricts xs:string, not Token",
        "Short: the schema that Spyne writes restricts xs:string, not Token",
        "Names: an xs:list is read as xs:string",
        "Either: an xs:union is read as xs:string",
        "Odd: facet whiteSpace is left out",
        "Odd: facet pattern is left out",
        "Report.Flag: default value 'true' is left out",
        "Report.Left: an element of another namespace is declared in this one",
        "Report.Right: an element of another namespace is declared in this one",
        "Choices: mixed content is left out",
        "Choices: xs:choice is written with optional members, after the other elements",
        "Choices.fixed: fixed value 'yes' is left out",
        "Narrow: a restriction of another complex type is written out in full",
        "Everything: xs:all is written as a sequence",
        "Everything_P: xs:gYear is read as xs:string",
        "Note: a global element of simple type is left out",
        "every complex type: Spyne declares a global element of the type's name beside it",
    )


def test_the_derived_schema_differs_in_what_is_listed_and_in_nothing_else(
    hard: WsdlDocument, module: ModuleType
) -> None:
    found = {(d.where, d.what) for d in differences(hard.schema, schema_of(module))}
    assert found == {
        (f"{B}Note", "global element removed"),
        *((where, "any attribute: ##any (strict) -> none") for where in (f"{A}Push", f"type {B}Base")),
        *((f"{A}Push/{B}{side}", f"namespace: {B[1:-1]} -> {A[1:-1]}") for side in ("Left", "Right")),
        *((f"{A}Push/{name}", "base type: token -> string") for name in ("Id", "Short")),
        (f"{A}Push/Names", "base type: list of NCName -> string"),
        (f"{A}Push/Odd", "facets: pattern=\\i\\c*, whiteSpace=collapse -> none"),
        (f"{A}Push/Flag", "default: true -> none"),
        *((where, "mixed: true -> false") for where in (f"{A}Header", f"type {A}Choices")),
        *((f"{where}/@fixed", "fixed: yes -> none") for where in (f"{A}Header", f"type {A}Choices")),
        *((f"{where}/choice/{name}", "minOccurs: 1 -> 0")
          for where in (f"{A}Header", f"type {A}Choices") for name in ("One", "Two")),
        (f"{A}Everything/all", "removed"),
        *((f"{A}Everything/{A}{name}", "added") for name in ("P", "Q")),
        *((name, "global element added")
          for name in (f"{A}Node", f"{A}Base", f"{A}Choices", f"{A}Narrow", f"{A}Report_Inline", f"{B}Base")),
    }  # fmt: skip


def test_names_that_python_or_spyne_takes_for_itself_are_kept_on_the_wire(module: ModuleType) -> None:
    members = module.Report.get_flat_type_info(module.Report)
    assert members["class_"].Attributes.sub_name == "class"
    assert members["Attributes_"].Attributes.sub_name == "Attributes"
    assert "sub-part" in members
    assert (module.Base.__namespace__, module.Base_2.__namespace__) == (B[1:-1], A[1:-1])
    assert module.Base_2.get_type_name() == "Base"


def test_a_spyne_application_starts_on_them(module: ModuleType) -> None:
    application = application_of(module)
    assert f"{A}Push" in application.interface.service_method_map


def test_the_annotation_of_a_type_is_the_docstring_of_its_class(module: ModuleType) -> None:
    assert module.Base.__doc__ == 'What "every" type has, over two lines; it\'s quoted both ways.'


@pytest.mark.parametrize(
    "text", ["", "plain", 'say "x"', "it's", "both ' and \"", "back\\slash", "line\nend", "ü \u2028"]
)
def test_a_literal_reads_back_as_what_was_written(text: str) -> None:
    assert ast.literal_eval(literal(text)) == text
    (read,) = ast.literal_eval("(" + "".join(string_lines("", text, 4)).strip() + ")")
    assert read == text


@pytest.mark.parametrize("text", ["short", '"quoted"', 'ends "so"', "back\\slash", "word " * 60 + "end", '""" three'])
def test_a_docstring_is_python_whatever_it_says(text: str) -> None:
    (expression,) = ast.parse("\n".join(docstring(text, 0))).body
    assert isinstance(expression, ast.Expr)
    shown = ast.literal_eval(expression.value)
    assert " ".join(shown.split()) == " ".join(text.replace('"""', "'''").split())
