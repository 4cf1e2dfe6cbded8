"""How the default pipeline answers and keeps up; what it learned is put there by ``default``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from inkling.core.arrays import F32, I32, Bool
from inkling.core.candidates import Candidates
from inkling.core.dataset import Interactions
from inkling.core.jagged import Jagged
from inkling.core.query import Query
from inkling.core.scenario import Scenario
from inkling.core.tables import TEXT_COLUMNS, item_text
from inkling.engine import choose, ratings
from inkling.engine.beside import placed
from inkling.engine.grounds import asked_for, explanations
from inkling.engine.near import near_fields
from inkling.engine.order import Choice, asked_columns, flat_scores
from inkling.engine.pipeline import Explanation, Trace
from inkling.engine.pipelines._default_settings import DefaultConfig
from inkling.engine.ranks import ranked_fields
from inkling.engine.recall import Recall
from inkling.engine.rereading import Rereader
from inkling.engine.said import Said
from inkling.engine.sentences import ABOUT, Sentences
from inkling.engine.shown import Shown
from inkling.engine.texts import TextReader
from inkling.engine.weights import Weights
from inkling.features.table import FeatureTable
from inkling.ranking.rating import Rating
from inkling.retrieval.base import Scorer, Similar
from inkling.retrieval.semantic import Semantic, SemanticConfig

_MORE_BY_TEXT = 100
_COLLABORATIVE = ("ease", "itemknn", "season", "next", "markov", "chain")


class DefaultAnswers:
    """Recall by all members, features, the order that was chosen, the scenario's policies."""

    def __init__(self, config: DefaultConfig | None = None, scenario: Scenario | None = None) -> None:
        """Take settings and what the business wants."""
        self.config = config or DefaultConfig()
        self.scenario = scenario or Scenario()
        self._reader = TextReader(self.config.encoder)
        self._recall = Recall.of(self.config.members, encoder=self._reader)
        self._features = FeatureTable(self.config.features)
        self._said = Said(Semantic(SemanticConfig(encoder=self.config.encoder), encoder=self._reader))
        self._choice = Choice("fused", Weights({}), None, (1.0, 0.0), {})
        self._rating: Rating | None = None
        self._rereader: Rereader | None = None
        self._sentences: Sentences | None = None
        self._unspoken: Callable[[], Sentences | None] | None = None
        self._shown = Shown(self.scenario)

    def attach(self, mask_of: Callable[[Mapping[str, Any]], Bool]) -> None:
        """Take what resolves the filters of the scenario's rules."""
        self._shown = Shown(
            self.scenario, diversity=self.config.diversity, mask_of=mask_of, vectors=lambda: self._said.semantic.vectors
        )

    def encode(self, texts: Sequence[str]) -> Mapping[str, F32]:
        """Return the texts' vectors by the encoder's name."""
        return {self.config.encoder: self._reader.ask(texts)}

    def recommend(self, query: Query, k: int, trace: Trace) -> Candidates:
        """Return each person's first k."""
        limit = max(self.config.n_candidates, k)
        with trace.stage("recall"):
            limited = self._shown.limited(query)
            items = self._recall.candidates(limited, self._choice.weights, limit=limit, budget=trace.budget)
            if query.texts:
                asked = self._said.asked(limited, items)
                more = limit + _MORE_BY_TEXT
                items = self._recall.candidates(asked, self._choice.weights, limit=more, budget=trace.budget)
        ranked = self._choice.order != "fused" and trace.budget.fits("ranker", "features")
        if ranked:
            with trace.stage("features"), trace.budget.part("ranker", "features"):
                wanted = asked_columns(self._choice.ranker)
                items = ranked_fields(self._described(limited, items, wanted=wanted))
        with trace.stage("rank"):
            scores = self._ordered(limited, items, trace) if ranked else self._unranked(limited, items)
            bare = Candidates(items.offsets, items.item_rows, items.scores, items.sources, items.source_names)
            items = bare.with_scores(scores)
            if self._rereader is not None:
                with trace.budget.part("cross", "rank"):
                    items = self._rereader.reread(limited, items, trace)
            if query.texts:
                items = self._said.joined(limited, items)
            if ABOUT in query.text_vectors and (sentences := self._spoken()) is not None:
                items = sentences.instead(limited, items, k=limit, near=self._near)
        with trace.stage("policy"):
            return self._shown.apply(limited, items, k)

    def _spoken(self) -> Sentences | None:
        """Return what sentences about people taught: learned when it is first needed, as a comparison never does."""
        if self._unspoken is not None:
            self._sentences, self._unspoken = self._unspoken(), None
        return self._sentences

    @property
    def _near(self) -> Callable[[Query], F32] | None:
        """Return what scores items by a few that somebody likes: a collaborative member, where there is one."""
        for name in _COLLABORATIVE:
            member = self._recall.members.get(name)
            if isinstance(member, Scorer):
                return member.scores
        return None

    def _described(self, query: Query, items: Candidates, *, wanted: frozenset[str] | None = None) -> Candidates:
        """Return candidates with the columns that a ranker reads, but for the places of opinions."""
        found = self._features.compute(query, items, wanted=wanted)
        return near_fields(self._said.semantic.vectors, query, found, wanted=wanted)

    def _ordered(self, query: Query, items: Candidates, trace: Trace) -> F32:
        """Return probabilities by the ranker that was chosen."""
        with trace.budget.part("ranker", "rank"):
            return self._probability(self._scores(query, items))

    def _unranked(self, query: Query, items: Candidates) -> F32:
        """Return what members say together; where a ranker had no time, as a share of what they could say at most."""
        said = choose.fused(query, items, self._choice.weights)
        if self._choice.order == "fused":
            return self._probability(said)
        most = float(said.max(initial=0.0)) or 1.0
        share: F32 = np.clip(said / np.float32(2 * most), 0.0, 1.0)
        return share

    def _scores(self, query: Query, items: Candidates) -> F32:
        if self._choice.order == "fused" or self._choice.ranker is None:
            return choose.fused(query, items, self._choice.weights)
        return flat_scores(self._choice.ranker, query, items)

    def _probability(self, scores: F32) -> F32:
        slope, intercept = self._choice.curve
        chance: F32 = (1 / (1 + np.exp(-(slope * scores + intercept)))).astype(np.float32)
        return chance

    def score(self, query: Query, items: Jagged) -> F32:
        """Return the probability (N,) that a person takes an item, in the order of ``items``, as if each came alone.

        Where the scenario asks for ratings and there were some to learn from, the rating.
        """
        if self._rating is not None:
            return ratings.predicted(self._rating, query, items)
        beside = self._recall.candidates(
            self._shown.limited(query), self._choice.weights, limit=self.config.n_candidates
        )
        asked = replace(query, candidates=items, exclude=None, allowed=None)
        found = self._recall.candidates(asked, self._choice.weights, limit=max(len(items.values), 1))
        found = self._described(asked, placed(found, ranked_fields(beside)))
        chance = self._probability(self._scores(asked, found))
        n_items = query.n_items
        order = np.argsort(found.segment_rows * n_items + found.item_rows)
        keys = (found.segment_rows * n_items + found.item_rows)[order]
        owner = np.repeat(np.arange(len(items), dtype=np.int64), np.diff(items.offsets))
        chances: F32 = chance[order][np.searchsorted(keys, owner * n_items + items.values)]
        return chances

    def similar(self, item_rows: I32, k: int, *, allowed: Bool | None = None) -> Candidates:
        """Return neighbours of items, by all members that know any, by their ranks."""
        lists = []
        for row in item_rows.tolist():
            votes: dict[int, float] = {}
            for name, member in self._recall.members.items():
                if isinstance(member, Similar):
                    found = member.similar(np.array([row], dtype=np.int32), 3 * k)
                    for rank, other in enumerate(found.item_rows.tolist()):
                        if other != row and (allowed is None or allowed[other]):
                            votes[other] = votes.get(other, 0.0) + (self._choice.weights.get(name, 0.0) + 0.25) / (
                                rank + 10
                            )
            lists.append(sorted(votes.items(), key=lambda vote: -vote[1])[:k])
        offsets = np.concatenate([[0], np.cumsum([len(one) for one in lists])]).astype(np.int64)
        flat = [vote for one in lists for vote in one]
        rows = np.array([row for row, _ in flat], dtype=np.int32)
        return Candidates.of(offsets, rows, np.array([v for _, v in flat], dtype=np.float32), source="similar")

    def explain(self, query: Query, item_rows: I32) -> list[Explanation]:
        """Return what each item's score rests on, for the one person of ``query``, beside their other candidates."""
        beside = self._recall.candidates(
            self._shown.limited(query), self._choice.weights, limit=self.config.n_candidates
        )
        wanted = np.union1d(beside.item_rows, item_rows).astype(np.int32)
        asked = replace(query, candidates=Jagged.from_lists([wanted]), exclude=None, allowed=None)
        items = self._recall.candidates(asked, self._choice.weights, limit=len(wanted))
        items = ranked_fields(self._described(asked, items))
        order = np.argsort(items.item_rows)
        flat = order[np.searchsorted(items.item_rows[order], item_rows)]
        picked = items.select(flat, np.array([0, len(flat)], dtype=np.int64))
        mine = self._choice.weights.of(len(query.history.item_rows))
        found = explanations(self._recall.members, mine, self._choice.ranker, asked, picked)
        if not query.texts:
            return found
        near = self._said.cosines(query, np.zeros(len(item_rows), dtype=np.int64), item_rows)
        return [asked_for(one, float(cosine)) for one, cosine in zip(found, near, strict=True)]

    # -- keeping up -----------------------------------------------------------------------------------------------

    def observe(self, events: Interactions) -> None:
        """Move counters on."""
        self._recall.update(events)
        self._features.update(events)

    def put_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Read new or changed items."""
        self.list_items(item_rows, items)
        texts = [item_text([item.get(column) for column in TEXT_COLUMNS]) for item in items]
        if any(texts):
            self.place_items(item_rows, self.read(texts))

    def list_items(self, item_rows: I32, items: Sequence[Mapping[str, Any]]) -> None:
        """Take in what needs no reading: the words that a cross encoder reads again when it answers."""
        if self._rereader is not None:
            self._rereader.put_items(item_rows, items)

    def read(self, texts: Sequence[str]) -> F32:
        """Return what items say as vectors (N, dim)."""
        return self._reader.encode(texts)

    def place_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in the vectors of items that were read."""
        self._recall.put_items(item_rows, vectors)
        self._said.semantic.put_items(item_rows, vectors)

    @property
    def encoder(self) -> str:
        """Return the name under which texts' vectors are known."""
        return self.config.encoder

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, dim), of length one or zero."""
        return self._said.semantic.vectors

    def forget(self, texts: Sequence[str]) -> None:
        """Drop the vectors that are kept of these texts."""
        self._reader.forget(texts)
