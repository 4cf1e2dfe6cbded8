from __future__ import annotations

import numpy as np
import pytest

from inkling.core.errors import ConfigError, DataError
from inkling.language.segment import Segmenter, segment

WORDS = ("绿茶", "茶壶", "足球", "射门", "乌龙茶", "护腿板", "杯")


def sentences(n=300, seed=0):
    """Return runs of known words, and the words of each: a world whose seams are known."""
    rng = np.random.default_rng(seed)
    cut = [rng.choice(WORDS, rng.integers(2, 5)).tolist() for _ in range(n)]
    return ["".join(words) for words in cut], cut


@pytest.fixture(scope="module")
def learned():
    return Segmenter(max_words=len(WORDS) - 1, max_letters=3).fit(sentences()[0])


def test_it_finds_the_words_that_texts_were_made_of(learned):
    assert set(learned.words) == {word for word in WORDS if len(word) > 1}
    new, cut = sentences(seed=1)
    right = [found == wanted for found, wanted in zip(learned.segment(new), cut, strict=True)]
    assert np.mean(right) > 0.95


def test_texts_never_seen_keep_all_their_characters(learned):
    assert learned.segment(["绿茶好喝"]) == [["绿茶", "好喝"]]  # what was never seen stays together
    assert learned.segment(["龘龘绿茶"])[0][-1] == "绿茶"
    for text in ("我喜欢茶壶和足球", "射门射门"):
        assert "".join(learned.segment([text])[0]) == text


def test_scripts_with_spaces_are_cut_where_words_end(learned):
    assert learned.segment(["Red MUG, the cat's; e-book 42!", "iPhone绿茶 café", "", " 。 "]) == [
        ["red", "mug", "the", "cat's", "e-book", "42"],
        ["iphone", "绿茶", "café"],
        [],
        [],
    ]


def test_before_a_fit_and_without_such_texts_characters_stand_alone():
    assert Segmenter().segment(["绿茶 tea"]) == [["绿", "茶", "tea"]]
    assert Segmenter().fit(["only English"]).segment(["绿茶"]) == [["绿", "茶"]]
    assert Segmenter().fit([]).words == ()
    assert segment([]) == []


def test_one_call_learns_and_cuts():
    texts, cut = sentences()
    found = segment(texts)
    assert ["".join(words) for words in found] == texts
    assert sum(map(len, found)) <= sum(map(len, cut))  # with room for more, words that go together become one


def test_thai_and_japanese_are_learned_too():
    texts = ["กาแฟร้อน", "กาแฟเย็น", "ชาร้อน", "ชาเย็น"] * 5
    assert "กาแฟ" in Segmenter(max_words=8, max_letters=6).fit(texts + [t + "มาก" for t in texts]).words


def test_repeats_do_not_count_and_one_fit_is_like_another(learned):
    texts, _ = sentences()
    again = Segmenter(max_words=len(WORDS) - 1, max_letters=3).fit(texts * 2)
    assert again.words == learned.words
    assert again.segment(texts) == learned.segment(texts)


def test_its_state_is_all_of_it(learned):
    texts, _ = sentences(seed=2)
    loaded = Segmenter().load_state(learned.state())
    assert loaded.words == learned.words
    assert loaded.segment(texts) == learned.segment(texts)
    assert Segmenter().load_state(Segmenter().state()).segment(["绿茶"]) == [["绿", "茶"]]
    with pytest.raises(DataError, match="1 words and 2 chances"):
        Segmenter().load_state({"words": np.frombuffer("茶".encode(), np.uint8), "chances": np.zeros(2)})


@pytest.mark.parametrize(
    ("settings", "name"), [({"max_words": 0}, "max_words is 0"), ({"max_letters": 17}, "max_letters is 17")]
)
def test_sizes_out_of_range_are_refused(settings, name):
    with pytest.raises(ConfigError, match=name):
        Segmenter(**settings)


def test_words_by_cohesion_are_found_and_are_the_same_in_any_order():
    texts, _ = sentences()
    found = Segmenter(method="cohesion").fit(texts)
    assert set(found.words) == {word for word in WORDS if len(word) > 1}
    new, cut = sentences(seed=1)
    assert found.segment(new) == cut
    again = Segmenter(method="cohesion").fit(texts[::-1])
    assert again.words == found.words
    assert again.segment(["绿茶 mug 龘足球"]) == [["绿茶", "mug", "龘", "足球"]]


def test_cohesion_needs_words_that_come_again():
    assert Segmenter(method="cohesion").fit(["绿茶", "足球"]).words == ()
    assert len(Segmenter(max_words=2, method="cohesion").fit(sentences()[0]).words) == 2
