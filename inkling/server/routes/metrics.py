"""What the server counted, for Prometheus."""

from __future__ import annotations

import msgspec
from starlette.responses import PlainTextResponse

from inkling.engine.budget import LEAST, Measured
from inkling.server.endpoint import Call, Endpoint
from inkling.server.metrics import CONTENT_TYPE


def _metrics(call: Call) -> PlainTextResponse:
    reading = msgspec.structs.asdict(call.engine.reading())
    unread = {f"unread_{name}": value for name, value in reading.items()}
    about = {
        **call.engine.about(),
        "log_version": call.engine.version,
        "n_streams": len(call.around.live),
        **unread,
        **_costs(call),
    }
    feedback = getattr(call.engine, "feedback", None)  # an engine elsewhere counts where it is
    about["arms"] = feedback() if feedback else ()
    return PlainTextResponse(call.around.metrics.render(about), headers={"Content-Type": CONTENT_TYPE})


def _costs(call: Call) -> dict[str, float]:
    """Return the expected milliseconds of the cheapest answer, where the engine knows them."""
    engine = call.engine
    return {"least_s": engine.costs().get(LEAST, 0.0) / 1000} if isinstance(engine, Measured) else {}


ENDPOINTS = (Endpoint("GET", "/metrics", _metrics, "Counts and durations in Prometheus' text format."),)
