"""What is shown of a document: tables with their outcomes, sorted; and pages as images over the API."""

from __future__ import annotations

import pytest
from flask.testing import FlaskClient

from soapsvc.inbox.sql_store import SqlStore
from soapsvc.shipped import SAMPLES
from soapsvc.web.previews import Preview, Previews
from tests.inbox.making import STRICT, document_of, push
from tests.web.looking import Page

CSV = b"job,status,seconds\n1,Sent,9\n2,Busy,10\n3,Sent,\n4,Sent,x\n5,,100\n"


def preview(store: SqlStore, content: bytes, kind: str = "text/csv", sort: int = 0) -> Preview:
    push_id = store.accept(push(documents=(document_of(content, detected_type=kind),)), STRICT).id
    shown = Previews(store).of(push_id, store.stored(push_id).row.documents[0], sort)
    assert shown is not None
    return shown


def test_outcomes_are_counted_most_frequent_first(store: SqlStore) -> None:
    outcomes = preview(store, CSV).outcomes
    assert outcomes is not None
    assert (outcomes.column, outcomes.rows, outcomes.whole) == ("status", 5, True)
    assert outcomes.counts == (("Sent", 3), ("Busy", 1), ("(empty)", 1))


@pytest.mark.parametrize(
    "content", [b"a,b\n1,2\n", b"status\n" + b"".join(b"%d\n" % n for n in range(100)), b"status,x\n", b"x"]
)
def test_a_column_that_is_no_status_is_not_summed_up(store: SqlStore, content: bytes) -> None:
    assert preview(store, content).outcomes is None


@pytest.mark.parametrize(
    ("sort", "order"), [(0, "12345"), (3, "12534"), (-3, "43521"), (2, "52134"), (9, "12345"), (-9, "12345")]
)
def test_a_table_is_sorted_by_a_column_numbers_by_their_value(store: SqlStore, sort: int, order: str) -> None:
    assert "".join(row[0] for row in preview(store, CSV, sort=sort).rows) == order


@pytest.mark.parametrize("separator", [",", ";", "\t", "|"])
def test_the_separator_is_the_one_that_is_there(store: SqlStore, separator: str) -> None:
    shown = preview(store, CSV.replace(b",", separator.encode()))
    assert shown.head == ("job", "status", "seconds")


def test_the_page_has_the_chart_the_counts_and_links_that_sort(client: FlaskClient, store: SqlStore) -> None:
    push_id = store.accept(push(document=CSV), STRICT).id
    page = Page(client.get(f"/pushes/{push_id}"))
    assert "status of 5 rows" in page.text
    assert "Sent 3" in page.text
    assert [tag for tag, _ in page.elements].count("svg") == 1
    sorting = page.links("sort=3")[0]
    again = Page(client.get(sorting))
    assert again.text.index("2 Busy 10") < again.text.index("5  100") if "5  100" in again.text else True
    assert [attributes["aria-sort"] for _, attributes in again.elements if "aria-sort" in attributes] == ["ascending"]
    assert again.links("sort=-3")


def test_the_pages_of_a_fax_are_images_of_the_api(client: FlaskClient, store: SqlStore) -> None:
    (fax,) = [file for file in (SAMPLES / "decoded").iterdir() if file.suffix == ".tif"]
    document = document_of(fax.read_bytes(), filename="fax.tif", detected_type="image/tiff")
    push_id = store.accept(push(documents=(document,)), STRICT).id
    page = Page(client.get(f"/pushes/{push_id}"))
    sources = [attributes["src"] or "" for tag, attributes in page.elements if tag == "img" and attributes["alt"]]
    assert sources == [f"/api/v1/pushes/{push_id}/documents/1/pages/{n}" for n in (1, 2, 3)]
    image = client.get(sources[2])
    assert (image.status_code, image.mimetype) == (200, "image/png")
    assert image.data.startswith(b"\x89PNG")
    assert "sandbox" in image.headers["Content-Security-Policy"]
    assert client.get(sources[2], headers={"If-None-Match": image.headers["ETag"]}).status_code == 304
    for missing in ("4", "0", "-1", "x", "1e3"):
        assert client.get(f"/api/v1/pushes/{push_id}/documents/1/pages/{missing}").status_code == 404


def test_a_document_that_cannot_be_drawn_says_why_on_its_page(client: FlaskClient, store: SqlStore) -> None:
    document = document_of(b"%PDF-1.7 nothing", detected_type="application/pdf")
    push_id = store.accept(push(documents=(document,)), STRICT).id
    assert "The PDF cannot be read" in Page(client.get(f"/pushes/{push_id}")).text
