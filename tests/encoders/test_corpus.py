from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError, DataError
from inkling.core.run import Run
from inkling.encoders.base import Reader, Trainable
from inkling.encoders.corpus import CorpusEncoder
from inkling.testing.encoders import EncoderContract

KINDS = {
    "茶": ("绿茶", "红茶", "乌龙茶", "茶壶", "茶杯", "泡茶"),
    "足球": ("球鞋", "球门", "球衣", "护腿", "射门", "裁判"),
    "钓鱼": ("鱼竿", "鱼钩", "浮漂", "鱼饵", "渔网", "鱼线"),
}
"""A world: three hobbies, whose words stand beside each other in texts and never beside another hobby's."""


def texts(n=60, seed=0):
    """Return texts of two to three words of one hobby, and the hobby of each."""
    rng = np.random.default_rng(seed)
    names = [list(KINDS)[row] for row in rng.integers(0, 3, n)]
    return ["，".join(rng.choice(KINDS[name], 3, replace=False)) for name in names], names


class TestUnfitted(EncoderContract):
    name = "corpus"


class TestFitted(EncoderContract):
    name = "corpus"

    def make(self):
        return CorpusEncoder(32).fit(texts()[0], Run())

    def test_another_process_says_the_same(self):
        again = CorpusEncoder(32).load_state(self.encoder.state())
        np.testing.assert_array_equal(again.encode(["绿茶"]), self.encoder.encode(["绿茶"]))


@pytest.fixture(scope="module")
def encoder():
    return CorpusEncoder(32).fit(texts()[0], Run())


def test_it_is_both_a_reader_and_one_that_learns(encoder):
    assert isinstance(encoder, Reader)
    assert isinstance(encoder, Trainable)
    assert encoder.encode(["绿茶"]).dtype == np.float32
    assert encoder.n_features > 18


def test_words_that_never_stood_in_one_text_but_beside_the_same_words_are_alike(encoder):
    near = encoder.encode(["红茶"]) @ encoder.encode(["茶壶", "护腿", "浮漂"]).T
    assert near[0, 0] > 0.3 > 0.1 > near[0, 1:].max()
    plain = CorpusEncoder(32)  # before a fit only the spelling speaks: 浮漂 and 射门 share no character with their kind
    learned, spelled = (e.encode(["浮漂"]) @ e.encode(["鱼钩"]).T for e in (encoder, plain))
    assert learned[0, 0] > 0.3 > spelled[0, 0]


def test_texts_never_seen_are_read_by_the_parts_that_are_known(encoder):
    new, names = texts(seed=7)
    near = encoder.encode(new) @ encoder.encode([" ".join(KINDS[name]) for name in KINDS]).T
    assert [list(KINDS)[row] for row in near.argmax(axis=1)] == names
    assert 0 < encoder.unknown_share(["绿茶很好喝"])[0] < 1


def test_a_text_of_which_nothing_is_known_is_spelled(encoder):
    assert encoder.unknown_share(["xyzzy", "", "绿茶"]).tolist()[:2] == [1, 1]
    assert encoder.unknown_share(["绿茶"])[0] < 0.2
    np.testing.assert_array_equal(encoder.encode(["xyzzy"]), CorpusEncoder(32).encode(["xyzzy"]))


def test_spaced_scripts_learn_by_words():
    tea, ball = ["чай зелёный чашка", "чашка блюдце", "чай блюдце"], ["мяч ворота", "ворота футбол", "мяч футбол"]
    near = CorpusEncoder(16).fit((tea + ball) * 2, Run()).encode(["чай", "чашка", "мяч"])
    assert near[0] @ near[1] > 0.4 > near[0] @ near[2]


def test_one_fit_is_like_another_and_repeats_do_not_count(encoder):
    again = CorpusEncoder(32).fit(texts()[0] * 2, Run())
    assert again.fingerprint == encoder.fingerprint != CorpusEncoder(32).fingerprint
    assert CorpusEncoder(32).fit(texts(seed=1)[0], Run()).fingerprint != encoder.fingerprint


def test_its_state_is_all_of_it(encoder):
    loaded = CorpusEncoder(32).load_state(encoder.state())
    assert loaded.fingerprint == encoder.fingerprint
    np.testing.assert_array_equal(loaded.encode(texts()[0]), encoder.encode(texts()[0]))
    with pytest.raises(DataError, match="has 64 columns, the state 32"):
        CorpusEncoder(64).load_state(encoder.state())


def test_a_table_has_a_size():
    few = CorpusEncoder(16, max_features=10, max_texts=30).fit(texts()[0], Run())
    assert few.n_features == 10
    assert few.state()["table"].shape == (10, 16)
    assert few.fingerprint != CorpusEncoder(16, max_features=10, max_texts=40).fit(texts()[0], Run()).fingerprint


def test_texts_that_share_nothing_teach_nothing():
    with pytest.raises(DataError, match="no word or n-gram that two of 2 texts share"):
        CorpusEncoder().fit(["绿茶", "球鞋"], Run())
    with pytest.raises(DataError, match="of 0 texts"):
        CorpusEncoder().fit([], Run())


@pytest.mark.parametrize("settings", [{"dim": 15}, {"max_features": 0}, {"max_texts": 1}])
def test_sizes_out_of_range_are_refused(settings):
    with pytest.raises(ConfigError, match=f"corpus: {next(iter(settings))} is"):
        CorpusEncoder(**settings)
