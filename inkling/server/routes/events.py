"""Events: what people did."""

from __future__ import annotations

import time

from inkling.server.endpoint import Call, Endpoint, always
from inkling.server.schemas import EventRows, EventsIn, EventsOut, RejectedOut


def _post_events(call: Call) -> EventsOut:
    outcome = call.engine.ingest(call.body.events)
    if outcome.accepted:  # from here on every answer reflects them
        call.around.metrics.changes.observe(time.perf_counter() - call.arrived, "answerable")
    call.around.metrics.record_events(accepted=outcome.accepted, rejected=len(outcome.rejected))
    rejected = [RejectedOut(row.index, row.reason) for row in outcome.rejected]
    return EventsOut(outcome.accepted, rejected, outcome.version)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/events",
        _post_events,
        "Tell what people did; answered once it is durable.",
        body=EventRows,
        described=EventsIn,
        answer=EventsOut,
        status=202,
        blocking=always,
    ),
)
