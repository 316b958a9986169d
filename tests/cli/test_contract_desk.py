"""`soapsvc contract verify` and `diff`, as a person and as a program call them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from soapsvc.shipped import WSDL_FILE
from tests.commands import soapsvc
from tests.pushing import Service, free_port, running_service

TEXT = WSDL_FILE.read_text(encoding="utf-8")


@pytest.fixture
def other(tmp_path: Path) -> Path:
    """A WSDL that demands a file name, calls XDN by another name, and has another soapAction."""
    path = tmp_path / "other.wsdl"
    text = TEXT.replace('name="Filename" type="xs:string" minOccurs="0"', 'name="Filename" type="xs:string"')
    path.write_text(
        text.replace('name="XDN"', 'name="Domain"').replace('"basicInvoke"', '"<push>"'.replace("<push>", "push"))
    )
    return path


def test_verify_tells_each_rule_and_ends_well_for_the_shipped_file() -> None:
    done = soapsvc("contract", "verify")
    assert done.returncode == 0, done.stderr
    assert "R2706, R2723  pass" in done.stdout
    assert "not applicable" in done.stdout


def test_verify_of_a_broken_file_is_exit_1_with_file_and_line(tmp_path: Path) -> None:
    path = tmp_path / "broken.wsdl"
    path.write_text(TEXT.replace('part="response_header" use="literal"', 'part="response_header" use="encoded"'))
    done = soapsvc("contract", "verify", str(path))
    line = next(n for n, text in enumerate(path.read_text().splitlines(), 1) if 'use="encoded"' in text)
    assert done.returncode == 1
    assert f"broken.wsdl, line {line}" in done.stdout
    told = json.loads(soapsvc("contract", "verify", str(path), "--json").stdout)
    failed = {rule["rule"]: rule for rule in told["rules"] if rule["outcome"] == "fail"}
    assert failed["R2706, R2723"]["breaches"] == [
        {"file": "broken.wsdl", "line": line, "found": 'use="encoded" on soap:header'}
    ]
    assert set(failed) == {"R2706, R2723", "soapsvc"}


def test_diff_names_each_difference_with_its_class_and_lines(other: Path) -> None:
    done = soapsvc("contract", "diff", "shipped", str(other))
    assert done.returncode == 1, done.stderr
    assert "breaking" in done.stdout
    for told in ("renamed: XDN -> Domain", "minOccurs: 0 -> 1", 'soapAction: "basicInvoke" -> "push"'):
        assert told in done.stdout


def test_diff_json_is_the_object_that_programs_rely_on(other: Path) -> None:
    told = json.loads(soapsvc("contract", "diff", "shipped", str(other), "--json").stdout)
    assert {name: told[name] for name in ("messages", "contract", "old_valid_under_new", "new_valid_under_old")} == {
        "messages": "breaking", "contract": "breaking", "old_valid_under_new": False, "new_valid_under_old": False,
    }  # fmt: skip
    assert len(told["differences"]) == 3
    for difference in told["differences"]:
        assert set(difference) == {"where", "what", "class", "old_line", "new_line"}


def test_diff_tells_a_style_that_is_not_served_instead_of_refusing_it(tmp_path: Path) -> None:
    rpc = tmp_path / "rpc.wsdl"
    rpc.write_text(TEXT.replace('style="document"', 'style="rpc"'))
    done = soapsvc("contract", "diff", "shipped", str(rpc), "--json")
    assert done.returncode == 1, done.stderr
    (difference,) = json.loads(done.stdout)["differences"]
    assert (difference["what"], difference["class"]) == ("style: document -> rpc", "breaking")


def test_diff_of_noise_is_identical_and_exit_0(tmp_path: Path) -> None:
    noisy = tmp_path / "noisy.wsdl"
    noisy.write_text(
        TEXT.replace("tns:", "v:").replace("xmlns:tns", "xmlns:v").replace("receiver.example.com", "x.example")
    )
    done = soapsvc("contract", "diff", "shipped", str(noisy), "--json")
    assert done.returncode == 0
    assert json.loads(done.stdout)["contract"] == "identical"
    assert json.loads(done.stdout)["differences"] == []


def test_the_page_holds_what_the_text_holds(other: Path, tmp_path: Path) -> None:
    page = tmp_path / "page.html"
    hostile = other.rename(tmp_path / "<script>.wsdl")
    soapsvc("contract", "diff", "shipped", str(hostile), "--html", str(page))
    text = page.read_text()
    assert "renamed: XDN -&gt; Domain" in text
    assert "<script>" not in text


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Service:
    with running_service(tmp_path_factory.mktemp("receiver")) as running:
        yield running


def test_what_the_running_receiver_serves_is_what_is_shipped(service: Service, tmp_path: Path) -> None:
    config = tmp_path / "soapsvc.toml"
    config.write_text(f'listen = "{service.url.removeprefix("http://").removesuffix("/push")}"\n')
    done = soapsvc("contract", "diff", "served", "shipped", "--config", str(config), "--json")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["contract"] == "identical"
    assert soapsvc("contract", "verify", f"{service.url}?wsdl").returncode == 0


def test_a_url_that_nobody_answers_is_a_sentence() -> None:
    done = soapsvc("contract", "verify", f"http://127.0.0.1:{free_port()}/push?wsdl")
    assert done.returncode == 3
    assert done.stderr.endswith("cannot be read: nobody answers; is the receiver running?\n")


def test_a_url_that_has_no_wsdl_is_a_sentence(service: Service) -> None:
    done = soapsvc("contract", "diff", "shipped", f"{service.url}s")
    assert (done.returncode, "HTTP 404" in done.stderr) == (3, True)
