"""What runs inside a peer's environment: fit on the events that came, then answer questions until the pipe closes.

Every script of a peer hands :func:`serve` its models. A model is fitted on positive events in rows and answers from the
histories that it is asked with, as its library intends; what may not be recommended is dropped here, for all alike.
"""

from __future__ import annotations

import os
import resource
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise
from typing import Any, Protocol

import numpy as np

from bench.peers._wire import receive, send


@dataclass(frozen=True)
class Train:
    """Positive events in rows, sorted by time.

    Attributes:
        users: (N,) rows.
        items: (N,) rows.
        ts: (N,) epoch milliseconds or positions.
        weights: (N,) strengths above 0.
        n_users: Size of the vocabulary.
        n_items: Size of the vocabulary.
        seed: Of all randomness.
        n_threads: Cores to train on.
        limit_s: Seconds after which a training by epochs must end; 0 is none.
    """

    users: Any
    items: Any
    ts: Any
    weights: Any
    n_users: int
    n_items: int
    seed: int
    n_threads: int
    limit_s: float

    def counts(self) -> Any:
        """Return the sum of weights of each person and item, sparse (n_users, n_items)."""
        return matrix(self.users, self.items, self.weights, (self.n_users, self.n_items))


@dataclass(frozen=True)
class Question:
    """B people, what they did (oldest first) and what may not be recommended to them.

    Attributes:
        offsets: (B + 1,) where each person's events begin.
        items: (N,) rows.
        ts: (N,) epoch milliseconds or positions.
        weights: (N,) above 0 for positive events.
        users: (B,) rows; -1 where unknown.
        allowed: (n_items,) what may be recommended.
        barred: (B + 1,) and (M,): per person, items that may not.
        k: How many items.
        drop: Whether what a person had is dropped.
    """

    offsets: Any
    items: Any
    ts: Any
    weights: Any
    users: Any
    allowed: Any
    barred: tuple[Any, Any]
    k: int
    drop: bool

    def __len__(self) -> int:
        return len(self.users)

    @property
    def owners(self) -> Any:
        """Return the position (N,) of the person of each event."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    @cached_property
    def liked(self) -> Any:
        """Return the sum of weights of positive events of each person and item, sparse (B, n_items)."""
        own = self.weights > 0
        return matrix(self.owners[own], self.items[own], self.weights[own], (len(self), len(self.allowed)))

    def spare(self, known: Any) -> int:
        """Return how many answers above k to ask for, so that k remain after what a library cannot leave out.

        Libraries drop the positive events of a history themselves; other events and closed items they do not know.
        """
        offsets, items = self.barred
        others = 0
        if len(items) and not (self.weights > 0).all():
            liked = self.liked
            per_person = (len(np.setdiff1d(items[a:b], liked[i].indices))
                          for i, (a, b) in enumerate(pairwise(offsets)))  # fmt: skip
            others = max(per_person, default=0)
        return others + int((known & ~self.allowed).sum())


class Model(Protocol):
    """A model of a library."""

    def fit(self, train: Train) -> dict[str, Any]:
        """Learn; return what is worth telling, such as ``s_per_epoch`` and ``epochs``."""

    def answer(self, question: Question) -> tuple[Any, Any]:
        """Return item rows (B, W) padded with -1, best first, and scores (B, W)."""


def matrix(rows: Any, columns: Any, values: Any, shape: tuple[int, int]) -> Any:
    """Return a sparse matrix (CSR, float32) with equal places added up."""
    from scipy.sparse import csr_matrix

    return csr_matrix((np.asarray(values, dtype=np.float32), (rows, columns)), shape=shape)


def serve(models: Mapping[str, Callable[[Mapping[str, Any]], Model]]) -> None:
    """Answer messages on standard input until it closes; what a library prints goes to standard error."""
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    sys.stdout = sys.stderr
    state: dict[str, Any] = {"models": models}
    while (message := receive(sys.stdin.buffer)) is not None:
        said, arrays = message
        try:
            reply, found = _fit(state, said, arrays) if said["do"] == "fit" else _ask(state, said, arrays)
        except Exception as error:
            reply, found = {"error": f"{type(error).__name__}: {error}", "trace": traceback.format_exc()}, {}
        send(answers, reply, found)


def _fit(state: dict[str, Any], said: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    numbers = {name: said[name] for name in ("n_users", "n_items", "seed", "n_threads", "limit_s")}
    train = Train(arrays["users"], arrays["items"], arrays["ts"], arrays["weights"], **numbers)
    model = state["models"][said["model"]](said["settings"])
    begin, worked = time.perf_counter(), time.process_time()
    told = model.fit(train)
    state["model"], state["known"] = model, np.bincount(train.items, minlength=train.n_items) > 0
    spent = {"fit_s": time.perf_counter() - begin, "fit_cpu_s": time.process_time() - worked}
    return {**spent, "peak_mb": peak_mb(), **told}, {}


def _ask(state: dict[str, Any], said: Mapping[str, Any], arrays: Mapping[str, Any]) -> tuple[dict[str, Any], Any]:
    if "allowed" in arrays:
        state["allowed"] = arrays["allowed"]
    question = Question(
        offsets=arrays["offsets"],
        items=arrays["items"],
        ts=arrays["ts"],
        weights=arrays["weights"],
        users=arrays["users"],
        allowed=state["allowed"],
        barred=(arrays["barred_offsets"], arrays["barred"]),
        k=said["k"],
        drop=said["drop"],
    )
    begin = time.perf_counter()
    rows, scores = trimmed(question, *state["model"].answer(question))
    return {"s": time.perf_counter() - begin, "peak_mb": peak_mb()}, {"items": rows, "scores": scores}


def trimmed(question: Question, rows: Any, scores: Any) -> tuple[Any, Any]:
    """Return the first k rows (B, k) of each person that may be recommended, padded with -1, and their scores."""
    offsets, barred = question.barred
    out = np.full((len(question), question.k), -1, dtype=np.int32)
    values = np.full(out.shape, np.nan, dtype=np.float32)
    fine = (rows >= 0) & np.isfinite(scores)
    fine &= question.allowed[np.where(fine, rows, 0)]
    for person, mine in enumerate(fine):
        own = barred[offsets[person] : offsets[person + 1]]
        keep = np.flatnonzero(mine & ~np.isin(rows[person], own) if len(own) else mine)[: question.k]
        out[person, : len(keep)], values[person, : len(keep)] = rows[person][keep], scores[person][keep]
    return out, values


def peak_mb() -> float:
    """Return the high-water mark of this process's resident memory."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0
