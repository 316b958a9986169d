"""Which pushes are the same push: docs/inbox.md has the reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from soapsvc.inbox.idempotency import content_digest, idempotency_key
from soapsvc.records import JobId, Property, Push
from soapsvc.spool import Content
from tests.inbox.making import arrival, document_of, push

FIRST = push()
SUBJECT, START_TIME = FIRST.properties
NOT_THE_KEY = {
    "arrival": replace(FIRST, arrival=arrival(5, "198.51.100.9")),
    "raw bytes": replace(FIRST, raw=Content.of(b"the same, indented otherwise")),
    "processing id, where there is a job": replace(FIRST, processing_id="another attempt"),
    "header blocks": replace(FIRST, header_blocks={}),
    "white space around the job": replace(FIRST, job=JobId(" test2", "1000001\n")),
}
ANOTHER_PUSH = {
    "job number": replace(FIRST, job=JobId("test2", "1000002")),
    "domain": replace(FIRST, job=JobId("xsi2", "1000001")),
    "submit id": replace(FIRST, submit_id="another"),
    "filename": replace(FIRST, documents=(replace(FIRST.documents[0], filename="final.csv"),)),
    "type": replace(FIRST, documents=(replace(FIRST.documents[0], doctype="PDF"),)),
    "one more document": replace(FIRST, documents=(*FIRST.documents, document_of(b"", 2))),
    "message": replace(FIRST, root="{urn:other}Result"),
}
OTHER_CONTENT = {
    "document": replace(FIRST, documents=(document_of(b"other", filename="report_1000001.csv"),)),
    "charset": replace(FIRST, documents=(replace(FIRST.documents[0], charset="ISO-8859-1"),)),
    "property": replace(FIRST, properties=(replace(SUBJECT, value="other"), START_TIME)),
    "one property less": replace(FIRST, properties=(SUBJECT,)),
    "one property twice": replace(FIRST, properties=(SUBJECT, SUBJECT, START_TIME)),
    "status": replace(FIRST, status_code="1"),
    "document's property": replace(FIRST, documents=(replace(FIRST.documents[0], properties=(SUBJECT,)),)),
}
SAME_CONTENT = {
    "order of the properties": replace(FIRST, properties=(START_TIME, SUBJECT)),
    "spelling of the name": replace(FIRST, properties=(replace(SUBJECT, sent_name="SUBJECT"), START_TIME)),
    "letter case of a name nobody knows": replace(FIRST, properties=(replace(SUBJECT, name="subject"), START_TIME)),
}  # fmt: skip


@pytest.mark.parametrize("other", NOT_THE_KEY.values(), ids=NOT_THE_KEY)
def test_what_an_attempt_changes_leaves_key_and_content_as_they_are(other: Push) -> None:
    assert idempotency_key(other) == idempotency_key(FIRST)
    assert content_digest(other) == content_digest(FIRST)


@pytest.mark.parametrize("other", ANOTHER_PUSH.values(), ids=ANOTHER_PUSH)
def test_what_makes_another_push_makes_another_key(other: Push) -> None:
    assert idempotency_key(other) != idempotency_key(FIRST)


@pytest.mark.parametrize("other", OTHER_CONTENT.values(), ids=OTHER_CONTENT)
def test_other_content_under_the_same_key(other: Push) -> None:
    assert idempotency_key(other) == idempotency_key(FIRST)
    assert content_digest(other) != content_digest(FIRST)


@pytest.mark.parametrize("other", SAME_CONTENT.values(), ids=SAME_CONTENT)
def test_the_same_content_written_otherwise(other: Push) -> None:
    assert content_digest(other) == content_digest(FIRST)


@pytest.mark.parametrize("job", [None, JobId(None, None), JobId("test2", None), JobId("test2", "  ")])
def test_a_job_without_a_number_identifies_nothing(job: JobId | None) -> None:
    one, other = replace(FIRST, job=job, processing_id="A"), replace(FIRST, job=job, processing_id="B")
    assert idempotency_key(one).startswith("processing-")
    assert idempotency_key(one) != idempotency_key(other)
    assert idempotency_key(one) == idempotency_key(replace(one, raw=Content.of(b"again")))


def test_without_job_and_processing_id_only_the_same_bytes_are_the_same_push() -> None:
    """Two empty CDR files of two days have the same content: merged, the second would be lost."""
    monday = replace(FIRST, job=None, processing_id=None)
    tuesday = replace(monday, raw=Content.of(b"another SubmissionTime"))
    assert content_digest(monday) == content_digest(tuesday)
    assert idempotency_key(monday) != idempotency_key(tuesday)
    assert idempotency_key(monday) == idempotency_key(replace(monday, arrival=arrival(9)))


def test_a_push_without_documents_is_compared_by_its_bytes() -> None:
    """Two failure notices of one job may differ in their StatusMessage alone."""
    one = replace(FIRST, documents=())
    assert content_digest(one) != content_digest(replace(one, raw=Content.of(b"another StatusMessage")))


def test_neighbouring_fields_do_not_run_into_each_other() -> None:
    one, other = replace(FIRST, job=JobId("a", "bc")), replace(FIRST, job=JobId("ab", "c"))
    assert idempotency_key(one) != idempotency_key(other)
    left, right = Property("a", "a", None, "bc"), Property("ab", "ab", None, "c")
    assert content_digest(replace(FIRST, properties=(left,))) != content_digest(replace(FIRST, properties=(right,)))
