"""The simplest understandable pipeline: what people chose and said, read as text; near things first.

Steps: (1) a person is the mean of the vectors of what they chose, plus what they say; (2) candidates by cosine; (3)
ratings, popularity and recency as further features with fixed weights; (4) one of several equal titles; (5) sort;
(6) page. It needs no fit: items are read as they are put, counters move with each event.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Self

import numpy as np

from inkling.core.arrays import F32, F64, I32, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.config import Config, to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.scenario import Scenario
from inkling.core.tables import TEXT_COLUMNS, item_text
from inkling.engine.pipeline import Explanation, PipelineReport, PipelineState, Trace
from inkling.engine.shown import Shown
from inkling.engine.texts import TextReader
from inkling.retrieval.base import Because
from inkling.retrieval.popular import Popular, PopularConfig
from inkling.retrieval.semantic import Semantic, SemanticConfig


class SemanticBasicConfig(Config, frozen=True, kw_only=True):
    """Settings of ``semantic_basic``."""

    encoder: str = "auto"
    """What reads texts."""
    half_life_days: float = 90.0
    """Age at which a choice counts half in a person's profile."""
    rating: float = 0.2
    """Weight of an item's mean rating (0 to 1) beside the cosine, where events carry values."""
    popularity: float = 0.1
    """Weight of an item's decayed popularity (0 to 1) beside the cosine."""
    popular_half_life_days: float = 30.0
    """Age at which an event counts half in popularity."""


class SemanticBasic:
    """Text profiles, cosine, ratings and times, dedupe, sort, page."""

    name = "semantic_basic"
    Config = SemanticBasicConfig

    def __init__(self, config: SemanticBasicConfig | None = None, scenario: Scenario | None = None) -> None:
        """Take settings and what the business wants."""
        self.config = config or SemanticBasicConfig()
        self.scenario = scenario or Scenario()
        self._reader = TextReader(self.config.encoder)
        near = SemanticConfig(encoder=self.config.encoder, half_life_days=self.config.half_life_days)
        self._semantic = Semantic(near, encoder=self._reader)
        self._popular = Popular(PopularConfig(half_life_days=self.config.popular_half_life_days))
        self._ratings: F64 = np.zeros((2, 0))  # sums and counts of values by item
        self._titles: dict[int, str] = {}
        self._shown = Shown(self.scenario)

    def fit(self, data: Dataset, run: Run, *, minutes: float = 0.0) -> Self:
        """Read the catalogue and count the events."""
        self._reader.fit(data.items.texts(), run)
        self.scenario = data.scenario
        self._shown = Shown(self.scenario)
        self._semantic.fit(data, run)
        self._popular.fit(data, run)
        self._ratings = np.zeros((2, data.n_items))
        self._rate(data.interactions)
        names = data.items.frame["title"].to_list() if "title" in data.items.frame.columns else []
        self._titles = {row: str(title) for row, title in enumerate(names) if title}
        return self

    def attach(self, mask_of: Callable[[Mapping[str, Any]], Bool]) -> None:
        """Take what resolves the filters of the scenario's rules."""
        self._shown = Shown(self.scenario, mask_of=mask_of)

    def encode(self, texts: Sequence[str]) -> Mapping[str, F32]:
        """Return the texts' vectors by the encoder's name."""
        return {self.config.encoder: self._reader.ask(texts)}

    def recommend(self, query: Query, k: int, trace: Trace) -> Candidates:
        """Return each person's first k."""
        limited = self._shown.limited(query)
        with trace.stage("recall"):
            found = self._semantic.retrieve(limited, 4 * k + 50)
            popular = self._popular.retrieve(limited, 2 * k + 50)
        with trace.stage("rank"):
            items = self._merged(limited, found, popular)
        with trace.stage("policy"):
            return self._shown.apply(limited, self._one_of_each_title(items), k)

    def _merged(self, query: Query, found: Candidates, popular: Candidates) -> Candidates:
        """Return the union of both, by cosine plus weighted rating and popularity; popular things fill up the list."""
        lists = []
        for person in range(len(query)):
            rows, cosine = found.rows_of(person), found.scores_of(person)
            more = np.setdiff1d(popular.rows_of(person), rows)
            rows = np.concatenate([rows, more])
            cosine = np.concatenate([cosine, np.zeros(len(more), dtype=np.float32)])
            share = dict(zip(popular.rows_of(person).tolist(), popular.scores_of(person).tolist(), strict=True))
            best = max(share.values(), default=0.0) or 1.0
            liked = np.array([share.get(row, 0.0) / best for row in rows.tolist()], dtype=np.float32)
            score = cosine + np.float32(self.config.popularity) * liked + self.config.rating * self._rating(rows)
            lists.append(
                (rows, score.astype(np.float32), (np.arange(len(rows)) >= len(cosine) - len(more)).astype(np.int8))
            )
        offsets = np.concatenate([[0], np.cumsum([len(rows) for rows, _, _ in lists])]).astype(np.int64)
        rows, scores, sources = (np.concatenate([one[part] for one in lists]) for part in range(3))
        return Candidates(offsets, rows, scores, sources, ("semantic", "popular")).with_scores(scores)

    def _rating(self, rows: I32) -> F32:
        """Return mean values (N,) scaled to 0..1 by the largest mean, shrunk to the average; 0 without values."""
        sums, counts = self._ratings
        if not counts.any():
            return np.zeros(len(rows), dtype=np.float32)
        usual = sums.sum() / counts.sum()
        mean = (sums + 5 * usual) / (counts + 5)
        best = float(mean.max())
        if not np.isfinite(best) or best <= 0:  # nobody gave anything but zeros, or less
            return np.zeros(len(rows), dtype=np.float32)
        known = rows < len(mean)
        return np.where(known, mean[np.where(known, rows, 0)] / best, 0).astype(np.float32)

    def _one_of_each_title(self, items: Candidates) -> Candidates:
        seen: set[tuple[int, str]] = set()
        keep = np.ones(len(items.item_rows), dtype=np.bool_)
        for at, (person, row) in enumerate(zip(items.segment_rows.tolist(), items.item_rows.tolist(), strict=True)):
            title = self._titles.get(row)
            if title is not None:
                keep[at] = (person, title) not in seen
                seen.add((person, title))
        return items.keep(keep)

    def score(self, query: Query, items: Jagged) -> F32:
        """Return (N,) how near items are, from 0 to 1: half of 1 + cosine."""
        dense = self._semantic.scores(query)
        owner = np.repeat(np.arange(len(items)), np.diff(items.offsets))
        return ((1 + dense[owner, items.values]) / 2).astype(np.float32)

    def similar(self, item_rows: I32, k: int, *, allowed: Bool | None = None) -> Candidates:
        """Return the items that read most alike."""
        found = self._semantic.similar(item_rows, 4 * k + 50)
        return (found if allowed is None else found.keep(allowed[found.item_rows])).top(k)

    def explain(self, query: Query, item_rows: I32) -> list[Explanation]:
        """Return which choices, or which words, each item is near to."""
        near = self._semantic.scores(query)[0]
        return [self._explained(query, row, float(near[row])) for row in item_rows.tolist()]

    def _explained(self, query: Query, item_row: int, near: float) -> Explanation:
        because: tuple[Because, ...] = tuple(b for b in self._semantic.why(query, item_row) if b.weight > 0)
        said = bool(because) and because[0].kind == "text" and because[0].item_row < 0
        kind = "query" if said else "text" if because else "popular"
        rows = np.array([item_row], dtype=np.int32)
        parts = {
            "semantic": near,
            "rating": self.config.rating * float(self._rating(rows)[0]),
        }
        total = sum(abs(value) for value in parts.values()) or 1.0
        renamed = tuple(Because("text", b.item_row, b.weight) for b in because[:5])
        return Explanation(kind, renamed, {name: value / total for name, value in parts.items() if value}, parts)

    def observe(self, events: Interactions) -> None:
        """Count new events."""
        self._popular.update(events)
        self._rate(events)

    def _rate(self, events: Interactions) -> None:
        has = np.isfinite(events.values)
        if not has.any():
            return
        n = max(self._ratings.shape[1], int(events.item_rows.max()) + 1)
        self._ratings = np.pad(self._ratings, ((0, 0), (0, n - self._ratings.shape[1])))
        self._ratings[0] += np.bincount(events.item_rows[has], events.values[has], n)
        self._ratings[1] += np.bincount(events.item_rows[has], minlength=n)

    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Read new or changed items."""
        self.list_items(item_rows, items)
        texts = [item_text([item.get(column) for column in TEXT_COLUMNS]) for item in items]
        if any(texts):
            self.place_items(item_rows, self.read(texts))

    def list_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Take in the titles of new or changed items."""
        for row, item in zip(item_rows.tolist(), items, strict=True):
            self._titles[row] = str(item.get("title") or "")
            if not self._titles[row]:
                del self._titles[row]

    def read(self, texts: Sequence[str]) -> F32:
        """Return what items say as vectors (N, dim)."""
        return self._reader.encode(texts)

    def place_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in the vectors of items that were read."""
        self._semantic.put_items(item_rows, vectors)

    @property
    def encoder(self) -> str:
        """Return the name under which texts' vectors are known."""
        return self.config.encoder

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, dim), of length one or zero."""
        return self._semantic.vectors

    def forget(self, texts: Sequence[str]) -> None:
        """Drop the vectors that are kept of these texts."""
        self._reader.forget(texts)

    def report(self) -> PipelineReport:
        """Return an empty report: nothing is chosen here."""
        return PipelineReport(chosen="cosine")

    def save(self) -> PipelineState:
        """Return everything learned as plain data."""
        arrays: dict[str, Mapping[str, Array]] = {
            "semantic": self._semantic.state(),
            "popular": self._popular.state(),
            "ratings": {"ratings": self._ratings},
        }
        return self._reader.kept(PipelineState({"config": to_dict(self.config), "titles": self._titles}, arrays))

    def load(self, state: PipelineState) -> Self:
        """Take back what ``save`` returned."""
        self._reader.load(state)
        self._semantic.load_state(state.arrays["semantic"])
        self._popular.load_state(state.arrays["popular"])
        self._ratings = np.array(state.arrays["ratings"]["ratings"])
        self._titles = {int(row): str(title) for row, title in state.settings["titles"].items()}
        return self
