"""The pages for people: the inbox, and one push."""

from __future__ import annotations

from dataclasses import replace

import pytest
from flask.testing import FlaskClient

from soapsvc.inbox.indexer import Indexer
from soapsvc.inbox.sql_store import SqlStore
from soapsvc.records import Conformance, Deviation, JobId, Property, Push, Verdict
from soapsvc.settings import OwnSettings
from soapsvc.spool import Content, Spool
from soapsvc.web.admin_app import admin_app
from soapsvc.web.desk import Desk
from tests.inbox.making import DEVIATION, MIB, REFUSED, STRICT, arrival, document_of, push, refused, spooled
from tests.web.looking import CONTRACT, Page, client_of

SCRIPT = "<script>alert(1)</script>"
ATTRIBUTE = '" onmouseover="alert(1)" x=\''


def page_of(client: FlaskClient, push_id: str | None) -> Page:
    return Page(client.get(f"/pushes/{push_id}"))


def previewed(client: FlaskClient, store: SqlStore, content: bytes, **described: str | None) -> Page:
    """The page of a push with this document."""
    return page_of(client, store.accept(push(documents=(document_of(content, **described),)), STRICT).id)


# The inbox ------------------------------------------------------------------------------------------------------------


def test_an_empty_inbox_says_how_to_push_the_first(client: FlaskClient) -> None:
    page = Page(client.get("/"))
    assert "Nothing has come in yet" in page.text
    assert "soapsvc push report.csv --to http://127.0.0.1:8080/push" in page.text
    assert "0 accepted · 0 quarantined" in page.text


@pytest.mark.parametrize(
    ("settings", "url"),
    [
        ({"listen": "127.0.0.1:9999"}, "http://127.0.0.1:9999/push"),
        ({"public_url": "https://push.example.com/push"}, "https://push.example.com/push"),
    ],
)
def test_an_empty_inbox_names_the_address_that_this_receiver_has(store: SqlStore, settings: dict, url: str) -> None:
    page = Page(client_of(store, **settings).get("/"))
    assert f"@samples/sampleReport.xml {url}" in page.text
    assert f"soapsvc push report.csv --to {url}" in page.text


def test_the_inbox_has_a_row_for_each_push_and_a_way_to_it(client: FlaskClient, store: SqlStore) -> None:
    ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in (1, 2)]
    page = Page(client.get("/"))
    assert page.links("/pushes/") == [f"/pushes/{ids[1]}", f"/pushes/{ids[0]}"]
    for shown in (
        "2026-11-23 12:00:01Z",
        "test2:1",
        "Delivery report - job 1",
        "report_1.csv",
        "192.0.2.7",
        "accepted",
    ):
        assert shown in page.text


def test_the_inbox_shows_what_is_not_as_usual(client: FlaskClient, store: SqlStore) -> None:
    first = push()
    store.accept(first, STRICT)
    store.accept(replace(first, arrival=arrival(1)), STRICT)
    store.accept(push(document=b"other content", arrival=arrival(2)), STRICT)
    store.quarantine(refused(b"<junk/>", seconds=3))
    page = Page(client.get("/"))
    assert "2 accepted · 1 quarantined · 1 redelivered · 1 in conflict" in page.text
    assert "accepted redelivered 1×" in page.text
    assert "accepted conflict" in page.text
    assert "quarantined 1 deviation" in page.text
    assert "raw 7 bytes" in page.text


def test_a_state_alone_is_shown_when_asked_for(client: FlaskClient, store: SqlStore) -> None:
    accepted, quarantined = store.accept(push(), STRICT).id, store.quarantine(refused(b"<junk/>"))
    assert Page(client.get("/?state=accepted")).links("/pushes/") == [f"/pushes/{accepted}"]
    assert Page(client.get("/?state=quarantined")).links("/pushes/") == [f"/pushes/{quarantined}"]
    current = [
        attributes for _, attributes in Page(client.get("/?state=accepted")).elements if "aria-current" in attributes
    ]
    assert "/?state=accepted" in [attributes["href"] for attributes in current]
    assert "/?state=quarantined" not in [attributes["href"] for attributes in current]


def test_a_state_that_nothing_has_is_said_to_be_empty(client: FlaskClient, store: SqlStore) -> None:
    store.accept(push(), STRICT)
    page = Page(client.get("/?state=quarantined"))
    assert "Nothing quarantined yet" in page.text
    assert "curl" not in page.text


def test_older_pushes_are_a_link_away_until_there_are_none(client: FlaskClient, store: SqlStore) -> None:
    ids = [store.accept(push(mrn, arrival=arrival(mrn)), STRICT).id for mrn in range(4)][::-1]
    seen, url = [], "/?limit=2&state=accepted"
    while url:
        page = Page(client.get(url))
        seen.append([link.removeprefix("/pushes/") for link in page.links("/pushes/")])
        (url,) = page.links("before=") or [""]
        assert not url or ("limit=2" in url and "state=accepted" in url)
    assert seen == [ids[:2], ids[2:]]


def test_before_the_oldest_there_is_nothing_and_the_page_does_not_ask_for_a_first_push(
    client: FlaskClient, store: SqlStore
) -> None:
    push_id = store.accept(push(), STRICT).id
    page = Page(client.get(f"/?before={push_id}"))
    assert "Nothing older" in page.text
    assert "curl" not in page.text


# One push -------------------------------------------------------------------------------------------------------------


def test_the_page_of_an_accepted_push_shows_all_of_it(client: FlaskClient, store: SqlStore) -> None:
    sent = push(document=b"reference,status\nINV-1,Sent\n")
    push_id = store.accept(sent, STRICT).id
    page = page_of(client, push_id)
    assert page.links("/api/v1/") == [f"/api/v1/pushes/{push_id}/raw", f"/api/v1/pushes/{push_id}/documents/1"]
    for shown in (
        "Delivery report - job 1000001 accepted", "2026-11-23 12:00:00Z from 192.0.2.7", "Job test2:1000001",
        "Submit id S1000001", "Status code 0", "Processing id 0A000001-0001-1000001", sent.raw.sha256,
        "nothing deviates", "reference status INV-1 Sent", sent.documents[0].content.sha256,
        "sent as USER/orig_email_subject", "2012-11-04T13:05:45Z", "X-Twice",
    ):  # fmt: skip
        assert shown.replace(" ", "") in page.text.replace(" ", ""), shown
    for absent in ("redelivered", "conflict", "refused"):
        assert absent not in page.text


def test_the_page_of_a_redelivered_push_tells_each_arrival(client: FlaskClient, store: SqlStore) -> None:
    sent = push()
    push_id = store.accept(sent, STRICT).id
    for seconds in (60, 120):
        store.accept(replace(sent, arrival=arrival(seconds, "198.51.100.9")), STRICT)
    page = page_of(client, push_id)
    assert "redelivered 2×" in page.text
    for arrival_told in ("2026-11-23 12:01:00Z redelivered from 198.51.100.9", "2026-11-23 12:02:00Z redelivered"):
        assert arrival_told in page.text


def test_the_page_of_a_conflict_leads_to_the_push_that_was_first(client: FlaskClient, store: SqlStore) -> None:
    first = store.accept(push(), STRICT).id
    second = store.accept(push(document=b"other content", arrival=arrival(5)), STRICT).id
    page = page_of(client, second)
    assert f"/pushes/{first}" in page.links("/pushes/")
    assert f"the same job as {first}, with other content" in page.text


def test_the_list_is_there_when_the_index_is_not(store: SqlStore) -> None:
    accepted = store.accept(push(1), STRICT).id
    index = store.search_index()
    index.facets()
    store.companion("index").write_bytes(b"this is no database" * 500)
    client = admin_app(OwnSettings(), store, CONTRACT, Desk(index)).test_client()
    assert Page(client.get("/?state=accepted")).links("/pushes/") == [f"/pushes/{accepted}"]
    searched = client.get("/?q=weekly")
    assert (searched.status_code, "search index cannot be used now" in searched.text) == (503, True)


def test_the_job_of_a_push_leads_to_all_pushes_of_that_job(store: SqlStore) -> None:
    ids = [
        store.accept(push(n, document, arrival=arrival(n)), STRICT).id
        for n, document in ((1, b"a"), (1, b"b"), (2, b"c"))
    ]
    index = store.search_index()
    Indexer(store, index, 1000).catch_up()
    client = admin_app(OwnSettings(), store, CONTRACT, Desk(index)).test_client()
    (link,) = page_of(client, ids[0]).links("/?q=")
    assert sorted(Page(client.get(link)).links("/pushes/")) == sorted(f"/pushes/{one}" for one in ids[:2])


def test_the_page_of_a_quarantined_push_says_what_it_was_refused_for(client: FlaskClient, store: SqlStore) -> None:
    noted = Deviation("HTTP-021", "Content-Type", None, "no charset parameter", "charset=utf-8")
    verdict = Verdict(Conformance.STRICT, CONTRACT, (noted, DEVIATION), (DEVIATION,))
    push_id = store.quarantine(replace(refused(b"<Envelope/>", read=push()), verdict=verdict))
    page = page_of(client, push_id)
    for shown in (
        "quarantined", "2 deviations, refused for 1 of them. Held strict against the contract c0ffee000000",
        "MRN reads 44a", "digits",
        "line 7 /soapenv:Envelope/soapenv:Body", "Of what was refused the raw envelope alone is kept",
    ):  # fmt: skip
        assert shown in page.text
    assert page.text.count("refused for this") == 1
    assert (
        page.text.index("refused for this") < page.text.index("MRN reads 44a") < page.text.index("no charset parameter")
    )
    assert page.links("/api/v1/") == [f"/api/v1/pushes/{push_id}/raw"]


def test_the_page_of_a_push_that_came_out_of_quarantine_tells_why_it_was_there(
    client: FlaskClient, store: SqlStore
) -> None:
    push_id = str(store.quarantine(refused(push().raw.inline or b"", read=push())))
    store.accept_kept(push_id, push(), Verdict(Conformance.OBSERVE, CONTRACT))
    page = page_of(client, push_id)
    now, earlier = page.text.split("History")
    assert "nothing deviates Held observe against the contract c0ffee000000" in now
    assert "2026-11-23 12:00:00Z judged strict against cccccccccccc earlier verdict: 1 deviation" in earlier
    assert earlier.count("refused for this") == 1
    assert f"/api/v1/pushes/{push_id}/documents/1" in page.links("/api/v1/")


def test_the_page_of_input_that_could_not_be_read_shows_what_there_is(client: FlaskClient, store: SqlStore) -> None:
    page = page_of(client, store.quarantine(refused(b"\0\xff not XML")))
    assert "none named" in page.text
    assert "10 bytes" in page.text
    assert "Documents" not in page.text


def test_a_push_with_nothing_in_it_has_a_page(client: FlaskClient, store: SqlStore) -> None:
    bare = push(
        job=None, submit_id=None, status_code=None, processing_id=None, documents=(), properties=(), header_blocks={},
        arrival=replace(arrival(), http_headers=()),
    )  # fmt: skip
    push_id = store.accept(bare, STRICT).id
    assert "none named" in page_of(client, push_id).text
    assert Page(client.get("/")).links("/pushes/") == [f"/pushes/{push_id}"]


@pytest.mark.parametrize("job", [JobId("test2", None), JobId(None, "7")])
def test_half_a_job_number_is_shown_as_half(client: FlaskClient, store: SqlStore, job: JobId) -> None:
    push_id = store.accept(push(job=job), STRICT).id
    assert f"{job.xdn or ''}:{job.mrn or ''}" in page_of(client, push_id).text


def test_properties_of_one_document_stand_with_it(client: FlaskClient, store: SqlStore) -> None:
    document = document_of(b"a", properties=(Property("PageCount", "PageCount", None, "12"),))
    page = page_of(client, store.accept(push(documents=(document,)), STRICT).id)
    assert "PageCount: 12" in page.text


# The first lines of a document ----------------------------------------------------------------------------------------


def test_the_first_lines_of_a_csv_document_are_a_table(client: FlaskClient, store: SqlStore) -> None:
    content = b'name,note\n"M\xc3\xbcller, A","said ""no"""\n' + b"x,y\n" * 300
    page = previewed(client, store, content)
    assert [tag for tag, _ in page.elements].count("tr") == 1 + 200
    assert "Müller, A" in page.text
    assert 'said "no"' in page.text
    assert "The beginning; the whole is a download." in page.text


@pytest.mark.parametrize(
    ("content", "charset", "encoding"),
    [
        ("Grüße".encode(), "UTF-8", "base64"),
        ("Grüße".encode("latin-1"), "ISO-8859-1", "base64"),
        ("Grüße".encode("utf-16"), "utf-16", "base64"),
        ("Grüße".encode("utf-8-sig"), "UTF-8", "base64"),
        ("Grüße".encode(), None, "base64"),
        ("Grüße".encode(), "ISO-8859-1", "text"),
    ],
)
def test_the_first_lines_are_read_in_the_charset_that_was_sent(
    client: FlaskClient, store: SqlStore, content: bytes, charset: str | None, encoding: str
) -> None:
    page = previewed(client, store, content, charset=charset, encoding=encoding, detected_type="text/plain")
    assert page.texts_of("pre") == ["Grüße"]


@pytest.mark.parametrize(
    "charset",
    [
        "no-such-charset",
        "rot13",
        "hex",
        "base64",
        "zlib",
        "idna",
        "punycode",
        "undefined",
        "unicode_escape",
        "../x",
        "",
    ],
)
@pytest.mark.parametrize("content", [b"plain text", b"\xff\xfe\\x \\N{"])
def test_a_charset_that_is_none_takes_no_page_away(
    client: FlaskClient, store: SqlStore, charset: str, content: bytes
) -> None:
    previewed(client, store, content, charset=charset, detected_type="text/plain")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\n",
        b'"',
        b'a,"b\nc',
        b"\r\r\r",
        b"\0,\0\n",
        b"a" * 100_000,
        b"\xff" * 9000,
        b",\n" * 9000,
        "ü".encode() * 9000,
    ],
)
@pytest.mark.parametrize("detected_type", ["text/csv", "text/plain", "text/html"])
def test_odd_text_takes_no_page_away(client: FlaskClient, store: SqlStore, content: bytes, detected_type: str) -> None:
    page = previewed(client, store, content, detected_type=detected_type)
    assert len(page.text) < 20_000


def test_only_the_first_lines_of_a_large_document_are_read(client: FlaskClient, store: SqlStore) -> None:
    with Spool(store.spool_directory) as spool:
        content = spooled(spool, [b"line of text\n" * 80_000] * 5)
        push_id = store.accept(push(documents=(document_of(content, detected_type="text/plain"),)), STRICT).id
    page = page_of(client, push_id)
    assert page.text.count("line of text") == 200
    assert content.size_bytes > 4 * MIB


@pytest.mark.parametrize("detected_type", ["application/pdf", "image/tiff", "application/zip", None])
def test_what_is_no_text_is_not_shown_as_text(client: FlaskClient, store: SqlStore, detected_type: str | None) -> None:
    page = previewed(client, store, b"%PDF-1.4 secret words", detected_type=detected_type)
    assert "secret words" not in page.text


# What a sender may have meant for the reader's browser ----------------------------------------------------------------


def hostile(text: str) -> Push:
    """A push that says the text wherever a sender can say something."""
    one = Property(text, text, text, text)
    document = document_of(
        f"{text},{text}\n{text},x\n".encode(), filename=text, doctype=text, properties=(one,), encoding="base64"
    )
    plain = document_of(text.encode(), n=2, filename=text, detected_type="text/html")
    return push(
        job=JobId(text, text), submit_id=text, status_code=text, processing_id=text, root="{urn:x}" + text,
        documents=(document, plain), raw=Content.of(text.encode()), header_blocks={text: text},
        properties=(one, Property("Subject", "Subject", None, text), Property("UserAccountNumber", "x", None, text)),
        arrival=replace(arrival(source_ip=text), http_headers=((text, text),)),
    )  # fmt: skip


@pytest.mark.parametrize(
    "text", [SCRIPT, ATTRIBUTE, "{{ 7 * 7 }}", "</title></style></pre><img src=x onerror=alert(1)>"]
)
@pytest.mark.parametrize("state", ["accepted", "quarantined"])
def test_hostile_text_is_text_on_every_page(client: FlaskClient, store: SqlStore, text: str, state: str) -> None:
    sent = hostile(text)
    deviation = Deviation(text, text, 1, text, text)
    verdict = Verdict(Conformance.STRICT, CONTRACT, (deviation,), (deviation,))
    if state == "accepted":
        push_id = store.accept(sent, Verdict(Conformance.OBSERVE, CONTRACT, (deviation,))).id
    else:
        push_id = store.quarantine(replace(refused(b"<junk/>", read=sent), verdict=verdict, arrival=sent.arrival))
    for path in ("/", f"/pushes/{push_id}"):
        page = Page(client.get(path))
        assert " ".join(text.split()) in page.text
        assert_only_ours(page)
        assert all(link.startswith(("/", "#")) for link in page.links())


@pytest.mark.parametrize("detected_type", ["text/html", "text/csv"])
def test_a_document_of_markup_is_shown_as_its_source(client: FlaskClient, store: SqlStore, detected_type: str) -> None:
    page = previewed(client, store, f"<html>{SCRIPT}</html>".encode(), detected_type=detected_type)
    assert f"<html>{SCRIPT}</html>" in page.text
    assert_only_ours(page)


def assert_only_ours(page: Page) -> None:
    """No element nor attribute that a sender could have meant for a browser; what is loaded is ours."""
    assert not {"iframe", "style", "object", "embed", "base"} & {tag for tag, _ in page.elements}
    assert not [name for name in page.attributes() if name.startswith("on") or name == "style"]
    loaded = [attributes["src"] for _, attributes in page.elements if "src" in attributes]
    assert set(loaded) == {"/static/page.js", "/static/icon.svg"}
    assert [tag for tag, _ in page.elements].count("script") == 1
    assert all(
        (attributes["action"] or "").startswith("/") for _, attributes in page.elements if "action" in attributes
    )


def test_a_page_loads_its_style_sheet_and_nothing_else(client: FlaskClient, store: SqlStore) -> None:
    store.accept(push(), REFUSED)
    page = Page(client.get("/"))
    assert [attributes["href"] for tag, attributes in page.elements if tag == "link"] == [
        "/static/icon.svg",
        "/static/style.css",
    ]
    style = client.get("/static/style.css")
    assert (style.status_code, style.mimetype) == (200, "text/css")
    assert "url(" not in style.text
    assert "@import" not in style.text


def test_a_value_of_a_megabyte_is_shown_in_its_beginning(client: FlaskClient, store: SqlStore) -> None:
    long = "x" * MIB
    read = push(
        job=JobId(long, long), submit_id=long, processing_id=long, root=f"{{{long}}}a", header_blocks={long: long},
        documents=(document_of(b"a", filename=long, doctype=long, properties=(Property(long, long, long, long),)),),
        properties=tuple(Property(name, name, long, long) for name in ("Subject", "UserAccountNumber", long)),
    )  # fmt: skip
    ids = [store.accept(read, STRICT).id, store.quarantine(refused(b"<a/>", read=read))]
    for path in ("/", *(f"/pushes/{one}" for one in ids), *(f"/pushes/{one}/raw" for one in ids)):
        answer = client.get(path)
        assert answer.status_code == 200
        assert len(answer.data) < MIB / 4, path
        assert "more characters" in answer.text, path
    assert store.stored(ids[0]).properties[0].value == long, "it is kept whole"


def test_an_account_of_a_megabyte_is_not_offered_as_a_filter(store: SqlStore) -> None:
    for n, account in ((1, "2000002"), (2, "x" * MIB)):
        store.accept(push(n, properties=(Property("UserAccountNumber", "UserAccountNumber", None, account),)), STRICT)
    index = store.search_index()
    Indexer(store, index, 1000).catch_up()
    answer = admin_app(OwnSettings(), store, CONTRACT, Desk(index)).test_client().get("/")
    assert '<option value="2000002">' in answer.text
    assert len(answer.data) < MIB / 4


def test_of_very_many_deviations_the_first_are_shown_and_all_are_counted(client: FlaskClient, store: SqlStore) -> None:
    found = tuple(replace(DEVIATION, line=n, found=f"number {n:04}") for n in range(1, 1001))
    verdict = Verdict(Conformance.STRICT, CONTRACT, found, found)
    raw = b"<a>" + b"\n" * 1100 + b"</a>"
    page = page_of(client, store.quarantine(replace(refused(raw, read=push()), verdict=verdict)))
    assert "Refused for 1000 deviations" in page.text
    assert "number 0200" in page.text
    assert "number 0201" not in page.text
    assert "800 more deviations are in" in page.text


@pytest.mark.parametrize(
    "place", ["file:///srv/drop", "imaps://reports@mail.example.com/INBOX", "mbox:/var/mail/reports"]
)
def test_the_place_of_a_backup_leads_to_what_was_taken_in_there(store: SqlStore, place: str) -> None:
    for n in (1, 2):
        store.accept(push(n, arrival=arrival(n)), STRICT)
    taken = store.accept(push(3, arrival=replace(arrival(3), source_ip=place)), STRICT).id
    index = store.search_index()
    Indexer(store, index, 1000).catch_up()
    client = admin_app(OwnSettings(), store, CONTRACT, Desk(index)).test_client()
    for path in ("/", f"/pushes/{taken}", "/overview?days=30"):
        links = [link for link in Page(client.get(path)).links("source=") if "192.0.2" not in link]
        assert links, path
        for link in links:
            assert Page(client.get(link)).links("/pushes/") == [f"/pushes/{taken}"]
    refused = client.get("/?source=nowhere")
    assert (refused.status_code, "file:///srv/backup" in refused.text) == (400, True)
