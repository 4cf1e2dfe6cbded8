from __future__ import annotations

from inkling.encoders.static import StaticEncoder
from inkling.testing.encoders import WISHES, EncoderContract, best


class TestContract(EncoderContract):
    name = "static"


def test_words_of_like_meaning_are_near():
    film, movie, soup = StaticEncoder().encode(["a good film", "a great movie", "tomato soup"])
    assert film @ movie > 0.3 + film @ soup


def test_an_english_wish_finds_its_two_things():
    text = "I like watching movies and travelling"
    items, wanted = WISHES[text]
    assert best(StaticEncoder(), text, items) == wanted


def test_it_tells_what_it_cannot_read():
    assert StaticEncoder().unknown_share(["red mug", "电影"]).tolist() == [0, 1]
    assert not StaticEncoder().encode(["电影"]).any()
