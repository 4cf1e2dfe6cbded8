"""Which words tell a text from the others: TF-IDF over the catalogue's own words, any script.

Words of scripts without spaces are learned from the same texts (``segment``); where these are too few to learn from,
pairs of characters stand in for them.
"""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from inkling.core.arrays import F32, F64, I32, I64
from inkling.language.segment import Segmenter

_SPACED = re.compile(r"[^\W\d_](?:[^\W\d_]|['’\-](?=[^\W\d_])){2,}")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]{2,}")
_SCRIPTS_WITHOUT_SPACES = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_COMMON = 0.4  # a word in more of the texts than this tells nothing
_EMPTY = (
    "the and for with that this from his her she him they them their you your our are was were has have had not but"
    " who whom whose what when where which while will would can could should into onto over under than then there"
    " these those its it's been being also all any each every some one two three more most other another such only"
    " very just about after again against before because between both down during few how himself herself itself off"
    " once out own same too until upon via let get got make made take new set pack use used using does did doing a an"
    " film movie story based must himself however find finds found back become becomes soon way"
)
_EMPTY_CHINESE = (
    "我们 他们 你们 这个 那个 一个 自己 没有 什么 可以 就是 但是 因为 所以 如果 不是 还是 一些 非常 已经 以及 进行"
    " 这里 那里 这样 那样 时候 现在 知道 觉得 的是 了一 的一"
)
_NOTHING = frozenset((*_EMPTY.split(), *_EMPTY_CHINESE.split()))


def _pairs(run: str) -> list[str]:
    return [run[i : i + 2] for i in range(len(run) - 1)]


def words(text: str, cut: Callable[[str], Sequence[str]] = _pairs) -> list[str]:
    """Return a text's words in lower case: runs of three and more letters, and words without spaces of two and more.

    Args:
        text: Any script.
        cut: Parts a run without spaces into words; where it is left out, all pairs of characters are words.
    """
    folded = _folded(text)
    spaced = [
        word
        for word in _SPACED.findall(_SCRIPTS_WITHOUT_SPACES.sub(" ", folded))
        if word not in _NOTHING and not word.endswith(("'s", "’s"))
    ]
    found = [word for run in _UNSPACED.findall(folded) for word in cut(run)]
    return spaced + [word for word in found if len(word) > 1 and word not in _NOTHING]


def _folded(text: str) -> str:
    return unicodedata.normalize("NFKC", text).lower()


def _cuts(texts: Sequence[str]) -> dict[str, list[str]]:
    """Return the words of each run without spaces, learned from ``texts``; nothing where they teach none."""
    runs = list(dict.fromkeys(run for text in texts for run in _UNSPACED.findall(_folded(text))))
    segmenter = Segmenter(method="cohesion").fit(runs)
    return dict(zip(runs, segmenter.segment(runs), strict=True)) if segmenter.words else {}


@dataclass(frozen=True)
class Words:
    """The words of N texts, weighted by how much they tell; V words in all.

    Attributes:
        names: The words, sorted.
        matrix: (N, V) sparse, rows of length one or zero: tf-idf with ``(1 + ln tf) ln(N / df)``.
        n_texts: (V,) in how many texts a word is.
        cuts: The words of each run of a script without spaces; empty where there are none, or too few to learn from.
    """

    names: tuple[str, ...]
    matrix: Any
    n_texts: I64
    cuts: Mapping[str, Sequence[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, texts: Sequence[str], *, at_least: int = 2) -> Words:
        """Read texts; a word is kept where ``at_least`` texts have it, and not nearly all of them."""
        cuts = _cuts(texts)
        counts = [Counter(words(text, _cut_by(cuts))) for text in texts]
        seen = Counter(word for one in counts for word in one)
        most = max(_COMMON * len(texts), 3 * at_least)
        names = tuple(sorted(word for word, n in seen.items() if at_least <= n <= most))
        n_texts = np.array([seen[name] for name in names], dtype=np.int64)
        return cls(names, _weighted(counts, names, seen), n_texts, cuts)

    def of_text(self, row: int, k: int, *, without: Iterable[str] = ()) -> tuple[str, ...]:
        """Return the ``k`` words that tell most about one text."""
        return self._best(np.asarray(self.matrix[row].todense()).ravel(), k, without)

    def of_texts(
        self, rows: I32 | I64, weights: F32 | F64, k: int, *, without: Iterable[str] = (), at_least: int = 2
    ) -> tuple[str, ...]:
        """Return the ``k`` words that tell most about weighted texts; each is in ``at_least`` of them."""
        if not len(rows) or not self.names:
            return ()
        own = self.matrix[rows]
        total = np.asarray(own.T @ weights).ravel()
        total[np.bincount(own.indices, minlength=len(self.names)) < at_least] = 0
        return self._best(total - self._usual * weights.sum(), k, without)

    @cached_property
    def _usual(self) -> F64:
        """Return (V,) what an average text says of each word, so that fashion is no taste."""
        return np.asarray(self.matrix.mean(axis=0)).ravel()

    def _best(self, scores: F64, k: int, without: Iterable[str]) -> tuple[str, ...]:
        out = {word for text in without for word in words(text, _cut_by(self.cuts))}
        order = np.argsort(-scores, kind="stable")
        found = (self.names[i] for i in order.tolist() if scores[i] > 0)
        return tuple(word for _, word in zip(range(k), (w for w in found if w not in out), strict=False))


def _cut_by(cuts: Mapping[str, Sequence[str]]) -> Callable[[str], Sequence[str]]:
    """Return what parts a run into words; a run that was never seen is one word."""
    return (lambda run: cuts.get(run, (run,))) if cuts else _pairs


def _weighted(counts: Sequence[Counter[str]], names: Sequence[str], seen: Counter[str]) -> Any:
    from scipy import sparse

    column = {name: i for i, name in enumerate(names)}
    rows, columns, values = [], [], []
    for row, one in enumerate(counts):
        for word, n in one.items():
            if (at := column.get(word)) is not None:
                rows.append(row)
                columns.append(at)
                values.append((1 + np.log(n)) * np.log(len(counts) / seen[word] + 1e-9))
    shape = (len(counts), len(names))
    matrix = sparse.csr_matrix((np.maximum(values, 0), (rows, columns)), shape=shape, dtype=np.float64)
    lengths = np.sqrt(np.asarray(matrix.multiply(matrix).sum(axis=1)).ravel())
    return sparse.diags(1 / np.where(lengths > 0, lengths, 1)) @ matrix
