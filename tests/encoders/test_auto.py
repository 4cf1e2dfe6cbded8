from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.encoders.auto import AutoEncoder
from inkling.encoders.hashing import HashingEncoder
from inkling.encoders.sentence import SentenceEncoder
from inkling.encoders.static import StaticEncoder
from inkling.testing.encoders import WISHES, EncoderContract, best


class TestContract(EncoderContract):
    name = "auto"


@pytest.fixture(scope="module")
def encoder():
    return AutoEncoder()


@pytest.mark.parametrize("text", WISHES)
def test_a_sentence_finds_the_two_things_it_names(encoder, text):
    items, wanted = WISHES[text]
    assert best(encoder, text, items) == wanted


@pytest.mark.parametrize("text", WISHES)
def test_the_two_languages_do_not_disturb_each_other(encoder, text):
    items = [item for known, _ in WISHES.values() for item in known]
    assert best(encoder, text, items) == WISHES[text][1]


def test_chinese_never_reaches_the_model(encoder):
    vectors = encoder.encode(["电影", "音乐"])
    assert not vectors[:, :384].any()
    assert vectors[0] @ vectors[1] < 0.5


def test_read_texts_are_reading_and_spelling_in_their_shares(encoder):
    texts = ["white hanging heart", "wooden picture frame"]
    ours = encoder.encode(texts)
    reading, spelling = SentenceEncoder().encode(texts), HashingEncoder().encode(texts)
    expected = 0.85 * (reading[0] @ reading[1]) + 0.15 * (spelling[0] @ spelling[1])
    assert ours[0] @ ours[1] == pytest.approx(float(expected), abs=1e-5)


def test_a_name_inside_a_chinese_sentence_finds_its_english_title(encoder):
    items = ["starbucks mug", "garden hose", "office chair"]
    assert best(encoder, "我想要一个 Starbucks 杯子", items, 1) == {"starbucks mug"}


def test_a_mostly_english_text_is_read(encoder):
    assert encoder.encode(["the film 电影 is good"])[:, :384].any()


def test_another_reader_makes_another_encoder(encoder):
    quick = AutoEncoder(StaticEncoder(), HashingEncoder(dim=64), spelling_share=0.5)
    assert quick.dim == 192
    assert quick.fingerprint != encoder.fingerprint
    np.testing.assert_allclose(np.linalg.norm(quick.encode(["red mug", "电影"]), axis=1), 1, atol=1e-5)


@pytest.mark.parametrize(("settings", "message"), [
    ({"spelling_share": 0.0}, "spelling_share is 0.0, expected above 0 and below 1"),
    ({"max_unknown": 1.0}, "max_unknown is 1.0, expected 0 to below 1"),
])  # fmt: skip
def test_shares_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        AutoEncoder(**settings)
