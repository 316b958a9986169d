"""The shapes of the API's answers, as JSON Schema 2020-12; tests hold real answers against them."""

from __future__ import annotations

from typing import Any

from soapsvc.inbox.exchange import OUTCOMES
from soapsvc.inbox.push_id import ID_PATTERN
from soapsvc.records import Conformance, DropForm, PushKind, PushState
from soapsvc.rules import Severity, Stage
from soapsvc.states import DeliveryState
from soapsvc.web.asked import VIEWS
from soapsvc.web.learned_record import LearningState

Schema = dict[str, Any]


def nullable(schema: Schema) -> Schema:
    """The schema, or null."""
    return {"anyOf": [schema, {"type": "null"}]}


def listed(items: Schema) -> Schema:
    return {"type": "array", "items": items}


def whole(**properties: Schema) -> Schema:
    """An object that has all of these and nothing else."""
    return {
        "type": "object", "properties": properties, "required": list(properties), "additionalProperties": False,
    }  # fmt: skip


def ref(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


TEXT: Schema = {"type": "string"}
NUMBER: Schema = {"type": "number"}
COUNT: Schema = {"type": "integer", "minimum": 0}
YES: Schema = {"type": "boolean"}
TIME: Schema = {"type": "string", "format": "date-time"}
DIGEST: Schema = {"type": "string", "pattern": "^[0-9a-f]{64}$"}
PUSH_ID: Schema = {"type": "string", "pattern": f"^{ID_PATTERN}$"}
NAMED: Schema = {"type": "object", "additionalProperties": TEXT}
PAIRS: Schema = listed({"type": "array", "prefixItems": [TEXT, TEXT], "minItems": 2, "maxItems": 2})
STATE: Schema = {"type": "string", "enum": [state.value for state in PushState]}
KIND: Schema = {"type": "string", "enum": [kind.value for kind in PushKind]}
OUTCOME: Schema = {"type": "string", "enum": list(OUTCOMES)}
LINE: Schema = nullable({"type": "integer", "minimum": 1})

_DOCUMENT = whole(
    n={"type": "integer", "minimum": 1}, filename=nullable(TEXT), doctype=nullable(TEXT), size_bytes=COUNT,
    sha256=DIGEST, detected_type=nullable(TEXT), charset=nullable(TEXT), encoding=TEXT,
)  # fmt: skip
_ROW: dict[str, Schema] = {
    "id": PUSH_ID, "received_at": TIME, "state": STATE, "kind": KIND,
    "job": nullable(whole(xdn=nullable(TEXT), mrn=nullable(TEXT))), "source_ip": TEXT, "redeliveries": COUNT,
    "deviations": COUNT, "conflict_of": nullable(PUSH_ID), "raw_bytes": COUNT, "properties": NAMED,
    "documents": listed(ref("Document")),
    "origin": nullable(whole(
        source=TEXT, name=TEXT, form={"type": "string", "enum": [form.value for form in DropForm]}, at=nullable(TIME),
    )),
    "shares": listed(whole(id=PUSH_ID, same_report=YES)),
}  # fmt: skip
_PROPERTY = whole(
    name=TEXT, sent_name=TEXT, segment=nullable(TEXT), value=TEXT, at=nullable(TIME), b64charset=nullable(TEXT)
)
_VERDICT: dict[str, Schema] = {
    "at": TIME, "conformance": {"type": "string", "enum": [degree.value for degree in Conformance]},
    "contract_sha256": DIGEST, "deviations": listed(ref("Deviation")), "refused_for": listed(ref("Deviation")),
}  # fmt: skip
_EXCHANGE: dict[str, Schema] = {
    "n": COUNT, "at": TIME, "source_ip": TEXT, "peer": TEXT, "method": TEXT, "target": TEXT, "outcome": OUTCOME,
    "status": {"type": "integer"}, "milliseconds": NUMBER, "body_bytes": nullable(COUNT), "push_id": nullable(PUSH_ID),
    "answer_bytes": COUNT,
}  # fmt: skip
_COMPONENT = whole(
    depth=COUNT, name=TEXT, type=TEXT, occurs=TEXT, documentation=TEXT,
    mark=nullable({"type": "string", "enum": ["DOCUMENTED", "SIBLING", "INFERRED"]}),
)  # fmt: skip

_TARGET: dict[str, Schema] = {
    "name": TEXT, "paused_at": nullable(TIME), "pending": COUNT, "forwarding": COUNT, "dead": COUNT, "delivered": COUNT,
    "failed_attempts": COUNT, "oldest_at": nullable(TIME),
}  # fmt: skip
_TIMES = whole(pushes=COUNT, p50_ms=nullable(NUMBER), p95_ms=nullable(NUMBER), p99_ms=nullable(NUMBER))
_BOUNDS = whole(days=nullable(NUMBER), count=nullable(COUNT), bytes=nullable(COUNT))

SCHEMAS: dict[str, Schema] = {
    "Problem": whole(type=TEXT, status={"type": "integer"}, detail=TEXT),
    "Document": _DOCUMENT,
    "Push": whole(**_ROW),
    "Deviation": whole(rule=TEXT, path=TEXT, line=LINE, found=TEXT, wanted=TEXT, mark=nullable(TEXT)),
    "Property": _PROPERTY,
    "StoredPush": whole(
        **_ROW, root=nullable(TEXT), submit_id=nullable(TEXT), status_code=nullable(TEXT),
        processing_id=nullable(TEXT), verdict=whole(**_VERDICT, accepted=YES), history=listed(whole(**_VERDICT)),
        property_list=listed(ref("Property")),
        document_properties={"type": "object", "additionalProperties": listed(ref("Property"))}, header_blocks=NAMED,
        http_headers=PAIRS, raw_sha256=DIGEST, idempotency_key=nullable(TEXT),
        arrivals=listed(whole(received_at=TIME, source_ip=TEXT)), deliveries=listed(ref("Delivery")),
        held=nullable(whole(at=TIME, reason=TEXT)),
    ),
    "Delivery": whole(
        target=TEXT, state={"type": "string", "enum": [state.value for state in DeliveryState]}, attempts=COUNT,
        due_at=nullable(TIME),
        tried=listed(whole(n={"type": "integer", "minimum": 1}, at=TIME, outcome=TEXT, said=TEXT)),
    ),
    "Target": whole(**_TARGET),
    "KnownTarget": whole(**_TARGET, in_settings=YES, note=nullable(TEXT)),
    "TargetList": whole(targets=listed(ref("KnownTarget"))),
    "OfTarget": whole(name=TEXT, deliveries=COUNT),
    "Requeued": whole(id=PUSH_ID, targets=listed(TEXT)),
    "Retention": whole(accepted=_BOUNDS, quarantined=_BOUNDS, sentence=TEXT),
    "Lease": whole(lease=TEXT, held_until=TIME, attempt={"type": "integer", "minimum": 1}, push=ref("StoredPush")),
    "PushList": whole(pushes=listed(ref("Push")), next=nullable(PUSH_ID)),
    "Stats": whole(
        accepted=COUNT, quarantined=COUNT, redeliveries=COUNT, conflicts=COUNT, documents=COUNT, document_bytes=COUNT,
        quarantine_bytes=COUNT, oldest_received_at=nullable(TIME), newest_received_at=nullable(TIME),
        free_bytes=nullable(COUNT), targets=listed(ref("Target")),
    ),
    "JudgedAgain": whole(
        id=PUSH_ID, outcome={"type": "string", "enum": ["accepted", "redelivery", "conflict", "refused"]},
        of=nullable(PUSH_ID), refused_for=listed(TEXT),
    ),
    "Exchange": whole(**_EXCHANGE),
    "ExchangeList": whole(exchanges=listed(ref("Exchange")), next=nullable(COUNT)),
    "StoredExchange": whole(
        **_EXCHANGE, request_line=TEXT, http_headers=PAIRS, tls=PAIRS, answer_headers=PAIRS, answer_body=TEXT,
        stages=listed(whole(stage=TEXT, milliseconds=NUMBER)), curl=nullable(TEXT),
    ),
    "Overview": whole(
        since=TIME,
        hours=listed(whole(began_at=TIME, accepted=COUNT, quarantined=COUNT, documents=COUNT, document_bytes=COUNT,
                           raw_bytes=COUNT)),
        slot_hours={"type": "integer", "enum": [1, 24]},
        slots=listed(whole(began_at=TIME, accepted=COUNT, quarantined=COUNT, raw_bytes=COUNT, document_bytes=COUNT,
                           redeliveries=COUNT, acknowledgement=_TIMES)),
        acknowledgement=_TIMES,
        deviations=listed(whole(rule=TEXT, pushes=COUNT)),
        senders=listed(whole(source=TEXT, pushes=COUNT, first_at=TIME, last_at=TIME, silent_seconds=NUMBER)),
        stats=ref("Stats"),
    ),
    "Contract": whole(
        file_name=TEXT, sha256=TEXT, target_namespace=TEXT, is_shipped=YES,
        beside_shipped={"type": "string", "enum": ["identical", "compatible", "breaking"]},
        operations=listed(whole(
            name=TEXT, soap_action=TEXT, documentation=TEXT, one_way=YES, request=listed(ref("Component")),
            answer=listed(ref("Component")), header_blocks=listed(ref("Component")),
        )),
        differences=listed(whole(class_=TEXT, where=TEXT, what=TEXT, shipped_line=LINE, line=LINE)),
        files=listed(whole(name=TEXT, size_bytes=COUNT, sha256=DIGEST)),
    ),
    "Component": _COMPONENT,
    "Learning": whole(
        state={"type": "string", "enum": [state.value for state in LearningState]}, most_pushes=COUNT,
        asked_at=nullable(TIME), newest=nullable(PUSH_ID), learned=nullable(ref("Learned")), proposed=YES,
        difference=listed(TEXT), why=nullable(TEXT),
    ),
    "Learned": whole(
        contract=whole(file=TEXT, sha256=DIGEST), pushes=COUNT, left_out=COUNT,
        constructs=listed(whole(
            where=TEXT, line=LINE, mark=TEXT, pushes=listed(PUSH_ID), count=COUNT,
            outcome={"type": "string", "enum": ["confirmed", "contradicted", "untouched"]},
            deviations=listed(whole(rule=TEXT, path=TEXT, count=COUNT)),
        )),
        edits=listed(whole(where=TEXT, line=LINE, what=TEXT, rule=TEXT, pushes=listed(PUSH_ID), count=COUNT)),
        left=listed(whole(id=PUSH_ID, rule=TEXT, path=TEXT)),
    ),
    "EnvelopeView": whole(
        view={"type": "string", "enum": list(VIEWS)}, codec=nullable(TEXT),
        lines=listed(whole(n={"type": "integer", "minimum": 1}, text=TEXT, more=COUNT, gap=YES)), offset=COUNT,
        previous=nullable(COUNT), next=nullable(COUNT), sentence=TEXT,
    ),
    "Preview": whole(
        table=nullable(whole(head=listed(TEXT), rows=listed(listed(TEXT)), sorted_by={"type": "integer"})),
        outcomes=nullable(whole(column=TEXT, rows=COUNT, whole=YES, counts=listed(whole(value=TEXT, rows=COUNT)))),
        lines=listed(TEXT), pages=COUNT, cut=YES, source=TEXT, sentence=TEXT,
    ),
    "Facets": whole(accounts=listed(TEXT), sources=listed(TEXT)),
    "RuleList": whole(rules=listed(whole(
        id=TEXT, stage={"type": "string", "enum": [stage.value for stage in Stage]},
        severity={"type": "string", "enum": [severity.value for severity in Severity]}, sentence=TEXT, source=TEXT,
        faultcode=TEXT, http_status={"type": "integer"},
    ))),
    "Service": whole(push_url=TEXT, wsdl_url=TEXT, searches=YES, keeps_exchanges=YES, judges_again=YES),
    "Event": whole(event={"type": "string", "enum": ["pushes"]}, data=TEXT, retry=COUNT),
}  # fmt: skip
