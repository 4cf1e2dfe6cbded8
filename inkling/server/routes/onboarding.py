"""What to ask a new person: few questions, chosen to tell most; answers become a history."""

from __future__ import annotations

from inkling.engine.base import Onboarded
from inkling.engine.speaking import FALLBACK, accepted, known
from inkling.server.endpoint import Call, Endpoint, always
from inkling.server.schemas import OnboardingIn


def _next(call: Call) -> Onboarded:
    body: OnboardingIn = call.body
    language = known(body.language) or accepted(call.accept_language) or FALLBACK
    return call.engine.onboarding(body.answers, language=language)


ENDPOINTS = (
    Endpoint(
        "POST",
        "/v1/onboarding",
        _next,
        "The next question for a new person, and what their answers are worth as a history.",
        body=OnboardingIn,
        answer=Onboarded,
        blocking=always,
    ),
)
