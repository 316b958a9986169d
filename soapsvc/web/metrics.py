"""/metrics: figures for Prometheus, read from the store when they are asked for, so that they hold over processes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from flask import Blueprint, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from soapsvc.delivery_records import TargetFigures
from soapsvc.inbox.store import InboxStore

CONTENT_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def blueprint(store: InboxStore) -> Blueprint:
    """The route /metrics on one store."""
    metrics = Blueprint("metrics", __name__)
    registry = CollectorRegistry()
    registry.register(_Inbox(store))

    @metrics.get("/metrics")
    def show() -> Response:
        return Response(generate_latest(registry), content_type=CONTENT_TYPE)

    return metrics


class _Inbox(Collector):
    def __init__(self, store: InboxStore):
        self._store = store

    def describe(self) -> list[Metric]:
        return []  # so that registering does not ask the store

    def collect(self) -> Iterator[Metric]:
        stats = self._store.stats()
        pushes = GaugeMetricFamily("soapsvc_inbox_pushes", "Pushes in the inbox by state.", labels=["state"])
        pushes.add_metric(["accepted"], stats.accepted)
        pushes.add_metric(["quarantined"], stats.quarantined)
        yield pushes
        for name, help_text, value in (
            ("soapsvc_inbox_redeliveries", "Redeliveries of stored pushes.", stats.redeliveries),
            ("soapsvc_inbox_conflicts", "Pushes whose job was stored before with other content.", stats.conflicts),
            ("soapsvc_inbox_documents", "Documents of accepted pushes.", stats.documents),
            ("soapsvc_inbox_document_bytes", "Their decoded size.", stats.document_bytes),
            ("soapsvc_inbox_quarantine_bytes", "What the quarantine holds.", stats.quarantine_bytes),
            ("soapsvc_inbox_newest_push_seconds", "Time of the newest arrival, seconds since 1970.",
             stats.newest_received_at.timestamp() if stats.newest_received_at else None),
            ("soapsvc_inbox_free_bytes", "Free space on the inbox's file system.", stats.free_bytes),
        ):  # fmt: skip
            if value is not None:
                yield GaugeMetricFamily(name, help_text, value=value)
        yield from _targets(stats.targets)


def _targets(targets: Sequence[TargetFigures]) -> Iterator[Metric]:
    """Of each target. Who pauses one, or takes it out of the settings, still sees what waits for it."""
    states = GaugeMetricFamily(
        "soapsvc_deliveries", "Deliveries that have not arrived, by target and state.", labels=["target", "state"]
    )
    attempts = CounterMetricFamily(
        "soapsvc_delivery_attempts", "Attempts that ended, by target and outcome.", labels=["target", "outcome"]
    )
    oldest = GaugeMetricFamily(
        "soapsvc_delivery_oldest_pending_seconds",
        "Arrival of the oldest push that waits for its delivery, seconds since 1970.",
        labels=["target"],
    )
    paused = GaugeMetricFamily("soapsvc_delivery_paused", "1 where an operator paused the target.", labels=["target"])
    for one in targets:
        for state, many in (("pending", one.pending), ("forwarding", one.forwarding), ("dead", one.dead)):
            states.add_metric([one.name, state], many)
        attempts.add_metric([one.name, "delivered"], one.delivered)
        attempts.add_metric([one.name, "failed"], one.failed_attempts)
        paused.add_metric([one.name], int(one.paused_at is not None))
        if one.oldest_at is not None:
            oldest.add_metric([one.name], one.oldest_at.timestamp())
    yield from (states, attempts, oldest, paused)
