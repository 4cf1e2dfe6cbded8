"""Things that are good at what a person cares about, as reviewers say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, ClassVar, Self

import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Real, Space
from inkling.language.aspects import (
    LEXICON,
    AspectTable,
    LexiconReader,
    aspect_match,
    cares_of_history,
    cares_of_texts,
    joined_cares,
    matching_aspects,
    open_reader,
    read_aspects,
)
from inkling.retrieval._dense import retrieve
from inkling.retrieval._taste import AtLeastZero
from inkling.retrieval.base import Because


class AspectConfig(Config, frozen=True, kw_only=True):
    """Settings of ``aspect``."""

    reader: str = LEXICON
    """What reads the reviews: ``lexicon``, or the folder of a trained aspect model."""
    text_weight: AtLeastZero = 2.0
    """What the aspects of a query's text are worth beside those of the whole history."""


class Aspect:
    """Explicit factors (Zhang et al. 2014): what reviews praise in an item, beside what matters to a person.

    A person cares about the aspects that are spoken of and praised in what they chose, and about those that their
    query names. Items without a judged aspect score 0. Questions are read by words, whatever read the reviews.
    """

    name = "aspect"
    Config = AspectConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({"text_weight": 2.0},)
    space: ClassVar[Space] = {"text_weight": Real(0.5, 4.0)}

    def __init__(self, config: AspectConfig | None = None) -> None:
        self.config = config or AspectConfig()
        self._take(AspectTable((), *(np.zeros((0, 0), dtype=np.float32),) * 3))

    def fit(self, data: Dataset, run: Run) -> Self:
        """Read what is said with the events.

        Raises:
            DataError: No event says anything about an aspect.
        """
        said = read_aspects(data, open_reader(self.config.reader))
        if not len(said):
            raise DataError(
                "'aspect' cannot be fitted: no event has a text that speaks of an aspect.",
                hint="Give events their reviews in the column text.",
            )
        return self._take(AspectTable.of(said, data.n_items))

    def _take(self, table: AspectTable) -> Self:
        self.table = table
        self._strengths = table.strengths()
        self._questions = LexiconReader({name: name for name in table.names if " " not in name})
        return self

    def cares(self, query: Query) -> F32:  # (B, A)
        """Return what each person cares about: rows sum to 1, or to 0 where nothing is known."""
        parts = [(1.0, cares_of_history(query.history, self.table))]
        if query.texts:
            parts.append((self.config.text_weight, cares_of_texts(query.texts, self.table.names, self._questions)))
        return joined_cares(parts)

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): how much better than usual items are at what people care about."""
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        width = min(len(self._strengths), query.n_items)
        out[:, :width] = aspect_match(self.cares(query), self._strengths[:width])
        return out

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that suit best what people care about."""
        return retrieve(self, query, k)

    def why(self, query: Query, item_row: int) -> tuple[Because, ...]:
        """Return the aspects that the score rests on, each with its part."""
        if not 0 <= item_row < len(self._strengths):
            return ()
        found = matching_aspects(self.cares(query)[0], self._strengths[item_row], self.table.names)
        return tuple(Because(self.name, -1, weight, about=aspect) for aspect, weight in found)

    def state(self) -> Mapping[str, Array]:
        """Return the counts of what is said."""
        return self.table.state()

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        return self._take(AspectTable.load(state))
