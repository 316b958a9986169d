"""A WSDL whose schemas lie in files beside it is served with them, so that a stub generator finds them."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import zeep
from lxml import etree

from soapsvc.shipped import WSDL_FILE
from tests.pushing import envelope, get, post, running_service

TEXT = WSDL_FILE.read_text(encoding="utf-8")


@pytest.fixture
def parted(tmp_path: Path) -> Path:
    """The shipped WSDL with its schemas in files: one beside it, which includes one in a folder."""
    folder = tmp_path / "contract"
    (folder / "more types").mkdir(parents=True)
    header, body = re.findall(r"<xs:schema.*?</xs:schema>", TEXT, re.DOTALL)
    nsmap = etree.fromstring(TEXT.encode()).nsmap
    namespaces = " ".join(f'xmlns:{prefix}="{uri}"' for prefix, uri in nsmap.items())
    header, body = (schema.replace("<xs:schema ", f"<xs:schema {namespaces} ", 1) for schema in (header, body))
    status = re.search(r'<xs:complexType name="StatusType">.*?\n      </xs:complexType>', body, re.DOTALL)[0]
    opening = body[: body.index(">") + 1]
    (folder / "header.xsd").write_text(header)
    (folder / "more types" / "status.xsd").write_text(f"{opening}{status}</xs:schema>")
    include = '<xs:include schemaLocation="more%20types/status.xsd"/>'
    (folder / "body.xsd").write_text(body.replace(opening, opening + include).replace(status, ""))
    imports = "".join(
        f'<xs:import namespace="{namespace}" schemaLocation="{file}"/>'
        for namespace, file in (
            ("http://premconn.premiereconnect.com/2007/02", "header.xsd"),
            ("http://premconn.premiereconnect.com/JobDocumentTransmit/2008/10", "body.xsd"),
        )
    )
    wsdl = re.sub(r"<wsdl:types>.*</wsdl:types>", lambda _: f"<wsdl:types><xs:schema>{imports}</xs:schema></wsdl:types>",
                  TEXT, flags=re.DOTALL)  # fmt: skip
    (folder / "parted.wsdl").write_text(wsdl)
    return folder / "parted.wsdl"


def test_the_files_are_served_as_they_are_and_a_client_made_of_them_is_acknowledged(
    parted: Path, tmp_path: Path
) -> None:
    with running_service(tmp_path / "inbox", "--wsdl", str(parted)) as service:
        root = service.url.removesuffix("/push")
        for path, file in (
            ("/header.xsd", "header.xsd"), ("/body.xsd", "body.xsd"), ("/more%20types/status.xsd", "more types/status.xsd"),
        ):  # fmt: skip
            answer = get(f"{root}{path}")
            assert (answer.status, answer.headers["content-type"]) == (200, "application/xml")
            assert answer.body == (parted.parent / file).read_bytes()
        assert post(f"{root}/header.xsd", b"x").status == 405
        assert get(f"{root}/parted.wsdl").status == 404
        assert get(f"{root}/../contract/header.xsd").status == 404
        client = zeep.Client(f"{service.url}?wsdl")
        assert "JobDocumentTransmitResult" in str(client.wsdl.services["JobDocumentTransmitResultService"].ports)
        assert client.get_element("{http://premconn.premiereconnect.com/2007/02}Response") is not None
        assert post(service.url, envelope(1)).acknowledged


def test_another_schema_beside_makes_it_another_contract(parted: Path) -> None:
    from soapsvc.contract.wsdl_document import WsdlDocument

    before = WsdlDocument.load(parted).sha256
    (parted.parent / "header.xsd").write_text((parted.parent / "header.xsd").read_text() + "\n")
    assert WsdlDocument.load(parted).sha256 != before
