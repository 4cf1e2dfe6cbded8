"""What a smaller model learns from: texts, the teacher's vectors of them, and who chose what after what."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.sparse import csr_array

from inkling.core.arrays import F32
from inkling.core.dataset import Dataset
from inkling.core.errors import DataError
from inkling.core.run import Run
from inkling.encoders.backbone import Backbone
from inkling.encoders.base import Encoder
from inkling.kernels.similarity import normalize_rows
from inkling.language._adapt_config import AdaptConfig
from inkling.language._adapt_lessons import Lessons as Behaviour
from inkling.language._adapt_lessons import Pairs, distinct_texts, learn_lessons
from inkling.protocol.leaks import Provenance

_LEAST_TEXTS = 4
_AT_ONCE = 256


@dataclass(frozen=True)
class Lessons:
    """T distinct texts with the teacher's vectors, and what people did with the items that they describe."""

    texts: list[str]
    vectors: F32  # (T, D) the teacher's, of length one
    data: Dataset | None = None

    @property
    def learned(self) -> tuple[Provenance, ...]:
        """Return what the events were, as ``evaluate`` asks; nothing where there are none."""
        if self.data is None:
            return ()
        return (Provenance(name="distil", trained_until=self.data.until, fingerprint=self.data.fingerprint),)


def read_lessons(
    teacher: Backbone | Encoder, texts: Sequence[str] = (), *, data: Dataset | None = None, run: Run | None = None
) -> Lessons:
    """Let a teacher read the texts once.

    Args:
        teacher: Whose vectors are to be met; a cached encoder spares the reading.
        texts: What is read, where there is no ``data``.
        data: A training part: its catalogue is read, and its events are what a student may learn choices from. Whoever
            measures afterwards must give the training part alone.
        run: Threads, progress.

    Raises:
        DataError: There are fewer than four texts.
    """
    distinct = distinct_texts(data)[0] if data is not None else list(dict.fromkeys(t for t in texts if t.strip()))
    if len(distinct) < _LEAST_TEXTS:
        raise DataError(
            f"Distilling needs at least {_LEAST_TEXTS} different texts; there are {len(distinct)}.",
            hint="Give the catalogue titles or descriptions.",
        )
    vectors = _read(teacher, distinct, run or Run())
    return Lessons(distinct, normalize_rows(vectors.astype(np.float32)), data)


def _read(teacher: Backbone | Encoder, texts: list[str], run: Run) -> F32:
    if not isinstance(teacher, Backbone):
        parts = [texts[at : at + _AT_ONCE] for at in range(0, len(texts), _AT_ONCE)]
        return np.concatenate([teacher.encode(part) for part in run.track(parts, "teacher", total=len(parts))])
    from inkling.language._adapt_net import read_texts
    from inkling.training.loop import seeded

    with seeded(run, "teacher"):
        return read_texts(teacher, texts)


def behaviour(lessons: Lessons, config: AdaptConfig, run: Run) -> Behaviour:
    """Return the examples of who chose what after what; without events (or choices) there are none."""
    if lessons.data is not None and config.asks("sequence"):
        return learn_lessons(lessons.data, config, run)
    n, none = len(lessons.texts), np.zeros(0, dtype=np.int32)
    before = np.zeros((0, config.history), dtype=np.int32)
    empty = Pairs(none, before, none, none.astype(np.bool_), none.astype(np.float32))
    chose = csr_array((1, n), dtype=np.float32)
    rows = np.arange(n, dtype=np.int32)
    return Behaviour(lessons.texts, rows, empty, empty, chose, np.full(n, -1, np.int32), 0, drop_seen=True)
