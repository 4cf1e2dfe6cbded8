"""A language model reads the first candidates again, as far as the time of a request allows."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Annotated, Any, Self

import msgspec
import numpy as np

from inkling.core.arrays import I32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config, parse, to_dict
from inkling.core.dataset import Dataset
from inkling.core.query import Query
from inkling.core.tables import TEXT_COLUMNS, item_text
from inkling.engine.pipeline import Trace
from inkling.ranking.cross_encoder import CrossEncoder, CrossEncoderConfig

NAME = "cross encoder"
"""What answers and reports call it."""
_AT = "reread.at"
_NEW = 0.2  # weight of the last answer in the running cost

_READER = {"max_tokens": 64, "max_item_characters": 80, "epochs": 3, "learning_rate": 1e-4, "int8": True}

Positive = Annotated[float, msgspec.Meta(gt=0)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class RankConfig(Config, frozen=True, kw_only=True):
    """What a language model does for the order: it teaches the fast ranker, or reads the first candidates again."""

    teacher: str = ""
    """Teaches the fast ranker at fit: minilm, a folder, or a name on the hub, fine-tuned on what people took; or a
    bundle, whose own is taken as it is. Empty is none."""
    cross: str = ""
    """Reads the first candidates of each answer again; named as ``teacher`` is. Empty is none."""
    candidates: Annotated[int, msgspec.Meta(ge=2)] = 20
    """So many of the first candidates are read again, and graded by the teacher."""
    cross_budget_ms: Positive = 100.0
    """Milliseconds that reading again may add to an answer; what finds no time keeps its place."""
    minutes: Positive = 10.0
    """How long fine-tuning and grading may take; with a limit on the fit, at most three tenths of it."""
    share: Share = 0.3
    """What the teacher's word is worth beside the click."""
    grades: Annotated[int, msgspec.Meta(ge=1, le=20)] = 4
    """Steps of the teacher's labels."""
    settings: dict[str, Any] = msgspec.field(default_factory=lambda: dict(_READER))
    """Settings of ``cross_encoder``."""


class Rereader:
    """A fitted cross encoder, what one candidate costs, and how many there is time for.

    The first candidates change places among themselves; the scores stay where they were, so that an answer's scores go
    on to fall, and mean what they meant.
    """

    def __init__(self, model: CrossEncoder, *, candidates: int, budget_ms: float, cost_ms: float) -> None:
        """Take a fitted model.

        Args:
            model: Reads every candidate that it is given.
            candidates: So many of the first are read.
            budget_ms: Milliseconds for one person.
            cost_ms: Milliseconds for one candidate, as measured; each answer brings it up to date.
        """
        self.model, self.candidates, self.budget_ms, self.cost_ms = model, candidates, budget_ms, cost_ms

    def reread(self, query: Query, items: Candidates, trace: Trace) -> Candidates:
        """Return the candidates in the order of the model; what there is no time for is noted in ``trace``."""
        wanted = min(self.candidates, int(np.diff(items.offsets).max(initial=0)))
        n = self._affordable(wanted, len(items), min(self.budget_ms * len(items), trace.remaining_ms()))
        if n < wanted and wanted > 1:
            trace.left_out.append(f"{NAME}: {n} of {wanted} candidates read in time")
        return self._read(query, items, n) if n else items

    def _affordable(self, wanted: int, n_people: int, room_ms: float) -> int:
        """Return how many candidates of each person there is time for; one alone has no order."""
        each_ms = self.cost_ms * n_people
        n = wanted if wanted * each_ms <= room_ms else int(max(room_ms, 0.0) / each_ms)
        return n if n > 1 else 0

    def _read(self, query: Query, items: Candidates, n: int) -> Candidates:
        start = time.perf_counter()
        head = replace(items, fields={_AT: np.arange(len(items.item_rows))}).top(n)
        ranked = self.model.score(query, head)
        flat = np.arange(len(items.item_rows))
        flat[head.fields[_AT]] = ranked.fields[_AT]
        took_ms = 1000 * (time.perf_counter() - start) / len(head.item_rows)
        self.cost_ms = (1 - _NEW) * self.cost_ms + _NEW * took_ms
        return replace(items.select(flat, items.offsets), scores=items.scores)

    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Take in new or changed items."""
        titles = [_plain(item.get("title")) for item in items]
        self.model.read(item_rows, titles, [item_text([item.get(name) for name in TEXT_COLUMNS]) for item in items])

    def state(self) -> Mapping[str, Array]:
        """Return the model as arrays."""
        return self.model.state()

    def about(self) -> dict[str, Any]:
        """Return the model's settings and what a candidate costs."""
        return {"settings": to_dict(self.model.config), "cost_ms": self.cost_ms}

    @classmethod
    def load(cls, about: Mapping[str, Any], arrays: Mapping[str, Array], config: RankConfig) -> Self:
        """Take back what :meth:`about` and :meth:`state` returned."""
        settings = parse(CrossEncoderConfig, dict(about["settings"]), where="rank.settings")
        model = CrossEncoder(settings).load_state(arrays)
        return cls(
            model, candidates=config.candidates, budget_ms=config.cross_budget_ms, cost_ms=float(about["cost_ms"])
        )


def shelve(model: CrossEncoder, data: Dataset) -> None:
    """Let a model read the catalogue."""
    frame = data.items.frame
    titles = frame["title"].to_list() if "title" in frame.columns else [""] * data.n_items
    rows = np.arange(data.n_items, dtype=np.int32)
    model.read(rows, [_plain(title) for title in titles], data.items.texts())


def _plain(title: Any) -> str:
    """Return a title; a catalogue in which one is a list holds them all as lists."""
    return ", ".join(map(str, title)) if isinstance(title, list | tuple) else str(title or "")
