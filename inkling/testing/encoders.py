"""What every encoder promises, as tests: subclass ``EncoderContract`` and set ``name``."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator, Sequence

import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import RequestError
from inkling.encoders import ENCODERS
from inkling.encoders.base import Encoder

TEXTS = (
    "white hanging heart t-light holder",
    "Toy Story (1995)",
    "A much longer sentence about a person who likes to travel by train, reads novels and cooks in the evening.",
    "我喜欢看电影和旅游",
    "iPhone 手机壳 red",
    "Crème brûlée für zwei",
    "42",
)
ODD_TEXTS = (
    "\ud800 lone surrogate", "\0", "\uffff", "שלום עולם", "👩‍👩‍👧‍👦 ♥", "e\u0301\u0301\u0301", "\u200b\u200d",
    "𝔘𝔫𝔦𝔠𝔬𝔡𝔢", "[UNK] [CLS]", "\t\r\n", "ไทย", "한국어", "\U0010ffff", "ß" * 50,
)  # fmt: skip
WISHES = {
    "我喜欢看电影和旅游": (("电影", "旅游", "运动", "美食", "音乐"), {"电影", "旅游"}),
    "I like watching movies and travelling": (("movies", "travel", "sports", "food", "music"), {"movies", "travel"}),
}
"""A sentence -> five items, and the two that it asks for."""
_CHILD = """
import sys
from inkling.encoders import ENCODERS
from inkling.testing.encoders import TEXTS
sys.stdout.buffer.write(ENCODERS.get(sys.argv[1])().encode(TEXTS).tobytes())
"""


class EncoderContract:
    """Tests of the contract in ``inkling/encoders/base.py``.

    Attributes:
        name: The registered name of what is tested.
        tolerance: How far batch and single may differ: float32 sums in another order.
    """

    name: str
    tolerance = 2e-6
    _made: dict[type, Encoder] = {}

    def make(self) -> Encoder:
        """Return the encoder to be tested; override it for one that needs arguments."""
        made: Encoder = ENCODERS.get(self.name)()
        return made

    @property
    def encoder(self) -> Encoder:
        """Return the one encoder of this class of tests."""
        if type(self) not in self._made:
            self._made[type(self)] = self.make()
        return self._made[type(self)]

    def test_it_has_the_attributes(self) -> None:
        """Name, width and fingerprint, the last equal for an equal encoder."""
        assert isinstance(self.encoder, Encoder)
        assert self.encoder.name == self.name
        assert self.encoder.dim > 0
        assert self.encoder.fingerprint == self.make().fingerprint != ""

    def test_rows_are_float32_of_length_one(self) -> None:
        """One row for each text."""
        vectors = self.encoder.encode(TEXTS)
        assert vectors.shape == (len(TEXTS), self.encoder.dim)
        assert vectors.dtype == np.float32
        assert_unit_or_zero(vectors)

    def test_batch_equals_single(self) -> None:
        """A row knows nothing of its neighbours."""
        batch = self.encoder.encode(TEXTS)
        for row, text in enumerate(TEXTS):
            np.testing.assert_allclose(self.encoder.encode([text])[0], batch[row], atol=self.tolerance)

    def test_order_and_repeats_do_not_matter(self) -> None:
        """Rows come back in the order of their texts."""
        mixed = [TEXTS[row] for row in (4, 0, 4, 2, 6, 0)]
        vectors = self.encoder.encode(mixed)
        np.testing.assert_allclose(vectors, self.encoder.encode(TEXTS)[[4, 0, 4, 2, 6, 0]], atol=self.tolerance)

    def test_another_process_says_the_same(self) -> None:
        """No vector hangs on a hash seed or on what was encoded before."""
        run = subprocess.run([sys.executable, "-c", _CHILD, self.name], capture_output=True, check=True)
        theirs = np.frombuffer(run.stdout, np.float32).reshape(len(TEXTS), self.encoder.dim)
        np.testing.assert_allclose(theirs, self.encoder.encode(TEXTS), atol=self.tolerance)

    def test_no_texts_give_no_rows(self) -> None:
        """An empty list keeps the width."""
        assert self.encoder.encode([]).shape == (0, self.encoder.dim)

    def test_nothing_to_read_gives_zeros(self) -> None:
        """Empty text and white space."""
        vectors = self.encoder.encode(["", "red mug", "  \n "])
        assert not vectors[[0, 2]].any()
        assert abs(float(np.linalg.norm(vectors[1])) - 1) < 1e-5
        assert self.encoder.encode([""]).shape == (1, self.encoder.dim)

    def test_odd_unicode_is_read_or_left_out(self) -> None:
        """No text of any script raises or gives NaN."""
        vectors = self.encoder.encode(ODD_TEXTS)
        assert vectors.shape == (len(ODD_TEXTS), self.encoder.dim)
        assert_unit_or_zero(vectors)

    def test_a_very_long_text_is_cut(self) -> None:
        """Four hundred thousand characters are answered like their beginning."""
        words = "the quick brown fox jumps over the lazy dog " * 10_000
        vectors = self.encoder.encode([words, words[:50_000], "words" * 20_000])
        assert_unit_or_zero(vectors)
        np.testing.assert_allclose(vectors[0], vectors[1], atol=self.tolerance)

    def test_equal_texts_are_nearest(self) -> None:
        """A text is at least as near to itself as to any other text."""
        vectors = self.encoder.encode(TEXTS)
        scores = vectors @ vectors.T
        assert (scores.max(axis=1) <= np.diag(scores) + 1e-5).all()

    def test_one_string_is_refused(self) -> None:
        """A string is a sequence of strings, which would give a row for each letter."""
        assert "one string" in "".join(_refusals(self.encoder, "red mug"))

    def test_what_is_no_text_is_refused(self) -> None:
        """None is not an empty text."""
        assert "NoneType" in "".join(_refusals(self.encoder, [None]))


def best(encoder: Encoder, text: str, items: Sequence[str], k: int = 2) -> set[str]:
    """Return the ``k`` items nearest to ``text``; items that tie with the first left out make the answer larger."""
    scores = encoder.encode(items) @ encoder.encode([text])[0]
    least = np.sort(scores)[-k]
    return {item for item, score in zip(items, scores, strict=True) if score >= least}


def assert_unit_or_zero(vectors: F32) -> None:
    """Assert that all numbers are finite and all rows of length one or zero."""
    assert np.isfinite(vectors).all()
    lengths = np.linalg.norm(vectors, axis=1)
    assert ((np.abs(lengths - 1) < 1e-5) | (lengths == 0)).all(), lengths


def _refusals(encoder: Encoder, texts: object) -> Iterator[str]:
    try:
        encoder.encode(texts)  # type: ignore[arg-type]
    except RequestError as error:
        yield str(error)
