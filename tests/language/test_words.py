from __future__ import annotations

from inkling.language._words import Words, words

TEA = ["绿茶壶很好看", "这个绿茶很香", "绿茶配足球", "买绿茶送杯子", "香浓绿茶！"]
BALL = ["足球射门", "看足球比赛", "足球很好玩", "踢足球去", "新足球，red ball"]
FILLING = ["小狗跑了", "天气晴朗", "电视坏了", "书架太高", "雨伞丢了"]


def test_words_without_spaces_are_those_that_the_texts_teach():
    found = Words.of([*TEA, *BALL, *FILLING])
    assert {"绿茶", "足球"} <= set(found.names)
    assert found.of_text(0, 3)[0] == "绿茶"
    assert not {name for name in found.names if "茶" in name and name != "绿茶"}  # no pair across a seam
    again = Words.of([*FILLING, *TEA[::-1], *BALL])
    assert again.names == found.names


def test_where_too_little_is_said_pairs_stand_in():
    found = Words.of(["绿茶壶", "绿茶杯", "足球门", "足球场", "小狗", "雨伞"])
    assert set(found.names) == {"绿茶", "足球"}
    assert words("绿茶壶") == ["绿茶", "茶壶"]


def test_what_a_text_is_compared_without_is_cut_alike():
    found = Words.of([*TEA, *BALL, *FILLING])
    assert "绿茶" not in found.of_text(0, 5, without=["绿茶"])
