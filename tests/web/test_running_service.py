"""The admin listener of a running receiver: what was pushed over HTTP is read back over HTTP."""

from __future__ import annotations

import hashlib
import json
import os
import re
import socket
from base64 import b64encode
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from prometheus_client.parser import text_string_to_metric_families
from werkzeug.security import generate_password_hash

from tests.commands import soapsvc
from tests.pushing import TEXT_XML, Service, envelope, get, post, running_service

PASSWORDS = ("hunter2-in-the-header", "hunter3-in-the-body", "hunter4-by-wsse", "hunter5-by-http")
AUTHENTICATION = f"""
    <Authentication xmlns="urn:vendor"><XDDSAuth>
      <RequesterID>somebody</RequesterID><Password>{PASSWORDS[0]}</Password>
    </XDDSAuth></Authentication>
    <Security xmlns="urn:wsse"><UsernameToken><Password>{PASSWORDS[2]}</Password></UsernameToken></Security>
  </soapenv:Header>"""


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    with running_service(tmp_path_factory.mktemp("service")) as running:
        yield running


def api(service: Service, path: str) -> dict:
    answer = get(f"{service.admin_url}/api/v1/{path}")
    assert answer.status == 200, answer.body
    return json.loads(answer.body)


def push_of_job(service: Service, mrn: int) -> dict:
    (row,) = [
        row for row in api(service, "pushes?limit=1000")["pushes"] if row["job"] and row["job"]["mrn"] == str(mrn)
    ]
    return row


def test_a_document_of_five_megabytes_goes_in_and_comes_out_the_same(service: Service) -> None:
    content = os.urandom(5 * 1024 * 1024)
    assert post(service.url, envelope(5, content), TEXT_XML).acknowledged
    row = push_of_job(service, 5)
    answer = get(f"{service.admin_url}/api/v1/pushes/{row['id']}/documents/1")
    assert (answer.status, answer.headers["content-length"]) == (200, str(len(content)))
    assert (
        hashlib.sha256(answer.body).hexdigest() == row["documents"][0]["sha256"] == hashlib.sha256(content).hexdigest()
    )
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["x-content-type-options"] == "nosniff"
    raw = get(f"{service.admin_url}/api/v1/pushes/{row['id']}/raw")
    assert raw.body == envelope(5, content)


def test_metrics_count_each_push(service: Service) -> None:
    def figures() -> dict[tuple[str, str], float]:
        answer = get(f"{service.admin_url}/metrics")
        families = text_string_to_metric_families(answer.body.decode())
        return {(one.name, one.labels.get("state", "")): one.value for family in families for one in family.samples}

    before = figures()
    assert post(service.url, envelope(10)).acknowledged
    assert post(service.url, envelope(10)).acknowledged
    assert post(service.url, envelope(10, b"other content")).acknowledged
    assert post(service.url, b"<junk/>").status == 500
    after = figures()
    more = {name: after[name] - before[name] for name in before if after[name] != before[name]}
    assert more[("soapsvc_inbox_pushes", "accepted")] == 2
    assert more[("soapsvc_inbox_pushes", "quarantined")] == 1
    assert more[("soapsvc_inbox_redeliveries", "")] == 1
    assert more[("soapsvc_inbox_conflicts", "")] == 1


def test_readiness_tells_the_hash_of_the_wsdl_that_is_served(service: Service, checkout: Path) -> None:
    answer = get(f"{service.admin_url}/readyz")
    (wsdl,) = (checkout / "wsdl").glob("*.wsdl")
    assert json.loads(answer.body)["contract"]["sha256"] == hashlib.sha256(wsdl.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", ["accepted", "quarantined"])
def test_a_password_in_a_message_is_on_no_page_and_in_no_answer(service: Service, kind: str) -> None:
    mrn = 20 if kind == "accepted" else 21
    text = envelope(mrn).decode().replace("\n  </soapenv:Header>", AUTHENTICATION)
    if kind == "quarantined":
        text = text.replace("<JobDocumentData>", f"<JobDocumentData><Password>{PASSWORDS[1]}</Password>")
    secret = b64encode(f"vendor:{PASSWORDS[3]}".encode()).decode()
    headers = {**TEXT_XML, "Authorization": f"Basic {secret}", "Cookie": f"key={PASSWORDS[3]}"}
    answer = post(service.url, text.encode(), headers)
    assert answer.acknowledged == (kind == "accepted")
    row = push_of_job(service, mrn)
    assert row["state"] == kind
    told = ""
    for path in ("/", f"/pushes/{row['id']}", "/api/v1/pushes", f"/api/v1/pushes/{row['id']}", "/metrics"):
        told += get(service.admin_url + path).body.decode()
    assert "***" in told
    for password in (*PASSWORDS, secret):
        assert password not in told
        assert password not in answer.body.decode()


def test_a_hostile_file_name_and_hostile_values_do_no_harm(service: Service) -> None:
    text = envelope(30).decode()
    text = text.replace("report_30.csv", '../../etc/&lt;script&gt;alert(1)&lt;/script&gt;&#13;&#10;"x".csv')
    text = text.replace("Delivery report - job 30", "&lt;script&gt;alert(1)&lt;/script&gt;")
    assert post(service.url, text.encode()).acknowledged
    row = push_of_job(service, 30)
    assert row["properties"]["Subject"] == "<script>alert(1)</script>"
    for path in ("/", f"/pushes/{row['id']}"):
        page = get(service.admin_url + path).body.decode()
        assert page.count("<script") == 1
        assert "<script>" not in page
        assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
    answer = get(f"{service.admin_url}/api/v1/pushes/{row['id']}/documents/1")
    assert answer.status == 200
    assert re.fullmatch(
        r'attachment; filename="[\w<>() .-]+"; filename\*=UTF-8\'\'[\w.%-]+', answer.headers["content-disposition"]
    )
    assert "/" not in answer.headers["content-disposition"]


@pytest.mark.parametrize("method", ["POST", "PUT", "DELETE", "PATCH"])
def test_the_admin_listener_takes_no_push(service: Service, method: str) -> None:
    for path in ("/", "/api/v1/pushes"):
        answer = post(service.admin_url + path, envelope(), method=method)
        assert answer.status == 405
        assert "GET" in answer.headers["allow"]
    assert post(f"{service.admin_url}/push", envelope()).status == 404


def test_the_public_listener_shows_nothing_of_the_inbox(service: Service) -> None:
    public = service.url.removesuffix("/push")
    for path in ("/", "/api/v1/pushes", "/metrics", "/readyz", "/static/style.css", "/push/api/v1/pushes"):
        assert get(public + path).status == 404, path


def test_a_name_that_dns_was_made_to_point_at_the_listener_is_not_answered(service: Service) -> None:
    assert get(f"{service.admin_url}/api/v1/pushes", {"Host": "evil.example.com"}).status == 421


def test_a_request_without_a_host_learns_nothing(service: Service) -> None:
    parts = urlsplit(service.admin_url)
    with socket.create_connection((parts.hostname, parts.port), timeout=10) as connection:
        connection.sendall(b"GET http://evil.example.com/api/v1/pushes HTTP/1.0\r\n\r\n")
        status = connection.makefile("rb").readline()
    assert int(status.split()[1]) == 421


def test_with_a_credential_in_the_settings_the_listener_asks_for_it(tmp_path: Path) -> None:
    password_hash = generate_password_hash("open sesame", "pbkdf2:sha256:1000")
    settings = f'admin_user = "admin"\nadmin_password_hash = "{password_hash}"\n'
    with running_service(tmp_path, settings=settings) as guarded:
        for credential, status in ((None, 401), ("admin:wrong", 401), ("admin:open sesame", 200)):
            headers = {"Authorization": "Basic " + b64encode(credential.encode()).decode()} if credential else {}
            for path in ("/", "/api/v1/pushes", "/metrics"):
                assert get(guarded.admin_url + path, headers).status == status
        assert get(f"{guarded.admin_url}/readyz").status == 200


def test_serve_does_not_open_the_admin_page_to_everybody(tmp_path: Path) -> None:
    done = soapsvc("serve", "--admin", "0.0.0.0:0", "--listen", "127.0.0.1:0", cwd=tmp_path)
    assert done.returncode == 2
    assert "outside loopback, without a credential: set admin_user and admin_password_hash" in done.stderr
    assert list(tmp_path.iterdir()) == []
