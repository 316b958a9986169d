"""Which pushes are the same push: docs/inbox.md has the reasons."""

from __future__ import annotations

from dataclasses import replace

import pytest

from soapsvc.inbox.idempotency import idempotency_key
from soapsvc.records import JobId, Push
from soapsvc.spool import Content
from tests.inbox.making import arrival, document_of, push

FIRST = push()
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


@pytest.mark.parametrize("other", NOT_THE_KEY.values(), ids=NOT_THE_KEY)
def test_what_an_attempt_changes_leaves_the_key_as_it_is(other: Push) -> None:
    assert idempotency_key(other) == idempotency_key(FIRST)


@pytest.mark.parametrize("other", ANOTHER_PUSH.values(), ids=ANOTHER_PUSH)
def test_what_makes_another_push_makes_another_key(other: Push) -> None:
    assert idempotency_key(other) != idempotency_key(FIRST)


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
    assert monday.fingerprint == tuesday.fingerprint
    assert idempotency_key(monday) != idempotency_key(tuesday)
    assert idempotency_key(monday) == idempotency_key(replace(monday, arrival=arrival(9)))


def test_neighbouring_fields_do_not_run_into_each_other() -> None:
    one, other = replace(FIRST, job=JobId("a", "bc")), replace(FIRST, job=JobId("ab", "c"))
    assert idempotency_key(one) != idempotency_key(other)
