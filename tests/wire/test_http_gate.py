"""Which requests are admitted, and what their Content-Type means."""

from __future__ import annotations

import base64
import time
from dataclasses import replace

import pytest

from soapsvc import credentials
from soapsvc.errors import HttpRefused, SettingsError
from soapsvc.rules import RULES
from soapsvc.settings import OwnSettings
from soapsvc.wire.http_gate import HttpGate, recorded_headers
from tests.wire.messages import PASSWORD_HASH, SOAP_ACTIONS, USERS, Message


def admitted(message: Message) -> str:
    return HttpGate(OwnSettings(**message.settings), SOAP_ACTIONS).admit(message.head())


def refused(message: Message) -> HttpRefused:
    gate = HttpGate(OwnSettings(**message.settings), SOAP_ACTIONS)

    def asked_both() -> None:
        gate.admit(message.head())
        gate.media_type(message.head())

    with pytest.raises(HttpRefused) as caught:
        asked_both()
    assert caught.value.http_status == RULES[caught.value.rule].http_status
    return caught.value


def noted(**headers: str | list[str] | None) -> list[str]:
    message = Message(headers={name.replace("_", "-"): value for name, value in headers.items()})
    return [deviation.rule for deviation in HttpGate(OwnSettings(), SOAP_ACTIONS).media_type(message.head()).deviations]


ROUTES = {
    ("POST", "/push", ""): 0,
    ("GET", "/push", "wsdl"): 0,
    ("HEAD", "/push", "WSDL"): 0,
    ("GET", "/push", "Wsdl"): 0,
    ("GET", "/push", ""): 405,
    ("PUT", "/push", ""): 405,
    ("OPTIONS", "/push", ""): 405,
    ("post", "/push", ""): 405,
    ("POST", "/push", "wsdl"): 405,
    ("POST", "/push", "x=1"): 404,
    ("GET", "/push", "xsd=1"): 404,
    ("POST", "/", ""): 404,
    ("POST", "/push/", ""): 404,
    ("POST", "/PUSH", ""): 404,
    ("GET", "/push/../push", "wsdl"): 404,
    ("GET", "/favicon.ico", ""): 404,
}


@pytest.mark.parametrize("route", ROUTES)
def test_there_are_two_routes_and_nothing_else(route: tuple[str, str, str]) -> None:
    method, path, query = route
    message = Message(method=method, path=path, query=query)
    if ROUTES[route] == 0:
        assert admitted(message) == "192.0.2.7"
    else:
        assert refused(message).http_status == ROUTES[route]


def test_405_says_what_is_allowed() -> None:
    assert refused(Message(method="GET")).headers == (("Allow", "POST"),)
    assert refused(Message(method="DELETE", query="wsdl")).headers == (("Allow", "GET, HEAD"),)


@pytest.mark.parametrize(
    "headers",
    [
        {"Content-Length": "12", "Transfer-Encoding": "chunked"},
        {"Content-Length": ["12", "12"]},
        {"Content-Length": "12, 12"},
        {"Content-Length": "+12"},
        {"Content-Length": "-1"},
        {"Content-Length": "0x10"},
        {"Content-Length": "1_000"},
        {"Content-Length": "\u0663"},
        {"Content-Length": ""},
        {"Content-Length": "9" * 19},
        {"Content-Length": None, "Transfer-Encoding": "chunked, chunked"},
        {"Content-Length": None, "Transfer-Encoding": ["chunked", "chunked"]},
        {"Content-Length": None, "Transfer-Encoding": "gzip, chunked"},
        {"Content-Length": None, "Transfer-Encoding": "identity"},
        {"Content-Length": None, "Transfer-Encoding": "xchunked"},
        {"Content-Length": None, "Transfer-Encoding": "chunked;q=1"},
        {"Content-Length": None, "Transfer-Encoding": "\x0bchunked"},
    ],
    ids=str,
)
@pytest.mark.parametrize(("method", "query"), [("POST", ""), ("GET", "wsdl")])
def test_a_length_that_two_servers_could_read_in_two_ways_is_400(
    headers: dict[str, str | list[str] | None], method: str, query: str
) -> None:
    assert refused(Message(headers=headers, method=method, query=query)).rule == "HTTP-003"


def test_a_chunked_body_is_admitted() -> None:
    assert admitted(Message(headers={"Content-Length": None, "Transfer-Encoding": "Chunked"})) == "192.0.2.7"


def test_a_body_is_taken_up_to_the_limit_and_no_further() -> None:
    message = Message(headers={"Content-Length": "4096"}, settings={"max_envelope_bytes": 4096})
    assert admitted(message) == "192.0.2.7"
    told = refused(replace(message, headers={"Content-Length": "4097"}))
    assert (told.http_status, "4097" in told.sentence, "4096" in told.sentence) == (413, True, True)


def test_the_wsdl_is_to_be_had_without_a_credential_and_from_anywhere() -> None:
    closed = {**USERS, "allowed_sources": ["198.51.100.0/24"]}
    assert admitted(Message(method="GET", query="wsdl", settings=closed)) == "192.0.2.7"


SOURCES = {
    # peer, X-Forwarded-For, source
    "no proxy": ("192.0.2.7", None, "192.0.2.7"),
    "a header from nobody we trust": ("192.0.2.7", "203.0.113.1", "192.0.2.7"),
    "one proxy": ("10.0.0.1", "203.0.113.1", "203.0.113.1"),
    "what the sender invented is not looked at": ("10.0.0.1", "198.51.100.66, 203.0.113.1", "203.0.113.1"),
    "rubbish before the source is not looked at": ("10.0.0.1", "<x>, 203.0.113.1", "203.0.113.1"),
    "two proxies": ("10.0.0.1", "203.0.113.1, 10.0.0.2", "203.0.113.1"),
    "two headers": ("10.0.0.1", ["203.0.113.1", "10.0.0.2"], "203.0.113.1"),
    "nothing but proxies": ("10.0.0.1", "10.0.0.3, 10.0.0.2", "10.0.0.3"),
    "a proxy that says nothing": ("10.0.0.1", None, "10.0.0.1"),
    "a port": ("10.0.0.1", "203.0.113.1:4711", "203.0.113.1"),
    "IPv6": ("10.0.0.1", "2001:db8::1", "2001:db8::1"),
    "IPv6 with a port": ("10.0.0.1", "[2001:db8::1]:4711", "2001:db8::1"),
    "IPv4 in IPv6": ("::ffff:10.0.0.1", "::ffff:203.0.113.1", "203.0.113.1"),
}


@pytest.mark.parametrize("what", SOURCES)
def test_the_source_is_the_peer_or_what_a_trusted_proxy_says(what: str) -> None:
    peer, forwarded, source = SOURCES[what]
    settings = {"trusted_proxies": ["10.0.0.0/8"]}
    assert admitted(Message(headers={"X-Forwarded-For": forwarded}, peer=peer, settings=settings)) == source


@pytest.mark.parametrize("named", ["unknown", "_hidden", "203.0.113.1.evil", "203.0.113.1 ;x", "203.0.113.256"])
def test_a_trusted_proxy_that_names_no_address_is_told(named: str) -> None:
    message = Message(headers={"X-Forwarded-For": named}, peer="10.0.0.1", settings={"trusted_proxies": ["10.0.0.0/8"]})
    assert refused(message).rule == "HTTP-013"


@pytest.mark.parametrize(
    ("peer", "status"),
    [
        ("192.0.2.7", 0),
        ("::ffff:192.0.2.7", 0),
        ("2001:db8::7", 0),
        ("192.0.3.7", 403),
        ("2001:db9::7", 403),
        ("", 403),
    ],
)
def test_only_allowed_sources_may_push(peer: str, status: int) -> None:
    message = Message(peer=peer, settings={"allowed_sources": ["192.0.2.0/24", "2001:db8::/32"]})
    if status:
        told = refused(message)
        assert told.http_status == status
        assert peer in told.sentence
    else:
        assert admitted(message) == peer.removeprefix("::ffff:")


def basic(credential: str | bytes) -> str:
    return "Basic " + base64.b64encode(credential.encode() if isinstance(credential, str) else credential).decode()


@pytest.mark.parametrize("sent", [basic("vendor:open sesame"), basic("vendor:open sesame").replace("Basic", "bAsIc")])
def test_the_right_credential_is_admitted(sent: str) -> None:
    assert admitted(Message(headers={"Authorization": sent}, settings=USERS)) == "192.0.2.7"


@pytest.mark.parametrize(
    "sent",
    [
        None,
        "",
        "Basic",
        "Basic !",
        "Bearer dmVuZG9yOm9wZW4gc2VzYW1l",
        basic("vendor:open sesamE"),
        basic("vendor:"),
        basic("vendor"),
        basic("nobody:open sesame"),
        basic(b"vendor:\xff"),
        basic(f"vendor:{PASSWORD_HASH}"),
        [basic("vendor:open sesame"), basic("vendor:open sesame")],
    ],
)
def test_any_other_credential_is_401_with_a_challenge(sent: str | list[str] | None) -> None:
    told = refused(Message(headers={"Authorization": sent}, settings=USERS))
    assert told.http_status == 401
    assert told.headers == (("WWW-Authenticate", 'Basic realm="soapsvc", charset="UTF-8"'),)
    assert "sesam" not in told.sentence + told.found


def test_a_password_is_hashed_once_for_all_pushes_and_a_wrong_one_each_time(monkeypatch: pytest.MonkeyPatch) -> None:
    hashed: list[str] = []
    slow = credentials.check_password_hash

    def counted(pwhash: str, password: str) -> bool:
        hashed.append(password)
        return slow(pwhash, password)

    monkeypatch.setattr(credentials, "check_password_hash", counted)
    gate = HttpGate(OwnSettings(**USERS))
    right = Message(headers={"Authorization": basic("vendor:open sesame")}).head()
    for _ in range(5):
        gate.admit(right)
    assert hashed == ["open sesame"]
    for user in ("vendor", "nobody"):
        for _ in range(2):
            with pytest.raises(HttpRefused):
                gate.admit(Message(headers={"Authorization": basic(f"{user}:wrong")}).head())
    assert hashed == ["open sesame", *["wrong"] * 4], "an unknown user takes as long as a wrong password"


def test_a_source_that_guesses_is_not_believed_for_a_while_and_costs_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(credentials, "GUESSES", 2)
    monkeypatch.setattr(credentials, "GUESSES_SECONDS", 0.3)
    known = credentials.Credentials(OwnSettings(**USERS).basic_users)
    right, wrong = basic("vendor:open sesame"), basic("vendor:wrong")
    assert [known.hold(wrong, "192.0.2.1") for _ in range(2)] == [False, False]
    assert not known.hold(right, "192.0.2.1"), "the third guess is not looked at"
    assert known.hold(right, "192.0.2.2"), "another source is"
    assert known.hold(right, "192.0.2.1"), "and what was found right before"
    assert not known.hold(wrong, "192.0.2.1")
    again = credentials.Credentials(OwnSettings(**USERS).basic_users)
    for _ in range(2):
        again.hold(wrong, "192.0.2.1")
    time.sleep(0.35)
    assert again.hold(right, "192.0.2.1"), "the while is over"


MEDIA_TYPES = {
    "text/xml; charset=utf-8": "utf-8",
    'text/xml;charset="UTF-8"': "utf-8",
    'TEXT/XML ; Charset="utf\\-8" ; action="x;y"': "utf-8",
    "text/xml; charset=utf-16": "utf-16",
    "text/xml; charset=UTF-16LE": "utf-16-le",
    "text/xml; charset=us-ascii": "ascii",
    "text/xml; charset=ISO-8859-1": "iso8859-1",
    "text/xml; charset=windows-1252": "cp1252",
    "application/xml; charset=utf-8": "utf-8",
    "text/xml": None,
    "text/xml;": None,
    "text/xml; boundary=x": None,
    "text/xml; charset=utf-8; charset=utf-8": "utf-8",
}


@pytest.mark.parametrize("sent", MEDIA_TYPES)
def test_the_codec_is_that_of_the_charset_parameter(sent: str) -> None:
    head = Message(headers={"Content-Type": sent}).head()
    assert HttpGate(OwnSettings()).media_type(head).codec == MEDIA_TYPES[sent]


@pytest.mark.parametrize(
    ("sent", "rule"),
    [
        (None, "HTTP-009"),
        ("", "HTTP-009"),
        (["text/xml", "text/xml"], "HTTP-009"),
        ("text", "HTTP-009"),
        ("text/xml charset=utf-8", "HTTP-009"),
        ("text/xml; charset", "HTTP-009"),
        ('text/xml; charset="utf-8', "HTTP-009"),
        ("text/xml; charset=utf-8; charset=utf-16", "HTTP-009"),
        ("text/xml, text/xml", "HTTP-009"),
        ("text/plain", "HTTP-010"),
        ("application/soap+xml", "HTTP-010"),
        ("application/x-www-form-urlencoded", "HTTP-010"),
        ('multipart/related; type="text/xml"; boundary=x', "HTTP-010"),
        ("text/xml-external-parsed-entity", "HTTP-010"),
        ("text/xml; charset=punycode", "HTTP-011"),
        ("text/xml; charset=idna", "HTTP-011"),
        ("text/xml; charset=unicode_escape", "HTTP-011"),
        ("text/xml; charset=cp037", "HTTP-011"),
        ("text/xml; charset=utf-7", "HTTP-011"),
        ("text/xml; charset=rot13", "HTTP-011"),
        ("text/xml; charset=nonsense", "HTTP-011"),
        ('text/xml; charset=""', "HTTP-011"),
    ],
)
def test_any_other_content_type_is_415(sent: str | list[str] | None, rule: str) -> None:
    told = refused(Message(headers={"Content-Type": sent}))
    assert (told.rule, told.where) == (rule, "Content-Type")
    assert "text/xml" in told.sentence or "envelope alone" in told.sentence


def test_a_missing_content_type_is_told_how_curl_sends_one() -> None:
    assert "curl -H 'Content-Type: text/xml'" in refused(Message(headers={"Content-Type": None})).sentence


@pytest.mark.parametrize("sent", ["gzip", "deflate", "br", "identity, gzip", "x"])
def test_a_content_encoding_is_415(sent: str) -> None:
    told = refused(Message(headers={"Content-Encoding": sent}))
    assert (told.rule, told.where) == ("HTTP-012", "Content-Encoding")
    assert "Content-Encoding" in told.sentence


def test_what_a_soap_action_reads_is_noted_and_nothing_more() -> None:
    assert noted() == []
    assert noted(SOAPAction=None) == ["HTTP-023"]
    assert noted(SOAPAction="") == ["HTTP-023", "HTTP-024"]
    assert noted(SOAPAction='""') == ["HTTP-024"]
    assert noted(SOAPAction="basicInvoke") == ["HTTP-023"]
    assert noted(SOAPAction=['"basicInvoke"', '"basicInvoke"']) == ["HTTP-023"]
    assert noted(SOAPAction='"http://premconn.premiereconnect.com/2007/02"') == ["HTTP-024"]
    other = HttpGate(OwnSettings()).media_type(Message(headers={"SOAPAction": '"x"'}).head())
    assert other.deviations == (), "a gate that knows no contract compares with nothing"


def test_a_setting_adds_a_charset() -> None:
    head = Message(headers={"Content-Type": "text/xml; charset=Windows-1250"}).head()
    assert HttpGate(OwnSettings(extra_charsets=["windows-1250"])).media_type(head).codec == "cp1250"


@pytest.mark.parametrize(
    "name", ["punycode", "idna", "unicode_escape", "utf-7", "utf-32", "rot13", "base64", "zlib", "nonsense", "a\0"]
)
def test_a_setting_adds_no_charset_that_is_none(name: str) -> None:
    with pytest.raises(SettingsError, match="extra_charsets"):
        HttpGate(OwnSettings(extra_charsets=[name]))


@pytest.mark.parametrize("name", ["X-Api-Key", "X-Auth-Token", "Authentication", "cookie2", "X-Password"])
def test_a_header_that_carries_a_credential_by_its_name_is_recorded_without_it(name: str) -> None:
    assert (name, "***") in recorded_headers(Message(headers={name: "s3cr3t"}).head())


def test_credentials_are_not_recorded() -> None:
    message = Message(headers={"authorization": "Basic x", "Proxy-Authorization": "y", "COOKIE": "z"})
    recorded = dict(recorded_headers(message.head()))
    assert (recorded["authorization"], recorded["Proxy-Authorization"], recorded["COOKIE"]) == ("***", "***", "***")
    assert recorded["SOAPAction"] == '"basicInvoke"'


def test_a_header_in_a_sentence_is_printable_and_short() -> None:
    told = refused(Message(headers={"Content-Type": "a\x1b[31m\u202e" * 100}))
    assert "\x1b" not in told.sentence
    assert len(told.sentence) < 400
