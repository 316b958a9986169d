"""What `contract diff` says of two contracts is held against random messages, judged by libxml2 under both."""

from __future__ import annotations

import os
import random
import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st
from lxml import etree

from soapsvc.contract.compiled_schema import CompiledSchema
from soapsvc.contract.contract_difference import contract_difference
from soapsvc.contract.wsdl_document import WsdlDocument
from soapsvc.errors import ContractError
from soapsvc.shipped import WSDL_FILE
from tests.contract.instances import Instances, edited, edited_open

HARD = Path(__file__).parent / "hard.wsdl"
OPEN = Path(__file__).parent / "open.wsdl"
EDITS = int(os.environ.get("TEST_EXAMPLES", "30"))  # of each file, here and below
MESSAGES = 20  # by each contract


def valid(compiled: CompiledSchema, message: etree._Element) -> bool:
    with compiled.deciding() as schema:
        return schema.validate(message)


def messages(document: WsdlDocument, compiled: CompiledSchema, chance: random.Random) -> list[etree._Element]:
    """Pushes by a contract: those that libxml2 agrees to."""
    operation = document.operations[0]
    make = Instances(document.schema, chance)
    made = [make.element(document.schema.elements[operation.input_element]) for _ in range(MESSAGES)]
    return [message for message in made if valid(compiled, message)]


@pytest.mark.parametrize("source", [WSDL_FILE, HARD], ids=lambda source: source.name)
def test_whatever_the_class_of_an_edit_promises_is_so(source: Path, tmp_path: Path) -> None:
    chance = random.Random(20121104)
    old = WsdlDocument.load(source)
    compiled = CompiledSchema(old)
    sent = messages(old, compiled, chance)
    assert len(sent) > MESSAGES / 2, "the messages are made by the schema"
    refuted, said_no, shown = [], 0, 0
    for n in range(EDITS):
        path = tmp_path / f"{n}.wsdl"
        path.write_bytes(etree.tostring(edited(old.root, chance)))
        try:
            new = WsdlDocument.load(path)
            compiled_new = CompiledSchema(new)
        except ContractError:
            continue
        found = contract_difference(old, new)
        for name, promise, written, by, under in (
            ("old under new", found.old_valid_under_new, sent, compiled, compiled_new),
            ("new under old", found.new_valid_under_old, messages(new, compiled_new, chance), compiled_new, compiled),
        ):
            assert by is not under
            fits = [valid(under, message) for message in written]
            if promise is True and not all(fits):
                witness = etree.tostring(written[fits.index(False)])[:600]
                refuted.append((n, name, found.differences, witness))
            elif promise is False:
                said_no += 1
                shown += not all(fits)
    assert refuted == []
    assert said_no > EDITS / 4
    assert shown > said_no * 0.6, f"of {said_no} refusals {shown} were shown by a message"


SHIPPED = WsdlDocument.load(WSDL_FILE)
SHIPPED_COMPILED = CompiledSchema(SHIPPED)


OPENED = WsdlDocument.load(OPEN)
OPENED_COMPILED = CompiledSchema(OPENED)


@settings(max_examples=EDITS, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much])
@given(st.integers(min_value=0))
def test_no_message_with_xsi_type_wildcards_and_keys_refutes_the_class_of_an_edit(seed: int) -> None:
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edited.wsdl"
        path.write_bytes(etree.tostring(chance.choice([edited, edited_open])(OPENED.root, chance)))
        try:
            new = WsdlDocument.load(path)
            compiled = CompiledSchema(new)
        except ContractError:
            assume(False)
    found = contract_difference(OPENED, new)
    if found.old_valid_under_new:
        assert all(valid(compiled, message) for message in messages(OPENED, OPENED_COMPILED, chance))
    if found.new_valid_under_old:
        assert all(valid(OPENED_COMPILED, message) for message in messages(new, compiled, chance))


@settings(
    max_examples=EDITS // 2, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much]
)
@given(st.integers(min_value=0))
def test_no_message_refutes_the_class_of_an_edit(seed: int) -> None:
    """The same with hypothesis choosing, so that what it finds is tried again the next time."""
    chance = random.Random(seed)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "edited.wsdl"
        path.write_bytes(etree.tostring(edited(SHIPPED.root, chance)))
        try:
            new = WsdlDocument.load(path)
            compiled = CompiledSchema(new)
        except ContractError:
            assume(False)
    found = contract_difference(SHIPPED, new)
    if found.old_valid_under_new:
        assert all(valid(compiled, message) for message in messages(SHIPPED, SHIPPED_COMPILED, chance))
    if found.new_valid_under_old:
        assert all(valid(SHIPPED_COMPILED, message) for message in messages(new, compiled, chance))
