"""Aspects: what people praise and complain about, what a person cares about, and how well the two meet.

A reader finds aspects in texts: ``lexicon`` needs no training, a folder holds a model trained with ``train_aspects``.
``read_aspects`` reads the texts of a data set; ``AspectTable`` adds them up by item. Everything is of the moment of the
data that was read: cut it with ``data.cut(ts)``, or what was read with ``said.until(ts)``.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Protocol, runtime_checkable

import numpy as np

from inkling.core.arrays import F32, F64
from inkling.core.config import parse
from inkling.core.errors import NotFoundError
from inkling.core.query import History
from inkling.core.run import Run
from inkling.encoders._backbone_folder import need_transformers
from inkling.language._aspects_data import POLARITIES, Marked, Term, marked
from inkling.language._aspects_lexicon import LexiconReader
from inkling.language._aspects_linear import LinearSentiment
from inkling.language._aspects_model import CARD, AspectModel
from inkling.language._aspects_said import Mention
from inkling.language._aspects_table import AspectTable, Said, Strength, read_aspects
from inkling.language._aspects_words import aspect_name

__all__ = [
    "LEXICON",
    "POLARITIES",
    "AspectModel",
    "AspectReader",
    "AspectTable",
    "LexiconReader",
    "LinearSentiment",
    "Marked",
    "Mention",
    "Said",
    "Strength",
    "Term",
    "aspect_match",
    "aspect_name",
    "cares_of_history",
    "cares_of_people",
    "cares_of_texts",
    "joined_cares",
    "marked",
    "matching_aspects",
    "open_reader",
    "read_aspects",
    "strongest",
    "train_aspects",
]
LEXICON = "lexicon"
_MENTIONED = 3.0  # mentions of a usual person that each count begins with


@runtime_checkable
class AspectReader(Protocol):
    """Finds aspects and their sentiment in texts."""

    @property
    def fingerprint(self) -> str:
        """Return what decides the answers."""
        ...

    def read(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions in each text."""
        ...


def open_reader(source: str | Path = LEXICON) -> AspectReader:
    """Return the reader ``lexicon``, or the trained model in a folder.

    Raises:
        NotFoundError: There is no such folder.
        BundleError: The folder's files are missing or were altered.
    """
    if str(source) == LEXICON:
        return LexiconReader()
    if not (Path(source) / CARD).is_file():
        raise NotFoundError(
            f"'{source}' is neither 'lexicon' nor a folder with an aspect model.", hint="Train one with train_aspects."
        )
    return AspectModel.load(source)


def train_aspects(
    sentences: Sequence[Marked], validation: Sequence[Marked], settings: Mapping[str, Any] | None = None, *, run: Run
) -> AspectModel:
    """Teach a language model to find aspects and their sentiment in sentences that people marked.

    Save the result to a folder: ``open_reader(folder)`` and the setting ``reader`` of ``aspect`` read it, no torch.

    Args:
        sentences: What is learned from; :func:`marked` makes them of tables.
        validation: What the best epoch is chosen by.
        settings: Of ``AspectTraining``: model, epochs, lr, max_minutes, ...
        run: Seed, threads, progress.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        DataError: No sentence has a term or a category.
        ConfigError: A setting is unknown or out of range.
    """
    need_transformers()
    from inkling.language import _aspects_train

    config = parse(_aspects_train.AspectTraining, settings or {}, where="aspects")
    return _aspects_train.train_aspects(sentences, validation, config, run).model


def cares_of_people(said: Said, n_users: int) -> F32:  # (n_users, A)
    """Return what people speak of in their own texts more than others do: rows sum to 1, or to 0.

    A complaint counts as praise does: both tell that the aspect matters.
    """
    cells = said.user_rows.astype(np.int64) * len(said.names) + said.aspects
    counts = np.bincount(cells, minlength=n_users * len(said.names)).reshape(n_users, len(said.names))
    usual = counts.sum(axis=0) / max(int(counts.sum()), 1)
    total = counts.sum(axis=1, keepdims=True)
    more = np.maximum((counts + _MENTIONED * usual) / (total + _MENTIONED) - usual, 0)
    return _rows_to_one(np.where(counts > 0, more, 0))


def cares_of_texts(texts: Sequence[str | None], names: Sequence[str], reader: AspectReader) -> F32:  # (B, A)
    """Return the aspects that queries, or people's words about themselves, name: rows sum to 1, or to 0."""
    code = {name: i for i, name in enumerate(names)}
    out = np.zeros((len(texts), len(names)))
    for row, own in enumerate(reader.read([text or "" for text in texts])):
        for mention in own:
            at = code.get(mention.aspect or mention.term.lower(), -1)
            if at >= 0:
                out[row, at] += 1
    return _rows_to_one(out)


def cares_of_history(history: History, table: AspectTable) -> F32:  # (B, A)
    """Return what is spoken of, and praised, in the things that people chose: rows sum to 1, or to 0."""
    weight = table.attention() + np.maximum(table.strengths(), 0)
    n_people, n_items = len(history), len(weight)
    people = np.repeat(np.arange(n_people), np.diff(history.offsets))
    known = (history.weights > 0) & (history.item_rows >= 0) & (history.item_rows < n_items)
    out = np.zeros((n_people, len(table.names)))
    np.add.at(out, people[known], weight[history.item_rows[known]] * history.weights[known, None])
    return _rows_to_one(out)


def joined_cares(parts: Sequence[tuple[float, F32]]) -> F32:
    """Return weighted cares (B, A) as one, rows to 1 or 0; a part that knows nothing of a person has no say there."""
    return _rows_to_one(sum((weight * part for weight, part in parts), start=np.zeros_like(parts[0][1])))


def aspect_match(cares: F32, strengths: F32) -> F32:
    """Return (B, n_items) how good items are at what people care about: -1 to 1, 0 where nothing is known.

    Args:
        cares: (B, A) rows that sum to 1 or 0.
        strengths: (n_items, A) of :meth:`AspectTable.strengths`.
    """
    return np.asarray(cares @ strengths.T, dtype=np.float32)


def matching_aspects(cares: F32, strengths: F32, names: Sequence[str], k: int = 2) -> list[tuple[str, float]]:
    """Return the aspects that a match rests on, the largest part first, those against it (below 0) included.

    Args:
        cares: (A,) of one person.
        strengths: (A,) of one item.
        names: A aspects.
        k: At most so many.
    """
    parts = cares * strengths
    order = np.argsort(-np.abs(parts), kind="stable")[:k].tolist()
    return [(names[i], float(parts[i])) for i in order if parts[i]]


def strongest(cares: F32 | F64, names: Sequence[str], k: int = 3) -> tuple[str, ...]:
    """Return the ``k`` aspects that a person cares most about: those above an even share of them all."""
    order = np.argsort(-cares, kind="stable")[:k].tolist()
    return tuple(names[i] for i in order if cares[i] > 1.0 / max(len(names), 1))


def _rows_to_one(rows: F64 | F32) -> F32:
    total = rows.sum(axis=1, keepdims=True)
    return np.asarray(rows / np.where(total > 0, total, 1), dtype=np.float32)
