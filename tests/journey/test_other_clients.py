"""Clients that integrators have: PHP's SoapClient made from the served WSDL, and plain curl."""

from __future__ import annotations

import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.pushing import Service, listed, running_service

PHP = r"""
$client = new SoapClient($argv[1] . '?wsdl', ['cache_wsdl' => WSDL_CACHE_NONE, 'trace' => 1, 'exceptions' => true]);
$now = '2026-11-23T08:00:00Z';
$header = new SoapHeader('http://premconn.premiereconnect.com/2007/02', 'Response',
    new SoapVar('<Response xmlns="http://premconn.premiereconnect.com/2007/02"><ProcessingID>php-1</ProcessingID></Response>', XSD_ANYXML));
$client->__setSoapHeaders([$header]);
$answer = $client->JobDocumentTransmitResult([
    'Status' => ['StatusCode' => 0, 'SubmissionTime' => $now, 'CompletionTime' => $now],
    'SubmitId' => 'php',
    'JobDocumentData' => [
        'JobId' => ['XDN' => 'test2', 'MRN' => 77],
        'Document' => ['DocType' => 'text', 'Filename' => 'php.txt',
                       'DocData' => ['_' => base64_encode("from PHP\n"), 'format' => 'base64']],
        'JobDocumentDataExtension' => ['name' => 'Default', 'Property' => ['_' => 'Grüße', 'name' => 'Subject']],
    ],
]);
echo $answer->Status->StatusCode, ' ', $answer->SubmitId, "\n";
"""


def need(program: str) -> str:
    found = shutil.which(program)
    if found is None:
        pytest.skip(f"needs the program {program}")
    return found


@pytest.fixture
def service(tmp_path: Path) -> Iterator[Service]:
    with running_service(tmp_path) as running:
        yield running


def test_php_soapclient_pushes_by_the_served_wsdl(service: Service) -> None:
    php = need("php")
    if "soap" not in subprocess.run([php, "-m"], capture_output=True, text=True, check=True).stdout.split():
        pytest.skip("needs PHP's soap extension (Debian php-soap)")
    done = subprocess.run([php, "-r", PHP, "--", service.url], capture_output=True, text=True)
    assert (done.returncode, done.stdout) == (0, "0 php\n"), done.stdout + done.stderr
    (push,) = listed(service.inbox)
    assert (push["state"], push["job"], push["deviations"]) == ("accepted", {"xdn": "test2", "mrn": "77"}, 0)
    assert push["properties"]["Subject"] == "Grüße"
    assert push["documents"][0]["size_bytes"] == len("from PHP\n")


def test_curl_pushes_a_sample_file(service: Service, checkout: Path) -> None:
    sample = checkout / "samples" / "sampleReport.xml"
    command = [need("curl"), "-sS", "-o", "-", "-w", "%{http_code}", "--data-binary", f"@{sample}", service.url]
    done = subprocess.run([*command, "-H", "Content-Type: text/xml"], capture_output=True, text=True, check=True)
    assert done.stdout.endswith("200")
    assert "<" in done.stdout
    assert "StatusCode>0<" in done.stdout
    assert [push["state"] for push in listed(service.inbox)] == ["accepted"]


def test_curl_without_the_media_type_is_told_which_header_to_send(service: Service, checkout: Path) -> None:
    sample = checkout / "samples" / "sampleReport.xml"
    command = [need("curl"), "-sS", "-w", "%{http_code}", "--data-binary", f"@{sample}", service.url]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert done.stdout.endswith("415")
    assert "Content-Type: text/xml" in done.stdout
    assert [push["state"] for push in listed(service.inbox)] == ["quarantined"]
