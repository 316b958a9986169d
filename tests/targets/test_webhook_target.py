"""A webhook: what it is sent, that it can tell who sent it, and that its URL reaches nothing inside a network."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
import socket
from dataclasses import replace
from typing import Any

import pytest

from soapsvc.errors import SettingsError
from soapsvc.targets.addresses import is_public
from soapsvc.targets.opening import open_target
from soapsvc.targets.options import TargetOptions
from soapsvc.targets.target import DeliveryFailed
from tests.targets.outgoing import AT, REPORT, a_document, a_push
from tests.targets.servers import HttpServer, http_server

KEY = bytes(range(32))
SECRET = "whsec_" + base64.b64encode(KEY).decode()
OPTIONS = TargetOptions(
    connect_seconds=5, total_seconds=10, webhook_secret=SECRET, allow_internal=True, clock=lambda: AT
)


def told(server: HttpServer) -> dict[str, Any]:
    return json.loads(server.came[-1][1])


def test_the_record_goes_out_with_its_documents_and_a_signature_that_verifies(server: HttpServer) -> None:
    server.status = 204
    receipt = open_target(f"webhook+{server.url}?token=x", OPTIONS).deliver(a_push())
    assert (receipt.target, receipt.reference) == (f"webhook+{server.url}", "HTTP 204")
    ((headers, body),) = server.came
    event = json.loads(body)
    assert (event["type"], event["data"]["id"], event["documents_as"]) == ("push.received", "push1", "inline")
    (document,) = event["data"]["documents"]
    assert base64.b64decode(document["content_base64"]) == REPORT
    assert (headers["webhook-id"], headers["webhook-timestamp"]) == ("push1", str(int(AT.timestamp())))
    signed = f"push1.{headers['webhook-timestamp']}.".encode() + body
    wanted = base64.b64encode(hmac.new(KEY, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{wanted}"


def test_large_documents_go_as_links_or_not_at_all(server: HttpServer) -> None:
    small = replace(OPTIONS, inline_bytes=10)
    open_target(f"webhook+{server.url}", small).deliver(a_push())
    assert (told(server)["documents_as"], "content_base64" in told(server)["data"]["documents"][0]) == ("none", False)
    linked = replace(small, link_base="https://inbox.example.com/api/v1/pushes/")
    open_target(f"webhook+{server.url}", linked).deliver(a_push(a_document(), a_document(n=2)))
    assert [one["url"] for one in told(server)["data"]["documents"]] == [
        f"https://inbox.example.com/api/v1/pushes/push1/documents/{n}" for n in (1, 2)
    ]
    open_target(f"webhook+{server.url}", replace(OPTIONS, documents="none")).deliver(a_push())
    assert told(server)["documents_as"] == "none"


@pytest.mark.parametrize(
    ("status", "may_repeat"),
    [(500, True), (503, True), (429, True), (404, True), (400, False), (410, False), (302, False)],
)
def test_what_is_no_success_is_a_failure(server: HttpServer, status: int, may_repeat: bool) -> None:
    with http_server() as other:
        server.status, server.headers = status, {"Retry-After": "5", "Location": other.url}
        with pytest.raises(DeliveryFailed) as raised:
            open_target(f"webhook+{server.url}", OPTIONS).deliver(a_push())
        assert (raised.value.may_repeat, raised.value.retry_after_seconds, other.came) == (may_repeat, 5.0, [])


@pytest.mark.parametrize(
    "address",
    [
        "127.0.0.1", "127.1.2.3", "10.0.0.1", "172.16.0.1", "192.168.1.1", "169.254.169.254", "100.64.0.1", "0.0.0.0",
        "224.0.0.1", "240.0.0.1", "255.255.255.255", "192.0.0.8", "198.18.0.1", "192.0.2.1", "::1", "::", "fe80::1",
        "fe80::1%eth0", "fc00::1", "fd12::1", "fec0::1", "ff02::1", "::ffff:127.0.0.1", "::ffff:10.0.0.1", "::127.0.0.1",
        "64:ff9b::7f00:1", "64:ff9b::a00:1", "2002:7f00:1::", "2002:a00:1::1", "2001:db8::1", "2001::1",
    ],
)  # fmt: skip
def test_an_address_inside_a_network_is_not_public(address: str) -> None:
    assert not is_public(address)


@pytest.mark.parametrize(
    "address", ["93.184.216.34", "2606:2800:220:1::1", "::ffff:93.184.216.34", "64:ff9b::5db8:d822"]
)
def test_an_address_of_the_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "host", ["127.0.0.1", "localhost", "[::1]", "[::ffff:127.0.0.1]", "2130706433", "0x7f000001", "127.1"]
)
def test_no_spelling_of_loopback_is_connected_to(server: HttpServer, host: str) -> None:
    port = server.url.split(":")[2].split("/")[0]
    with pytest.raises(DeliveryFailed) as raised:
        open_target(f"webhook+http://{host}:{port}/", replace(OPTIONS, allow_internal=False)).deliver(a_push())
    assert server.came == []
    if host.startswith(("127", "local", "[::ffff", "21", "0x")):
        assert ("inside a network" in str(raised.value), raised.value.may_repeat) == (True, False)


def test_the_address_that_was_judged_is_the_one_that_is_connected_to(
    server: HttpServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A name server that answers with another address each time is asked once: what it says later changes nothing."""
    port, asked = int(server.url.split(":")[2].split("/")[0]), []

    def rebinding(host: str, *_: object, **__: object) -> list[Any]:
        asked.append(host)
        address = "10.1.2.3" if len(asked) == 1 else "127.0.0.1"
        return [(socket.AF_INET, socket.SOCK_STREAM, 6, "", (address, port))]

    monkeypatch.setattr(socket, "getaddrinfo", rebinding)
    with pytest.raises(DeliveryFailed, match=r"leads to 10\.1\.2\.3, inside a network"):
        open_target(f"webhook+http://rebind.example:{port}/", replace(OPTIONS, allow_internal=False)).deliver(a_push())
    assert (len(asked), server.came) == (1, [])


@pytest.mark.parametrize("secret", ["whsec_!!", "whsec_QQ==", "short", "x" * 65])
def test_a_secret_of_no_use_is_refused_without_being_shown(secret: str) -> None:
    with pytest.raises(SettingsError) as raised:
        open_target("webhook+https://example.com/", replace(OPTIONS, webhook_secret=secret))
    assert secret not in str(raised.value)
    assert SECRET not in repr(OPTIONS)
