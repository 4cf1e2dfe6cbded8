"""What to do with requests that have to wait: less, or nothing, but never so late that it is of no use."""

from __future__ import annotations

import msgspec

from inkling.core.errors import OverloadError
from inkling.core.recommendation import Recommendation
from inkling.engine.base import Ask, Engine
from inkling.engine.budget import LEAST, Measured

CALM_MS = 50.0
"""Where requests wait longer than this on the average, answers hold what every answer needs, and little more."""
PATIENCE_MS = 5000.0
"""Who waited longer is not answered."""
_NEW = 0.02
_LITTLE_MORE, _SLACK_MS = 1.5, 1.0


class Load:
    """How long requests wait before they are answered, as a moving mean."""

    def __init__(self) -> None:
        self.wait_ms = 0.0

    def answer(self, engine: Engine, question: Ask, *, waited_ms: float) -> Recommendation:
        """Answer in the time that is left.

        A budget counts from the moment a request arrived. Without one, a request that comes in bad times gets a small
        one: so the queue grows shorter, by leaving out what answers can do without.

        Raises:
            OverloadError: There is no time left, or not even the cheapest answer fits into it.
        """
        self.wait_ms += _NEW * (waited_ms - self.wait_ms)
        limit_ms = PATIENCE_MS if question.budget_ms is None else max(question.budget_ms, 0.0)
        if waited_ms >= limit_ms > 0:
            raise OverloadError(
                f"The request waited {waited_ms:.4g} ms, and {limit_ms:g} ms is all it could take.",
                hint="Try again in a moment.",
            )
        if question.budget_ms is not None:
            left_ms = question.budget_ms - waited_ms if limit_ms > 0 else question.budget_ms
            return engine.ask(msgspec.structs.replace(question, budget_ms=left_ms))
        small_ms = self._small_ms(engine) if min(waited_ms, self.wait_ms) > CALM_MS else 0.0
        if small_ms:
            try:
                return engine.ask(msgspec.structs.replace(question, budget_ms=small_ms))
            except OverloadError:  # nobody asked for a limit, so there is none that an answer could miss
                return engine.ask(question)
        return engine.ask(question)

    def _small_ms(self, engine: Engine) -> float:
        least = engine.costs().get(LEAST, 0.0) if isinstance(engine, Measured) else 0.0
        return max(_LITTLE_MORE * least, least + _SLACK_MS) if least else 0.0
