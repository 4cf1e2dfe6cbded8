"""What a follow-up says, in English and Chinese; what no rule knows stays as it was."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inkling.language.followups import Followup, Like, Price, Relative, Without, named_thing, parse

ONE = [
    ("cheaper", Relative("cheaper")),
    ("something a bit cheaper please", Relative("cheaper")),
    ("much cheaper", Relative("cheaper", strong=True)),
    ("cheaper than the second one", Relative("cheaper", place=2)),
    ("more expensive", Relative("dearer")),
    ("under 20", Price(high=20.0)),
    ("something under £20", Price(high=20.0)),
    ("at most 4.95 euros", Price(high=4.95, inclusive=True)),
    ("below 1,000", Price(high=1000.0)),
    ("less than 4,95", Price(high=4.95)),
    ("over 50", Price(low=50.0)),
    ("between 20 and 10", Price(low=10.0, high=20.0, inclusive=True)),
    ("more like the second", Like(2)),
    ("something similar to number 3", Like(3)),
    ("more of the last one", Like(-1)),
    ("not like the first", Like(1, away=True)),
    ("not the 4th", Like(4, away=True)),
    ("not horror", Without("horror")),
    ("no horror movies, please", Without("horror")),
    ("I don't want any red ones", Without("red")),
    ("without plastic", Without("plastic")),
    ("everything but lamps", Without("lamps")),
    ("something newer", Relative("newer")),
    ("older ones", Relative("older")),
    ("more popular", Relative("more_popular")),
    ("lesser-known", Relative("less_popular")),
    ("another brand", Relative("other_brand")),
    ("show me something else", Relative("others")),
    ("start over", Relative("start_over")),
    ("便宜一点", Relative("cheaper")),
    ("再便宜一些的", Relative("cheaper")),
    ("太贵了", Relative("cheaper")),
    ("便宜很多的", Relative("cheaper", strong=True)),
    ("比第二个便宜", Relative("cheaper", place=2)),
    ("贵一点", Relative("dearer")),
    ("20块以下", Price(high=20.0, inclusive=True)),
    ("低于20元", Price(high=20.0)),
    ("不超过20", Price(high=20.0, inclusive=True)),
    ("10到20元", Price(low=10.0, high=20.0, inclusive=True)),
    ("更像第二个", Like(2)),
    ("和第3个类似的", Like(3)),
    ("像最后一个那样的", Like(-1)),
    ("不要第二个", Like(2, away=True)),
    ("不要恐怖片", Without("恐怖")),
    ("不含糖的", Without("糖")),
    ("新一点的", Relative("newer")),
    ("老一点", Relative("older")),
    ("更热门的", Relative("more_popular")),
    ("冷门一点", Relative("less_popular")),
    ("换个牌子", Relative("other_brand")),
    ("换一批", Relative("others")),
    ("重新开始", Relative("start_over")),
]


@pytest.mark.parametrize(("text", "intent"), ONE, ids=[text for text, _ in ONE])
def test_one_wish(text, intent):
    assert parse(text) == Followup((intent,))


@pytest.mark.parametrize(
    "text",
    [
        "a red mug",
        "I like tea",
        "我喜欢看电影和旅游",
        "a lamp for the second bedroom",
        "no",
        "not",
        "the first",
        "news about mugs",
        "warm light",
        "20",
        "",
    ],
)
def test_what_is_no_follow_up_stays_free_text(text):
    assert parse(text) == Followup((), text)


@pytest.mark.parametrize(
    ("text", "intents", "rest"),
    [
        (
            "cheaper and not red, more like the third",
            (Relative("cheaper"), Without("red"), Like(3)),
            "",
        ),
        ("red ones, cheaper", (Relative("cheaper"),), "red ones"),
        (
            "a garden lantern under 20 from another brand",
            (Price(high=20.0), Relative("other_brand")),
            "a garden lantern from",
        ),
        ("最好便宜一点，不要红色的", (Relative("cheaper"), Without("红色")), ""),
        ("I want something cheaper but not with glass", (Relative("cheaper"), Without("glass")), ""),
        ("not blue more popular", (Without("blue"), Relative("more_popular")), ""),
        ("圆形的灯，便宜一点", (Relative("cheaper"),), "圆形的灯"),
    ],
)
def test_several_wishes_keep_their_order_and_the_rest_its_words(text, intents, rest):
    assert parse(text) == Followup(intents, rest)


def test_a_thing_is_named_without_the_words_around_it():
    assert [named_thing(text) for text in ("any horror movies", "with glass", "恐怖片", "电影", "red")] == [
        "horror",
        "glass",
        "恐怖",
        "电影",
        "red",
    ]


WORDS = st.sampled_from(
    ["cheaper", "not", "the", "second", "under", "20", "like", "红色", "不要", "便宜", "第二个", "mug", ",", "。"]
)


@given(st.text(max_size=80) | st.lists(WORDS, max_size=12).map(" ".join))
def test_any_text_is_understood_without_an_error(text):
    found = parse(text)
    assert len(found.rest) <= len(text)
    assert parse(text) == found
    for intent in found.intents:
        if isinstance(intent, Without):
            assert intent.words
        if isinstance(intent, Price):
            assert intent.low is not None or intent.high is not None


@given(
    st.lists(st.sampled_from(ONE), min_size=2, max_size=3, unique_by=lambda one: type(one[1]).__name__ + str(one[1]))
)
def test_wishes_put_behind_each_other_are_all_understood(pairs):
    found = parse("; ".join(text for text, _ in pairs))
    assert set(found.intents) == {intent for _, intent in pairs}
    assert found.rest == ""


@given(st.text(alphabet="abc mug", max_size=40))
def test_a_text_without_any_wish_is_all_rest(text):
    found = parse(text)
    assert found.intents == ()
    assert found.rest.split() == text.split() or not text.strip() or set(text.split()) <= {"a"}


def test_what_lies_beyond_a_follow_up_is_left_as_it_is():
    assert parse("x" * 600 + " cheaper").intents == ()
    assert parse("under " + "9" * 60).intents == ()
