"""Judges an HTTP request by its head: may a push come in this way, and in which charset.

`admit` needs no body, so a server may ask it before it reads one. `media_type` is asked when the body is in: what it
refuses is a message that somebody sent and that is kept.
"""

from __future__ import annotations

import re
from collections.abc import Container, Iterable, Sequence
from dataclasses import dataclass
from functools import lru_cache

from soapsvc.credentials import Credentials
from soapsvc.errors import HttpRefused
from soapsvc.records import Deviation
from soapsvc.secret_names import MASK, is_secret_header
from soapsvc.settings import Settings
from soapsvc.wire.charsets import Charsets, in_basic_profile
from soapsvc.wire.http_messages import RequestHead
from soapsvc.wire.source_address import UnclearSource, contains, source_ip

PUSH_PATH = "/push"
REALM = 'Basic realm="soapsvc", charset="UTF-8"'
MAX_SHOWN_CHARS = 80  # of a header's value in a sentence

_WORD = r"[!#$%&'*+.^_`|~0-9A-Za-z-]+"
_MEDIA_TYPE = re.compile(rf"[ \t]*(?P<type>{_WORD}/{_WORD})")
_NEXT_PARAMETER = re.compile(r"[ \t]*;[ \t]*")
_PARAMETER = re.compile(rf'(?P<name>{_WORD})=(?:(?P<token>{_WORD})|"(?P<quoted>(?:[^"\\]|\\.)*)")')
_LENGTH = re.compile(r"[0-9]{1,18}")
_SEND_TEXT_XML = "send the SOAP 1.1 envelope with the header Content-Type: text/xml; charset=utf-8"


@dataclass(frozen=True, slots=True)
class MediaType:
    """What the Content-Type says of the body.

    codec       Python's name of the charset; None: it names none, so the body itself decides
    deviations  from the HTTP rules that are told and not refused
    """

    codec: str | None
    deviations: tuple[Deviation, ...]


class HttpGate:
    """Admits requests by the settings.

    soap_actions  of the contract's operations, without quotes; empty: SOAPAction is compared with nothing
    files         paths at which the schema files beside the WSDL are to be had
    """

    def __init__(self, settings: Settings, soap_actions: Iterable[str] = (), files: Container[str] = ()):
        self._settings = settings
        self._charsets = Charsets(settings.extra_charsets)
        self._credentials = Credentials(settings.basic_users)
        self._soap_actions, self._files = frozenset(soap_actions), files
        self._media_type = lru_cache(maxsize=64)(self._media_type_of)  # a sender's headers are the same each time

    def admit(self, head: RequestHead) -> str:
        """The source's IP address, when the request may come in.

        Order   framing, route, source address, credential, length, expectation
        Errors  HttpRefused: 400, 401, 403, 404, 405, 411, 413, 417
        """
        length = _framed_length(head)
        source = self._source(head)
        if self._route(head) == "push":
            self._hold_source(source)
            self._hold_credential(head, source)
            self._hold_length(head, length)
            _hold_expectation(head)
        return source

    def _route(self, head: RequestHead) -> str:
        """ "push", "wsdl" or "file". Errors: HttpRefused 404, 405."""
        asks_wsdl = head.query.lower() == "wsdl"
        if head.path != PUSH_PATH and head.path in self._files and not head.query:
            if head.method in ("GET", "HEAD"):
                return "file"
            raise _wrong_method(head, head.path, "GET, HEAD", f"a push is sent to {PUSH_PATH}")
        if head.path != PUSH_PATH or (head.query and not asks_wsdl):
            shown = _shown(head.path + (f"?{head.query}" if head.query else ""))
            sentence = f"There is nothing at {shown}; send a push to {PUSH_PATH}, ask for the WSDL at {PUSH_PATH}?wsdl."
            raise HttpRefused(404, "HTTP-001", sentence, found=shown, wanted=PUSH_PATH)
        if asks_wsdl:
            if head.method in ("GET", "HEAD"):
                return "wsdl"
            raise _wrong_method(
                head, f"{PUSH_PATH}?wsdl", "GET, HEAD", f"GET gives the WSDL, POST {PUSH_PATH} takes a push"
            )
        if head.method == "POST":
            return "push"
        raise _wrong_method(head, PUSH_PATH, "POST", f"POST takes a push, GET {PUSH_PATH}?wsdl gives the WSDL")

    def media_type(self, head: RequestHead) -> MediaType:
        """The charset of a body, and what is to be told of Content-Type and SOAPAction.

        Errors  HttpRefused 415: Content-Encoding, media type or charset is not one that is read here.
        """
        sent = head.values
        return self._media_type(tuple(sent("Content-Encoding")), tuple(sent("Content-Type")), tuple(sent("SOAPAction")))

    def _media_type_of(
        self, encodings: tuple[str, ...], types: tuple[str, ...], soap_actions: tuple[str, ...]
    ) -> MediaType:
        _hold_content_encoding(encodings)
        media_type, parameters = _content_type(types)
        deviations = []
        if media_type == "application/xml":
            deviations.append(Deviation("HTTP-020", "Content-Type", None, media_type, "text/xml"))
        elif media_type != "text/xml":
            raise _not_text_xml(media_type)
        codec = None
        if (charset := parameters.get("charset")) is None:
            wanted = "charset=utf-8; without it byte order mark or XML declaration decide"
            deviations.append(Deviation("HTTP-021", "Content-Type", None, "no charset parameter", wanted))
        else:
            codec = self._charsets.codec(charset)
            if codec is None:
                raise _refused_type(
                    "HTTP-011",
                    f"the Content-Type names charset={_shown(charset)}",
                    self._charsets.taken,
                    "send the message in UTF-8 with Content-Type: text/xml; charset=utf-8",
                )
            if not in_basic_profile(codec):
                found = f"charset={_shown(charset)}"
                deviations.append(Deviation("HTTP-022", "Content-Type", None, found, "UTF-8 or UTF-16"))
        deviations += self._soap_action_deviations(soap_actions)
        return MediaType(codec, tuple(deviations))

    def _source(self, head: RequestHead) -> str:
        try:
            return source_ip(head, self._settings.trusted_proxies)
        except UnclearSource as unclear:
            sentence = (
                f"The header X-Forwarded-For holds {_shown(unclear.found)} where the sender's IP address is wanted; "
                "let the proxy append the address of its client."
            )
            raise HttpRefused(
                400, "HTTP-013", sentence, where="X-Forwarded-For", found=_shown(unclear.found), wanted="an IP address"
            ) from None

    def _hold_source(self, source: str) -> None:
        allowed = self._settings.allowed_sources
        if allowed and not contains(allowed, source):
            shown = source or "that is not known"
            sentence = (
                f"The address {shown} may not push here; ask whoever runs this receiver to add it to allowed_sources."
            )
            raise HttpRefused(403, "HTTP-007", sentence, found=shown, wanted="an address in allowed_sources")

    def _hold_credential(self, head: RequestHead, source: str) -> None:
        if not self._credentials.wanted:
            return
        sent = head.values("Authorization")
        if len(sent) == 1 and self._credentials.hold(sent[0], source):
            return
        found = "no Authorization header" if not sent else "a credential that is not valid here"
        sentence = f"The request has {found}; send the user name and password agreed on by HTTP Basic authentication."
        challenge = (("WWW-Authenticate", REALM),)
        raise HttpRefused(
            401, "HTTP-008", sentence, challenge, where="Authorization", found=found, wanted="HTTP Basic authentication"
        )

    def _hold_length(self, head: RequestHead, length: int | None) -> None:
        if length is None:
            if head.values("Transfer-Encoding"):
                return
            sentence = "The request tells no length of its body; send Content-Length, or Transfer-Encoding: chunked."
            raise HttpRefused(411, "HTTP-004", sentence, found="no Content-Length", wanted="Content-Length")
        limit = self._settings.max_envelope_bytes
        if length > limit:
            sentence = (
                f"The body of {length} bytes is larger than the {limit} that are taken here; send the documents in "
                "several pushes, or ask whoever runs this receiver to raise max_envelope_bytes."
            )
            raise HttpRefused(
                413, "HTTP-005", sentence, where="Content-Length", found=f"{length} bytes", wanted=f"at most {limit}"
            )

    def _soap_action_deviations(self, sent: Sequence[str]) -> list[Deviation]:
        value = sent[0].strip() if sent else ""
        quoted = len(value) > 1 and value[0] == value[-1] == '"' and '"' not in value[1:-1]
        deviations = []
        if len(sent) != 1 or not quoted:
            found = f"{len(sent)} of them" if len(sent) > 1 else _shown(value) if sent else "no SOAPAction header"
            wanted = 'one header SOAPAction with its value in quotes, "" if there is none'
            deviations.append(Deviation("HTTP-023", "SOAPAction", None, found, wanted))
        if sent and self._soap_actions and value.strip('"') not in self._soap_actions:
            wanted = " or ".join(f'"{action}"' for action in sorted(self._soap_actions))
            deviations.append(Deviation("HTTP-024", "SOAPAction", None, _shown(value), wanted))
        return deviations


def recorded_headers(head: RequestHead) -> tuple[tuple[str, str], ...]:
    """The HTTP headers as they may be stored: credentials as ***."""
    return tuple((name, MASK if is_secret_header(name) else value) for name, value in head.http_headers)


def _wrong_method(head: RequestHead, where: str, allowed: str, hint: str) -> HttpRefused:
    sentence = f"{where} does not take the method {_shown(head.method)}; {hint}."
    return HttpRefused(405, "HTTP-002", sentence, (("Allow", allowed),), found=_shown(head.method), wanted=allowed)


def _framed_length(head: RequestHead) -> int | None:
    """The Content-Length; None: there is none. Errors: HttpRefused 400 for what two servers could read in two ways."""
    lengths, codings = head.values("Content-Length"), head.values("Transfer-Encoding")
    wanted = "one Content-Length in digits, or Transfer-Encoding: chunked, and not both"
    found = None
    if lengths and codings:
        found = "both Content-Length and Transfer-Encoding"
    elif len(lengths) > 1:
        found = f"{len(lengths)} Content-Length headers"
    elif lengths and not _LENGTH.fullmatch(lengths[0].strip(" \t")):
        found = f"Content-Length: {_shown(lengths[0])}"
    elif codings and [coding.strip(" \t").lower() for coding in codings] != ["chunked"]:
        found = f"Transfer-Encoding: {_shown(', '.join(codings))}"
    if found is not None:
        sentence = f"The request has {found}, so where its body ends is not clear; send {wanted}."
        raise HttpRefused(400, "HTTP-003", sentence, found=found, wanted=wanted)
    return int(lengths[0]) if lengths else None


def _hold_expectation(head: RequestHead) -> None:
    for sent in head.values("Expect"):
        if sent.strip().lower() != "100-continue":
            sentence = f"The request expects {_shown(sent)}; nothing but 100-continue can be expected here."
            raise HttpRefused(417, "HTTP-006", sentence, where="Expect", found=_shown(sent), wanted="100-continue")


def _hold_content_encoding(encodings: Sequence[str]) -> None:
    codings = [coding.strip() for sent in encodings for coding in sent.split(",")]
    if used := [coding for coding in codings if coding.lower() not in ("", "identity")]:
        found = f"Content-Encoding: {_shown(', '.join(used))}"
        sentence = f"The request has {found}; send the message as it is, without a Content-Encoding."
        raise HttpRefused(
            415, "HTTP-012", sentence, where="Content-Encoding", found=found, wanted="no Content-Encoding"
        )


def _content_type(types: Sequence[str]) -> tuple[str, dict[str, str]]:
    """Media type in lower case, and its parameters by lower-case name (RFC 9110, 8.3.1)."""
    sent = [value for value in types if value.strip()]
    if len(sent) != 1:
        found = f"{len(sent)} Content-Type headers" if sent else "no Content-Type header"
        curl = "curl -H 'Content-Type: text/xml' --data-binary @FILE"
        raise _refused_type("HTTP-009", f"the request has {found}", "one", f"{_SEND_TEXT_XML} ({curl})")
    value = sent[0].strip(" \t")
    found_type = _MEDIA_TYPE.match(value)
    parameters: dict[str, str] = {}
    position = found_type.end() if found_type else 0
    while found_type and position < len(value):
        separator = _NEXT_PARAMETER.match(value, position)
        position = separator.end() if separator else position
        parameter = _PARAMETER.match(value, position)
        if separator is None or (parameter is None and position < len(value)):
            found_type = None
        elif parameter is not None:
            name = parameter["name"].lower()
            text = parameter["token"] if parameter["quoted"] is None else re.sub(r"\\(.)", r"\1", parameter["quoted"])
            if parameters.setdefault(name, text) != text:
                found_type = None  # two charsets: which one holds is not ours to guess
            position = parameter.end()
    if found_type is None:
        found = f"the Content-Type reads {_shown(value)}"
        raise _refused_type(
            "HTTP-009", found, "a media type and parameters that do not exclude each other", _SEND_TEXT_XML
        )
    return found_type["type"].lower(), parameters


def _not_text_xml(media_type: str) -> HttpRefused:
    found, advice = f"the Content-Type is {_shown(media_type)}", _SEND_TEXT_XML
    if media_type == "application/soap+xml":
        found += ", which is that of SOAP 1.2"
    elif media_type.startswith("multipart/"):
        found += ", with attachments, which the contract does not have"
        advice = "send the envelope alone, the documents in it, with the header Content-Type: text/xml; charset=utf-8"
    return _refused_type("HTTP-010", found, "text/xml", advice)


def _refused_type(rule: str, found: str, wanted: str, advice: str) -> HttpRefused:
    sentence = f"{found[0].upper()}{found[1:]}; wanted: {wanted}; {advice}."
    return HttpRefused(415, rule, sentence, where="Content-Type", found=found, wanted=wanted)


def _shown(value: str) -> str:
    """A value of the sender's in a sentence: printable, and not long."""
    value = "".join(character if character.isprintable() else "\ufffd" for character in value)
    return value if len(value) <= MAX_SHOWN_CHARS else value[: MAX_SHOWN_CHARS - 1] + "…"
