from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError
from inkling.core.run import Run
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


CHINESE = [f"{a}和{b}" for a in ("绿茶", "红茶", "茶壶", "茶杯") for b in ("乌龙茶", "泡茶", "普洱")] + [
    f"{a}和{b}" for a in ("球鞋", "球门", "射门", "裁判") for b in ("护腿", "足球", "球衣")
]
ENGLISH = ["white hanging heart", "wooden picture frame", "café crème", "42", "***", ""]


@pytest.fixture(scope="module")
def fitted():
    return AutoEncoder().fit(CHINESE + ENGLISH, Run())


def test_a_latin_catalogue_moves_no_vector(encoder):
    latin = AutoEncoder().fit(ENGLISH * 10 + [f"thing {n}" for n in range(100)] + CHINESE[:5], Run())
    assert latin.fingerprint == encoder.fingerprint
    assert dict(latin.state()) == {}
    np.testing.assert_array_equal(latin.encode(ENGLISH + CHINESE), encoder.encode(ENGLISH + CHINESE))


def test_read_texts_are_as_alike_beside_a_table_as_without_one(encoder, fitted):
    ours, before = fitted.encode(ENGLISH), encoder.encode(ENGLISH)
    assert fitted.dim == encoder.dim + 128 == ours.shape[1]
    np.testing.assert_allclose(ours[:, : encoder.dim], before, atol=1e-6)
    assert not ours[:, encoder.dim :].any()


def test_what_cannot_be_read_is_read_by_the_table(encoder, fitted):
    near, before = (e.encode(["射门"]) @ e.encode(["护腿", "泡茶"]).T for e in (fitted, encoder))
    assert near[0, 0] > before[0, 0] + 0.1
    assert near[0, 1] < 0.2
    new = fitted.encode(["泡一壶绿茶"])  # routed as the catalogue was: a new item
    assert new[0, -128:].any()
    assert abs(float(np.linalg.norm(new)) - 1) < 1e-5


def test_names_still_cross_from_one_script_to_another(fitted):
    items = ["starbucks mug", "garden hose", "office chair"]
    assert best(fitted, "绿茶 Starbucks", items, 1) == {"starbucks mug"}


def test_a_text_of_which_the_table_knows_nothing_is_spelling_alone(encoder, fitted):
    np.testing.assert_array_equal(fitted.encode(["한국어"])[:, : encoder.dim], encoder.encode(["한국어"]))


def test_its_state_is_the_table(fitted):
    loaded = AutoEncoder().load_state(fitted.state())
    assert loaded.fingerprint == fitted.fingerprint != AutoEncoder().fingerprint
    np.testing.assert_array_equal(loaded.encode(CHINESE + ENGLISH), fitted.encode(CHINESE + ENGLISH))
    assert loaded.load_state({}).fingerprint == AutoEncoder().fingerprint


def test_too_few_texts_or_texts_that_share_nothing_teach_no_table():
    assert AutoEncoder().fit(CHINESE[:15], Run()).table is None
    alone = [chr(0x4E00 + 7 * n) + chr(0x5E00 + 7 * n) for n in range(20)]
    assert AutoEncoder().fit(alone, Run()).table is None
    assert AutoEncoder().fit(CHINESE[:16], Run()).table is not None


class TestFittedContract(EncoderContract):
    name = "auto"

    def make(self):
        return AutoEncoder().fit(CHINESE, Run())

    def test_another_process_says_the_same(self):
        again = AutoEncoder().load_state(self.encoder.state())
        np.testing.assert_array_equal(again.encode(CHINESE), self.encoder.encode(CHINESE))


@pytest.mark.parametrize(("settings", "message"), [
    ({"table_spelling": 1.0}, "table_spelling is 1.0, expected above 0 and below 1"),
    ({"spelling_share": 0.0}, "spelling_share is 0.0, expected above 0 and below 1"),
    ({"max_unknown": 1.0}, "max_unknown is 1.0, expected 0 to below 1"),
])  # fmt: skip
def test_shares_out_of_range_are_refused(settings, message):
    with pytest.raises(ConfigError, match=message):
        AutoEncoder(**settings)
