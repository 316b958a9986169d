"""`soapsvc contract fetch`, and what is read from a URL: a WSDL with the schemas that it names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.shipped import WSDL_FILE
from tests.commands import soapsvc
from tests.pushing import running_service

TEXT = WSDL_FILE.read_text(encoding="utf-8")
XS = 'xmlns:xs="http://www.w3.org/2001/XMLSchema"'
TYPES = f'<xs:schema {XS} targetNamespace="urn:more"><xs:include schemaLocation="deeper.xsd"/></xs:schema>'
DEEPER = f'<xs:schema {XS} targetNamespace="urn:more"><xs:element name="More" type="xs:string"/></xs:schema>'


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    """A web server of another vendor: its address, and the folder that it shows."""
    folder = tmp_path / "web"
    (folder / "xsd").mkdir(parents=True)
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def importing(location: str) -> str:
    """The shipped WSDL with an import from there."""
    at = TEXT.index(">", TEXT.index("<xs:schema")) + 1
    return f'{TEXT[:at]}<xs:import namespace="urn:more" schemaLocation="{location}"/>{TEXT[at:]}'


def offer(folder: Path) -> None:
    (folder / "xsd" / "types.xsd").write_text(TYPES)
    (folder / "xsd" / "deeper.xsd").write_text(DEEPER)


def test_schemas_at_an_address_of_their_own_are_put_beside_the_wsdl_and_it_is_served_unchanged(
    web: tuple[str, Path], tmp_path: Path
) -> None:
    host, folder = web
    offer(folder)
    path = tmp_path / "vendor.wsdl"
    path.write_text(importing(f"http://{host}/xsd/types.xsd"))
    refused = soapsvc("contract", "show", "--wsdl", str(path))
    assert refused.returncode == 2
    assert "would be fetched from a network; let `soapsvc contract fetch`" in refused.stderr
    done = soapsvc("contract", "fetch", str(path))
    assert done.returncode == 0, done.stderr
    assert (tmp_path / host / "xsd" / "types.xsd").read_text() == TYPES
    assert (tmp_path / host / "xsd" / "deeper.xsd").read_text() == DEEPER
    wsdl = WsdlDocument.load(path)
    assert "{urn:more}More" in wsdl.schema.elements
    assert wsdl.files_beside == {}, "whoever reads the WSDL finds them at the address that it names"
    assert soapsvc("contract", "fetch", str(path)).stderr.strip() == "nothing was missing"


def test_another_schema_from_the_web_is_another_contract(web: tuple[str, Path], tmp_path: Path) -> None:
    host, folder = web
    offer(folder)
    path = tmp_path / "vendor.wsdl"
    path.write_text(importing(f"http://{host}/xsd/types.xsd"))
    assert soapsvc("contract", "fetch", str(path)).returncode == 0
    before = WsdlDocument.load(path).sha256
    (tmp_path / host / "xsd" / "deeper.xsd").write_text(DEEPER.replace("xs:string", "xs:int"))
    assert WsdlDocument.load(path).sha256 != before


def test_a_wsdl_from_a_url_comes_with_what_it_names_and_is_not_written_over(
    web: tuple[str, Path], tmp_path: Path
) -> None:
    host, folder = web
    offer(folder)
    (folder / "service.wsdl").write_text(importing("xsd/types.xsd"))
    out = tmp_path / "out"
    done = soapsvc("contract", "fetch", f"http://{host}/service.wsdl", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert sorted(str(file.relative_to(out)) for file in out.rglob("*.*")) == [
        "service.wsdl", "xsd/deeper.xsd", "xsd/types.xsd",
    ]  # fmt: skip
    WsdlDocument.load(out / "service.wsdl")
    again = soapsvc("contract", "fetch", f"http://{host}/service.wsdl", "--out", str(out))
    assert again.returncode == 2
    assert "service.wsdl is there already" in again.stderr


def test_nothing_is_written_outside_the_folder(web: tuple[str, Path], tmp_path: Path) -> None:
    host, folder = web
    offer(folder)
    (folder / "xsd" / "service.wsdl").write_text(importing("../more.xsd"))
    (folder / "more.xsd").write_text(DEEPER)
    out = tmp_path / "out"
    done = soapsvc("contract", "fetch", f"http://{host}/xsd/service.wsdl", "--out", str(out))
    assert done.returncode == 2
    assert "leads out of the folder" in done.stderr
    assert not (tmp_path / "more.xsd").exists()


def test_what_cannot_be_had_is_exit_3(web: tuple[str, Path], tmp_path: Path) -> None:
    path = tmp_path / "vendor.wsdl"
    path.write_text(importing(f"http://{web[0]}/gone.xsd"))
    done = soapsvc("contract", "fetch", str(path))
    assert done.returncode == 3
    assert "gone.xsd cannot be read: HTTP 404" in done.stderr


def test_diff_reads_what_a_running_receiver_serves_with_the_schemas_beside_or_above_it(tmp_path: Path) -> None:
    (tmp_path / "xsd").mkdir()
    (tmp_path / "wsdl").mkdir()
    offer(tmp_path)
    path = tmp_path / "wsdl" / "vendor.wsdl"
    path.write_text(importing("../xsd/types.xsd"))  # on a server, a step above the root stays there
    with running_service(tmp_path, "--wsdl", str(path)) as service:
        done = soapsvc("contract", "diff", f"{service.url}?wsdl", str(path))
        assert done.returncode == 0, done.stdout + done.stderr
        assert "identical" in done.stdout


def test_diff_tells_what_spynes_classes_do_not_say() -> None:
    done = soapsvc("contract", "diff", "shipped", "classes")
    assert done.returncode == 1
    assert "any attribute" in done.stdout
    assert "-> none" in done.stdout
