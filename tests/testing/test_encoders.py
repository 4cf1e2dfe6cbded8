"""A contract that nothing can fail promises nothing: each broken encoder fails the test about its fault."""

from __future__ import annotations

import numpy as np
import pytest

from inkling.encoders.hashing import HashingEncoder
from inkling.testing.encoders import EncoderContract, best


class Centred(HashingEncoder):
    """Depends on the batch."""

    def encode(self, texts):
        vectors = super().encode(texts)
        vectors = vectors - vectors.mean(axis=0) / 2
        return vectors / np.maximum(np.linalg.norm(vectors, axis=1, keepdims=True), 1e-9)


class Unscaled(HashingEncoder):
    """Not of length one."""

    def encode(self, texts):
        return super().encode(texts) * 2


class Wide(HashingEncoder):
    """Not float32."""

    def encode(self, texts):
        return super().encode(texts).astype(np.float64)


class Salted(HashingEncoder):
    """Different in each process."""

    def encode(self, texts):
        return np.roll(super().encode(texts), 1, axis=1)


class Lenient(HashingEncoder):
    """Takes anything."""

    def encode(self, texts):
        return super().encode([str(text) for text in texts])


@pytest.mark.parametrize(("broken", "test"), [
    (Centred, "test_batch_equals_single"),
    (Unscaled, "test_rows_are_float32_of_length_one"),
    (Wide, "test_rows_are_float32_of_length_one"),
    (Salted, "test_another_process_says_the_same"),
    (Lenient, "test_one_string_is_refused"),
    (Lenient, "test_what_is_no_text_is_refused"),
])  # fmt: skip
def test_a_broken_encoder_fails(broken, test):
    class Contract(EncoderContract):
        name = "hashing"

        def make(self):
            return broken()

    with pytest.raises(AssertionError):
        getattr(Contract(), test)()


def test_best_shows_ties():
    assert best(HashingEncoder(), "red mug", ["red", "red", "blue", "green"], 1) == {"red"}
    assert best(HashingEncoder(), "zzz", ["电影", "旅游"], 1) == {"电影", "旅游"}
