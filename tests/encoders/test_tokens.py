from __future__ import annotations

import numpy as np
import pytest

from inkling.encoders._tokens import flatten, tokens, unknown_shares


@pytest.mark.parametrize(
    ("text", "share"),
    [("hello world", 0), ("café à la crème", 0), ("£5 mug, 20%", 0), ("电影", 1), ("中国", 1), ("Фильмы", 1),
     ("red mug 电影", 0.5),
     ("", 1), ("日本の映画", 1)],
)  # fmt: skip
def test_letters_that_english_text_hardly_shows_count_as_unknown(text, share):
    assert tokens(256).unknown_share([text])[0] == pytest.approx(share)


def test_shares_of_rows_with_and_without_tokens():
    learned = np.array([False, True])
    assert unknown_shares([[0, 1], [], [1], [0, 0, 0, 1]], learned).tolist() == [0.5, 1, 0, 0.75]
    assert unknown_shares([], learned).shape == (0,)


def test_flatten_keeps_order_and_sizes():
    flat, sizes = flatten([[3, 1], [], [2]])
    assert flat.tolist() == [3, 1, 2]
    assert sizes.tolist() == [2, 0, 1]


def test_at_most_so_many_tokens():
    assert len(tokens(8).ids(["one two three four five six seven eight nine"], special=True)[0]) == 8
