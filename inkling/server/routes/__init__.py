"""Every call of the API: a file per resource. The order is the order of matching, the busiest first."""

from __future__ import annotations

from inkling.server.endpoint import Endpoint
from inkling.server.routes import (
    console,
    events,
    health,
    items,
    metrics,
    onboarding,
    openapi,
    recommend,
    score,
    similar,
    stream,
    users,
)

ENDPOINTS: tuple[Endpoint, ...] = (
    *recommend.ENDPOINTS,
    *events.ENDPOINTS,
    *score.ENDPOINTS,
    *similar.ENDPOINTS,
    *items.ENDPOINTS,
    *users.ENDPOINTS,
    *stream.ENDPOINTS,
    *onboarding.ENDPOINTS,
    *health.ENDPOINTS,
    *metrics.ENDPOINTS,
    *openapi.ENDPOINTS,
    *console.ENDPOINTS,
)
