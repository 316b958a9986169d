"""The wire page of a running receiver: what was sent and answered, by whom, and how it is exported."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from soapsvc.shipped import SAMPLES
from tests.pushing import TEXT_XML, Service, envelope, get, listed, post, running_service
from tests.serving.connection import Connection
from tests.web.test_running_service import AUTHENTICATION, PASSWORDS

PROXY = {"X-Forwarded-Proto": "https", "X-SSL-Protocol": "TLSv1.3", "X-SSL-Cipher": "TLS_AES_256_GCM_SHA384"}


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    settings = 'trusted_proxies = ["127.0.0.1/32"]\nallowed_sources = ["192.0.2.0/24"]\nmax_envelope_bytes = 1000000\n'
    with running_service(tmp_path_factory.mktemp("wire"), settings=settings) as running:
        yield running


def send(service: Service, body: bytes, source: str = "192.0.2.7", **headers: str) -> int:
    return post(service.url, body, {**TEXT_XML, "X-Forwarded-For": source, **PROXY, **headers}).status


def logged(service: Service, count: int, query: str = "") -> list[dict]:
    """The newest exchanges, once so many are there: they are written a moment after the answer."""
    until = time.monotonic() + 10
    while time.monotonic() < until:
        found = json.loads(get(f"{service.admin_url}/api/v1/exchanges?limit=1000{query}").body)["exchanges"]
        if len(found) >= count:
            return found
        time.sleep(0.05)
    raise AssertionError(f"{len(found)} exchanges, wanted {count}")


def test_every_kind_of_exchange_is_kept_with_its_outcome(service: Service) -> None:
    source = "192.0.2.50"
    assert send(service, envelope(1), source) == 200
    assert send(service, envelope(1), source) == 200
    assert send(service, envelope(1, b"other content"), source) == 200
    assert send(service, b"<junk/>", source) == 500
    found = logged(service, 4, f"&source={source}")
    assert [one["outcome"] for one in found] == ["quarantined", "conflict", "redelivery", "accepted"]
    assert [one["status"] for one in found] == [500, 200, 200, 200]
    assert found[3]["push_id"] == found[2]["push_id"] != found[1]["push_id"]
    ids = {row["id"] for row in listed(service.inbox)}
    assert {one["push_id"] for one in found} <= ids
    assert all(one["milliseconds"] > 0 for one in found)


@pytest.mark.parametrize(
    ("method", "path", "headers", "status", "outcome"),
    [
        ("GET", "/push?wsdl", {"X-Forwarded-For": "192.0.2.60"}, 200, "served"),
        ("GET", "/elsewhere", {"X-Forwarded-For": "192.0.2.60"}, 404, "refused"),
        ("POST", "/push", {"X-Forwarded-For": "203.0.113.9", **TEXT_XML}, 403, "refused"),
        ("POST", "/push", {"X-Forwarded-For": "192.0.2.60", "Content-Length": "9000000", **TEXT_XML}, 413, "refused"),
    ],
)
def test_what_was_no_push_is_kept_too(
    service: Service, method: str, path: str, headers: dict, status: int, outcome: str
) -> None:
    before = json.loads(get(f"{service.admin_url}/api/v1/exchanges?limit=1").body)["exchanges"]
    newest = before[0]["n"] if before else 0
    assert post(service.url.removesuffix("/push") + path, b"", headers, method).status == status
    until = time.monotonic() + 10
    while time.monotonic() < until:
        (one,) = json.loads(get(f"{service.admin_url}/api/v1/exchanges?limit=1").body)["exchanges"] or [{"n": 0}]
        if one["n"] > newest:
            break
        time.sleep(0.05)
    assert (one["outcome"], one["status"], one["target"]) == (outcome, status, path)
    assert one["push_id"] is None


def test_an_exchange_tells_the_connection_the_proxy_and_the_time_by_stage(service: Service) -> None:
    send(service, envelope(20), "192.0.2.61")
    (one,) = logged(service, 1, "&source=192.0.2.61")
    whole = json.loads(get(f"{service.admin_url}/api/v1/exchanges/{one['n']}").body)
    assert re.fullmatch(r"127\.0\.0\.1 port \d+", whole["peer"])
    assert ["X-SSL-Protocol", "TLSv1.3"] in whole["tls"]
    assert [stage["stage"] for stage in whole["stages"]] == ["judge", "store", "answer"]
    assert "JobDocumentTransmitResultAck" in whole["answer_body"]
    page = get(f"{service.admin_url}/wire/{one['n']}").body.decode()
    for shown in ("POST /push HTTP/1.1", "TLS_AES_256_GCM_SHA384", "stored, to the commit", "&lt;soapenv:Envelope"):
        assert shown in page


@pytest.mark.parametrize("view", ["pretty", "raw", "hex"])
def test_no_credential_is_shown_on_the_wire(service: Service, view: str) -> None:
    secret = envelope(21).decode().replace("</soapenv:Header>", AUTHENTICATION)
    send(service, secret.encode(), "192.0.2.62", Authorization=f"Basic {PASSWORDS[3]}", Cookie=PASSWORDS[3])
    one = logged(service, 1, "&source=192.0.2.62")[0]
    page = get(f"{service.admin_url}/wire/{one['n']}?view={view}").body.decode()
    har = get(f"{service.admin_url}/api/v1/exchanges/{one['n']}/har").body.decode()
    raw = get(f"{service.admin_url}/pushes/{one['push_id']}/raw?view={view}").body.decode()
    told = [
        get(f"{service.admin_url}/api/v1/{path}/lines?view={view}").body.decode()
        for path in (f"exchanges/{one['n']}", f"pushes/{one['push_id']}/raw")
    ]
    assert all("***" in shown or view == "hex" for shown in told)
    for password in PASSWORDS:
        for shown in (page, har, raw, *told, *(text.replace(" ", "") for text in (page, raw, *told))):
            assert password not in shown
            assert password.encode().hex() not in shown
    assert PASSWORDS[1] not in page


def replayed(service: Service, entry: dict) -> int:
    """Send the request of a HAR entry again, as a HAR player would."""
    request = entry["request"]
    headers = {one["name"]: one["value"] for one in request["headers"] if one["name"] not in ("Content-Length", "Host")}
    assert request["url"].startswith(service.url)
    return post(request["url"], request.get("postData", {}).get("text", "").encode(), headers, request["method"]).status


def test_an_export_is_a_har_and_replays_to_the_same_answers(service: Service) -> None:
    source = "192.0.2.63"
    sent = [(SAMPLES / "sampleReport.xml").read_bytes(), b"<junk/>", envelope(31)]
    answers = [send(service, body, source) for body in sent]
    logged(service, 3, f"&source={source}")
    answer = get(f"{service.admin_url}/api/v1/exchanges.har?source={source}")
    assert answer.headers["content-disposition"].startswith('attachment; filename="exchanges.har"')
    log = json.loads(answer.body)["log"]
    assert log["version"] == "1.2"
    assert [entry["request"]["postData"]["text"].encode() for entry in log["entries"]] == sent
    for entry in log["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= set(entry)
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"} <= set(
            entry["request"]
        )
        assert {
            "status",
            "statusText",
            "headers",
            "cookies",
            "content",
            "redirectURL",
            "headersSize",
            "bodySize",
        } <= set(entry["response"])
        assert {"send", "wait", "receive"} <= set(entry["timings"])
    assert [replayed(service, entry) for entry in log["entries"]] == answers == [200, 500, 200]


def test_a_range_is_exported(service: Service) -> None:
    for n in range(4):
        send(service, envelope(40 + n), "192.0.2.64")
    numbers = [one["n"] for one in logged(service, 4, "&source=192.0.2.64")]
    har = json.loads(get(f"{service.admin_url}/api/v1/exchanges.har?from={numbers[2]}&to={numbers[1]}").body)
    assert [entry["comment"].split()[2].rstrip(":") for entry in har["log"]["entries"]] == [
        str(numbers[2]),
        str(numbers[1]),
    ]


def test_the_curl_command_sends_the_same_again(service: Service, tmp_path: Path) -> None:
    send(service, envelope(50), "192.0.2.65")
    (one,) = logged(service, 1, "&source=192.0.2.65")
    page = get(f"{service.admin_url}/wire/{one['n']}").body.decode()
    found = re.search(r'id="curl-command">(.*?)</pre>', page, re.DOTALL)
    assert found
    told = json.loads(get(f"{service.admin_url}/api/v1/exchanges/{one['n']}").body)["curl"]
    command = shlex.split(found[1].replace("&#39;", "'").replace("&#34;", '"').replace("&amp;", "&"))
    raw = get(f"{service.admin_url}/api/v1/pushes/{one['push_id']}/raw").body
    (tmp_path / f"{one['push_id']}.xml").write_bytes(raw)
    assert command == shlex.split(told)
    assert command[0] == "curl"
    done = subprocess.run([*command, "--silent"], capture_output=True, text=True, cwd=tmp_path)
    assert "200 OK" in done.stdout
    assert [row["redeliveries"] for row in listed(service.inbox) if row["id"] == one["push_id"]] == [1]


def test_without_the_log_pushes_are_taken_and_the_page_says_so(tmp_path: Path) -> None:
    with running_service(tmp_path, settings="exchanges_kept = 0\n") as quiet:
        assert post(quiet.url, envelope()).acknowledged
        assert b"No exchanges are kept" in get(f"{quiet.admin_url}/wire").body
        assert get(f"{quiet.admin_url}/api/v1/exchanges").status == 404
    assert not (tmp_path / "inbox.db.wire").exists()


def test_several_processes_write_one_log_and_what_they_took_is_found(tmp_path: Path) -> None:
    with running_service(tmp_path, "--processes", "2") as many:
        for n in range(12):
            assert post(many.url, envelope(n)).acknowledged
        assert len(logged(many, 12)) == 12
        until = time.monotonic() + 10
        while time.monotonic() < until:
            rows = json.loads(get(f"{many.admin_url}/api/v1/pushes?q=INV-1").body)["pushes"]
            if len(rows) == 12:
                break
            time.sleep(0.1)
        assert len(rows) == 12


SECRET = "hunter2-in-a-line"
TOO_MUCH = b"100000\r\n" + b"x" * 0x100000 + b"\r\n"


@pytest.mark.parametrize(
    ("request_bytes", "status", "line"),
    [
        (b"junk\r\n\r\n", 400, None),
        (f"<Password>{SECRET}</Password> a b HTTP/9\r\nA: b\r\n\r\n".encode(), 400, None),
        (b"GET /push?wsdl HTTP/1.1\r\nAccept: */*\r\n\r\n", 400, "GET /push?wsdl HTTP/1.1"),
        (f"POST /push HTTP/1.1\r\nHost: x\r\nAuthorization: {SECRET}\r\nno colon {SECRET}\r\n\r\n".encode(), 400,
         "POST /push HTTP/1.1"),
        (b"POST /push HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 70_000 + b"\r\n\r\n", 431, None),
        (b"POST /push HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 192.0.2.3\r\nContent-Type: text/xml\r\n"
         b"Transfer-Encoding: chunked\r\n\r\n" + TOO_MUCH, 413, "POST /push HTTP/1.1"),
    ],
    ids=["no HTTP", "a body's rest", "no Host", "no colon", "a long head", "a long body in chunks"],
)  # fmt: skip
def test_what_could_not_be_read_as_a_request_is_kept_too(
    service: Service, request_bytes: bytes, status: int, line: str | None
) -> None:
    before = json.loads(get(f"{service.admin_url}/api/v1/exchanges?limit=1").body)["exchanges"]
    newest = before[0]["n"] if before else 0
    with Connection(service.url) as connection:
        connection.send(request_bytes)
        assert connection.answer().status == status
    until = time.monotonic() + 10
    found: list[dict] = []
    while not found and time.monotonic() < until:
        found = [one for one in logged(service, 0) if one["n"] > newest]
        time.sleep(0.05)
    (one,) = found
    whole = json.loads(get(f"{service.admin_url}/api/v1/exchanges/{one['n']}").body)
    assert (whole["outcome"], whole["status"], whole["body_bytes"]) == ("refused", status, None)
    assert whole["request_line"] == (line or "(unreadable) (unreadable) (unreadable)")
    assert re.fullmatch(r"127\.0\.0\.1 port \d+", whole["peer"])
    assert whole["answer_body"]
    for view in (f"/wire/{one['n']}", f"/api/v1/exchanges/{one['n']}/har", "/api/v1/exchanges.har"):
        answer = get(service.admin_url + view)
        assert answer.status == 200
        assert SECRET not in answer.body.decode()
