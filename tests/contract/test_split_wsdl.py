"""A WSDL that imports another, as the tools of .NET and Java write them: service and binding in one, the rest in another."""

from __future__ import annotations

import re
import shutil
import threading
from collections.abc import Iterator
from functools import partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.request import urlopen

import pytest
import zeep

from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.derived_schema import as_classes_say
from soapsvc.contract.push_service import PushService
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.contract.wsdl_rules import verify
from soapsvc.errors import ContractError
from soapsvc.records import Accepted, Push, Verdict
from tests.commands import soapsvc
from tests.contract.reading import a_wsdl, body, schema
from tests.pushing import running_service
from tests.test_receiver import Called

SPLIT = Path(__file__).parent.parent / "vendors" / "split"
CONTRACT = "{http://reports.example.com/contract}"


@pytest.fixture
def split(tmp_path: Path) -> Path:
    """The WSDL to be served, of a copy."""
    shutil.copytree(SPLIT, tmp_path / "split")
    return tmp_path / "split" / "service.wsdl"


def edited(wsdl: Path, file: str, old: str, new: str) -> Path:
    path = wsdl.parent / file
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))
    return wsdl


def test_components_are_found_in_the_file_that_has_them(split: Path) -> None:
    (operation,) = WsdlDocument.load(split).operations
    assert operation.input_element == f"{CONTRACT}Take"
    assert operation.header_blocks == (f"{CONTRACT}Ticket",)
    assert operation.faults == (f"{CONTRACT}Refused",)
    assert (operation.port_type, operation.service) == ("IReportSink", "ReportSink")


def test_the_digest_is_of_every_file(split: Path) -> None:
    before = WsdlDocument.load(split).sha256
    edited(split, "abstract/contract.wsdl", '"StatusCode" type="xs:int"', '"StatusCode" type="xs:integer"')
    assert WsdlDocument.load(split).sha256 != before


def test_what_it_imports_is_served_byte_for_byte_where_its_location_leads_and_a_stub_generator_reads_it(
    split: Path, tmp_path: Path
) -> None:
    with running_service(tmp_path, "--wsdl", str(split)) as service:
        root = service.url.removesuffix("/push")
        for file in ("abstract/contract.wsdl", "xsd/reports.xsd"):
            with urlopen(f"{root}/{file}") as answer:
                assert answer.read() == (split.parent / file).read_bytes()
        with urlopen(f"{service.url}?wsdl") as answer:
            served = answer.read()
        assert served == re.sub(rb'(?<=location=")http[^"]*', service.url.encode(), split.read_bytes())
        client = zeep.Client(f"{service.url}?wsdl")
        report = {"MRN": 7, "Content": b"a;b\r\n"}
        assert client.service.Take(report=report, _soapheaders={"Ticket": "t"}) == 0
        done = soapsvc("contract", "diff", f"{service.url}?wsdl", str(split))
        assert (done.returncode, "identical" in done.stdout) == (0, True), done.stderr
    listed = soapsvc("inbox", "list", "--inbox", service.inbox, "--json")
    assert '"state": "accepted"' in listed.stdout


def test_it_does_not_differ_from_the_same_in_one_file(split: Path, tmp_path: Path) -> None:
    service, contract = split.read_text(), (split.parent / "abstract" / "contract.wsdl").read_text()
    inner = re.search(r"<wsdl:types>.*(?=</wsdl:definitions>)", contract, re.DOTALL)
    assert inner is not None
    names = 'xmlns:xs="http://www.w3.org/2001/XMLSchema" xmlns:d="http://reports.example.com/types" '
    whole = re.sub(r"<wsdl:import.*?/>\s*<wsdl:types/>", inner[0].replace("../xsd", "xsd"), service)
    whole = re.sub(r'(message|type)="(?:i0|tns):(?=Take|Ref|IRep)', r'\1="tns:', whole).replace(
        "xmlns:i0", names + "xmlns:i0"
    )
    whole = whole.replace('element="tns:', 'element="i0:')
    one = split.parent / "one.wsdl"
    one.write_text(whole)
    found = contract_difference(WsdlDocument.load(one), WsdlDocument.load(split))
    assert (found.contract, found.differences) == ("identical", ())


def test_a_difference_inside_what_is_imported_is_told_with_its_line(split: Path, tmp_path: Path) -> None:
    other = shutil.copytree(split.parent, tmp_path / "other") / "service.wsdl"
    edited(other, "abstract/contract.wsdl", '"StatusCode" type="xs:int"', '"StatusCode" type="xs:string"')
    (one,) = contract_difference(WsdlDocument.load(split), WsdlDocument.load(other)).differences
    assert (one.what, one.class_, one.new_line) == ("base type: int -> string", "breaking", 12)


def test_wsdls_that_import_each_other_are_read_once(split: Path) -> None:
    back = '<wsdl:import namespace="http://tempuri.org/" location="../service.wsdl"/>\n  <wsdl:types>'
    wsdl = WsdlDocument.load(edited(split, "abstract/contract.wsdl", "<wsdl:types>", back))
    assert [file.path.name for file in wsdl.files] == ["service.wsdl", "contract.wsdl"]


def test_a_refusal_names_the_file_that_it_is_about(split: Path) -> None:
    edited(
        split, "abstract/contract.wsdl", 'name="parameters" element="tns:Take"', 'name="parameters" element="tns:Tak"'
    )
    with pytest.raises(ContractError, match="no schema of the WSDL declares element") as refused:
        WsdlDocument.load(split)
    assert (Path(refused.value.file).name, refused.value.line) == ("contract.wsdl", 20)


def test_an_acknowledgement_that_cannot_be_filled_is_told_by_the_file_that_declares_it(split: Path) -> None:
    approval = '"StatusCode" type="xs:int"/><xs:element name="Approval" type="xs:string"'
    edited(split, "abstract/contract.wsdl", '"StatusCode" type="xs:int"', approval)
    wsdl = WsdlDocument.load(split)
    with pytest.raises(ContractError, match="demands TakeResponse/Approval") as refused:
        PushService(wsdl, nothing_comes)
    assert (Path(refused.value.file).name, refused.value.line) == ("contract.wsdl", 11)


def nothing_comes(push: Push, verdict: Verdict) -> Accepted:
    raise AssertionError("the service is only tried")


REFUSED = {
    'location="abstract/gone.wsdl"': "location abstract/gone.wsdl leads to .*: the file cannot be read",
    'location="xsd/reports.xsd"': "leads to xsd/reports.xsd, which is .*schema; .*xs:import in wsdl:types",
    'location="http://127.0.0.1:9/contract.wsdl"': "location http://127.0.0.1:9/contract.wsdl would be fetched",
    'location="file:///etc/contract.wsdl"': "is no relative location",
    "": "wsdl:import names no file",
}


@pytest.mark.parametrize("location", REFUSED)
def test_an_import_that_leads_to_no_wsdl_beside_it_is_refused(split: Path, location: str) -> None:
    edited(split, "service.wsdl", 'location="abstract/contract.wsdl"', location)
    with pytest.raises(ContractError, match=REFUSED[location]) as refused:
        WsdlDocument.load(split)
    assert refused.value.line == 5


def test_an_import_of_another_namespace_than_it_says_is_refused(split: Path) -> None:
    edited(split, "service.wsdl", 'import namespace="http://reports.example.com/contract"', 'import namespace="urn:x"')
    with pytest.raises(ContractError, match="urn:x, as the wsdl:import of it says"):
        WsdlDocument.load(split)


def test_who_names_the_part_without_a_port_is_told_the_other(split: Path) -> None:
    """A WSDL whose service stands in a file that it imports: the address is replaced in the file that is served."""
    importing = split.parent / "importing.wsdl"
    importing.write_text('<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:x">'
                         '<import namespace="http://tempuri.org/" location="service.wsdl"/></definitions>')  # fmt: skip
    with pytest.raises(ContractError, match=r"service\.wsdl in its place"):
        WsdlDocument.load(importing)


def test_verify_judges_both_files_and_names_the_one_that_breaks_a_rule(split: Path) -> None:
    assert [one.numbers for one in verify(split) if one.outcome == "fail"] == []
    edited(split, "abstract/contract.wsdl", 'element="tns:Take"/>', 'element="tns:Take" type="xs:string"/>')
    edited(split, "abstract/contract.wsdl", 'message="tns:TakeResponse"', 'message="tns:Other"')
    failed = {one.numbers: one.breaches[0] for one in verify(split) if one.outcome == "fail"}
    assert failed["R2306"].file == "contract.wsdl"
    assert failed["R2101, R2102"].file == "contract.wsdl"


def test_its_classes_are_compared_with_all_of_it(split: Path, tmp_path: Path) -> None:
    wsdl = WsdlDocument.load(split)
    for name, content in as_classes_say(wsdl).items():
        (tmp_path / name).write_bytes(content)
    found = contract_difference(wsdl, WsdlDocument.load(tmp_path / "classes.wsdl"))
    assert [one.what for one in found.differences] == [f"header block {CONTRACT}Ticket no longer bound"]


def test_a_header_block_that_no_class_stands_for_is_bound_no_more_in_what_the_classes_say(tmp_path: Path) -> None:
    push = '<xs:element name="Push"><xs:complexType><xs:sequence><xs:element name="A" type="xs:string"/></xs:sequence></xs:complexType></xs:element>'
    wsdl = a_wsdl(tmp_path, schema(push + '<xs:element name="Trace" type="xs:string"/>'), header="t:Trace")
    (content,) = as_classes_say(wsdl).values()
    (tmp_path / "classes.wsdl").write_bytes(content)
    found = contract_difference(wsdl, WsdlDocument.load(tmp_path / "classes.wsdl"))
    assert [one.what for one in found.differences] == ["header block {urn:t}Trace no longer bound"]


VERSION = """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:v{0}" xmlns:v="urn:v{0}"
    xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/" xmlns:xs="http://www.w3.org/2001/XMLSchema">
  <types><xs:schema targetNamespace="urn:v{0}" elementFormDefault="qualified">
    <xs:element name="Push"><xs:complexType><xs:sequence><xs:element name="MRN" type="xs:int"/></xs:sequence></xs:complexType></xs:element>
    <xs:element name="Ack"><xs:complexType><xs:sequence><xs:element name="Status" type="xs:int"/></xs:sequence></xs:complexType></xs:element>
  </xs:schema></types>
  <message name="In"><part name="p" element="v:Push"/></message><message name="Out"><part name="p" element="v:Ack"/></message>
  <portType name="Sink"><operation name="Push"><input message="v:In"/><output message="v:Out"/></operation></portType>
  <binding name="Sink" type="v:Sink"><soap:binding transport="http://schemas.xmlsoap.org/soap/http"/>
    <operation name="Push"><input><soap:body use="literal"/></input><output><soap:body use="literal"/></output></operation>
  </binding>
</definitions>"""


def test_components_of_one_name_in_two_namespaces_are_two(tmp_path: Path) -> None:
    for version in "12":
        (tmp_path / f"v{version}.wsdl").write_text(VERSION.format(version))
    (tmp_path / "service.wsdl").write_text(
        """<definitions xmlns="http://schemas.xmlsoap.org/wsdl/" targetNamespace="urn:s" xmlns:v1="urn:v1" xmlns:v2="urn:v2">
          <import namespace="urn:v1" location="v1.wsdl"/><import namespace="urn:v2" location="v2.wsdl"/>
          <service name="Sink" xmlns:soap="http://schemas.xmlsoap.org/wsdl/soap/">
            <port name="One" binding="v1:Sink"><soap:address location="http://host.example/1"/></port>
            <port name="Two" binding="v2:Sink"><soap:address location="http://host.example/2"/></port></service>
        </definitions>"""
    )
    called = Called(tmp_path, wsdl=tmp_path / "service.wsdl")
    for version in "12":
        answer = called.post(body(f'<Push xmlns="urn:v{version}"><MRN>7</MRN></Push>').encode())
        assert answer.status == 200, answer.body
        assert f"urn:v{version}".encode() in answer.body
    called.store.close()


class _Quiet(SimpleHTTPRequestHandler):
    def log_message(self, *_: object) -> None: ...

    def translate_path(self, path: str) -> str:
        """The query is a part of the file's name, as a WCF service has it."""
        return str(Path(self.directory) / path.lstrip("/"))


@pytest.fixture
def web(tmp_path: Path) -> Iterator[tuple[str, Path]]:
    (folder := tmp_path / "web").mkdir()
    server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Quiet, directory=str(folder)))
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", folder
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


def test_a_wsdl_of_a_running_service_is_fetched_with_all_that_its_addresses_name(
    web: tuple[str, Path], tmp_path: Path
) -> None:
    host, folder = web
    service, contract = (SPLIT / "service.wsdl").read_text(), (SPLIT / "abstract" / "contract.wsdl").read_text()
    (folder / "Sink.svc?wsdl").write_text(
        service.replace("abstract/contract.wsdl", f"http://{host}/Sink.svc?wsdl=wsdl0")
    )
    (folder / "Sink.svc?wsdl=wsdl0").write_text(
        contract.replace("../xsd/reports.xsd", f"http://{host}/Sink.svc?xsd=xsd0")
    )
    (folder / "Sink.svc?xsd=xsd0").write_bytes((SPLIT / "xsd" / "reports.xsd").read_bytes())
    out = tmp_path / "out"
    done = soapsvc("contract", "fetch", f"http://{host}/Sink.svc?wsdl", "--out", str(out))
    assert done.returncode == 0, done.stderr
    assert "3 files written" in done.stderr
    wsdl = WsdlDocument.load(out / "Sink.svc.wsdl")
    assert wsdl.operations == WsdlDocument.load(SPLIT / "service.wsdl").operations
    assert wsdl.files_beside == {}, "whoever reads the WSDL finds them at the addresses that it names"
