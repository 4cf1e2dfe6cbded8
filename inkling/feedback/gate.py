"""Whether a new model may take over: only if it is no worse than the one that answers, on the newest events."""

from __future__ import annotations

import math
from typing import Any

import msgspec

from inkling.core.arrays import F64

MIN_PEOPLE = 20
"""People with newest events below which nothing is known."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True):
    """What the gate saw."""

    accepted: bool
    why: str
    n_people: int = 0
    """People whose newest events were asked for."""
    before: float = 0.0
    """NDCG@10 of the model that answers."""
    after: float = 0.0
    """NDCG@10 of the new one, fitted on what came before the newest events."""
    low: float = 0.0
    """Lower end of the 95% interval of the difference, paired by person."""
    high: float = 0.0

    def told(self) -> dict[str, Any]:
        """Return it as plain data."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


def compare(before: F64, after: F64, *, min_people: int = MIN_PEOPLE) -> Verdict:
    """Return whether ``after`` (P,) is no worse than ``before`` (P,), each person's quality by either model."""
    n = len(before)
    if n < min_people:
        why = f"only {n} people have newest events to ask for, {min_people} are needed"
        return Verdict(accepted=False, why=why, n_people=n)
    gap = after - before
    error = 1.96 * float(gap.std(ddof=1)) / math.sqrt(n) if n > 1 else 0.0
    mean = float(gap.mean())
    better = mean >= 0
    word = "no worse" if better else "worse"
    return Verdict(
        accepted=better,
        why=f"NDCG@10 {float(after.mean()):.4f} against {float(before.mean()):.4f}: {word}",
        n_people=n,
        before=float(before.mean()),
        after=float(after.mean()),
        low=mean - error,
        high=mean + error,
    )


def fallen(before: tuple[int, float], now: tuple[int, float], *, least: int = 500, drop: float = 0.3) -> bool:
    """Tell whether live quality fell: a rate (answers, share) that lies clearly below the one before.

    Both need ``least`` answers; the share must be lower by the part ``drop``, and by more than three standard errors.
    """
    (n, was), (m, rate) = before, now
    if min(n, m) < least or was <= 0:
        return False
    error = math.sqrt(was * (1 - was) / n + rate * (1 - rate) / m)
    return rate < was * (1 - drop) and was - rate > 3 * error
