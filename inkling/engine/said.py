"""Free text joined with who asks: what is asked for leads, as far as anything in the catalogue matches it."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from inkling.core.arrays import F32, I32, I64
from inkling.core.candidates import Candidates
from inkling.core.jagged import Jagged
from inkling.core.query import History, Query
from inkling.retrieval.semantic import Semantic

_N_BY_TEXT = 100
_SILENT, _CLEAR = 0.15, 0.4
_MOST = 0.8


class Said:
    """Cosines between what people say and what items say, on whole vectors."""

    def __init__(self, semantic: Semantic) -> None:
        """Read items by ``semantic``."""
        self.semantic = semantic

    def asked(self, query: Query, personal: Candidates) -> Query:
        """Return the question with its candidates: those found for the person, and those that match the text."""
        by_text = self.semantic.retrieve(_words_only(query), _N_BY_TEXT)
        lists = [np.union1d(personal.rows_of(i), by_text.rows_of(i)).astype(np.int32) for i in range(len(query))]
        return replace(query, candidates=Jagged.from_lists(lists))

    def cosines(self, query: Query, people: I64, item_rows: I32) -> F32:
        """Return (N,) how near items are to the words of the people at positions ``people``."""
        near: F32 = self.semantic.scores(_words_only(query))[people, item_rows]
        return near

    def joined(self, query: Query, items: Candidates) -> Candidates:
        """Return candidates by what was said and by the personal order (their scores), in shares.

        The words' share grows with how well anything matches: from nothing at a cosine of .15 to .8 at .4.
        """
        people = items.segment_rows
        near = self.cosines(query, people, items.item_rows)
        best = np.zeros(len(query), dtype=np.float32)
        np.maximum.at(best, people, near)
        share = (_MOST * np.clip((best - _SILENT) / (_CLEAR - _SILENT), 0, 1)).astype(np.float32)[people]
        place = np.arange(len(items.item_rows)) - np.repeat(items.offsets[:-1], np.diff(items.offsets))
        personal = 1 - place / np.maximum(np.diff(items.offsets), 1)[people]
        words = near / np.maximum(best, 1e-6)[people]
        scores = (share * words + (1 - share) * personal).astype(np.float32)
        names = (*items.source_names, "text")
        sources = np.where(share * words > (1 - share) * personal, len(names) - 1, items.sources).astype(np.int8)
        return replace(items, sources=sources, source_names=names).with_scores(scores)


def _words_only(query: Query) -> Query:
    return replace(query, history=History.empty(len(query)))
