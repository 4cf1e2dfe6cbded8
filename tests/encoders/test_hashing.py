from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from inkling.core.errors import ConfigError
from inkling.encoders.hashing import HashingEncoder
from inkling.testing.encoders import WISHES, EncoderContract, best

KNOWN = [0, 0.119523, 0, 0, 0, 0, 0, 0, 0, 0.239046, 0, 0, 0, 0.119523, -0.956183, 0]


class TestContract(EncoderContract):
    name = "hashing"


@pytest.mark.parametrize("text", WISHES)
def test_a_sentence_finds_the_two_things_it_names(text):
    items, wanted = WISHES[text]
    assert best(HashingEncoder(), text, items) == wanted


def cosine(a: str, b: str) -> float:
    x, y = HashingEncoder().encode([a, b])
    return float(x @ y)


def test_a_misspelling_stays_near():
    assert cosine("white hanging heart", "white hangin hart") > 0.5 > cosine("white hanging heart", "blue rubber duck")


def test_case_width_and_ligatures_do_not_matter():
    assert cosine("RED MUG", "red mug") == pytest.approx(1)
    assert cosine("ＲＥＤ ﬁsh", "red fish") == pytest.approx(1)


def test_order_of_words_and_marks_between_them_do_not_matter():
    assert cosine("red mug, blue", "blue... red mug") == pytest.approx(1)


def test_chinese_pairs_weigh_more_than_single_characters():
    assert cosine("电影票", "看电影") > cosine("电影票", "电工影子") > 0


def test_the_known_vector_of_a_word_stays_what_it_is():
    """Stored vectors stay comparable between releases: a change here needs a new version in the fingerprint."""
    vector = HashingEncoder(dim=16).encode(["mug"])[0]
    assert HashingEncoder(dim=16).fingerprint == "hashing:1:16"
    np.testing.assert_allclose(vector, KNOWN, atol=1e-6)


def test_repeats_count_sublinearly():
    assert cosine("red", "red red red red mug") < 0.95
    assert cosine("red", "red red red red mug") > cosine("red", "red mug")


def test_a_narrow_width_is_refused():
    with pytest.raises(ConfigError, match="dim is 8, expected at least 16"):
        HashingEncoder(dim=8)


@settings(deadline=None, max_examples=50)
@given(st.lists(st.text(max_size=60), max_size=8))
def test_any_text_alone_or_with_others_has_the_same_vector(texts):
    encoder = HashingEncoder(dim=64)
    batch = encoder.encode(texts)
    assert batch.shape == (len(texts), 64)
    for row, text in enumerate(texts):
        np.testing.assert_allclose(encoder.encode([text])[0], batch[row], atol=1e-6)


def test_more_texts_than_fit_in_one_chunk():
    texts = [f"item number {n}" for n in range(5000)]
    vectors = HashingEncoder(dim=32).encode(texts)
    np.testing.assert_allclose(vectors[4999], HashingEncoder(dim=32).encode([texts[4999]])[0], atol=1e-6)
