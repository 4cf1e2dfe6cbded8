import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from inkling.language.clean import CleanRules, clean, clean_all


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("<p>Great <b>mug</b>!</p>", "Great mug!"),
        ("Tom &amp;amp; Jerry &lt;3", "Tom & Jerry <3"),
        ("a < b and c > d", "a < b and c > d"),
        ("so\u200bft\x07 and\u00adhard\ufeff", "soft andhard"),
        ("Soooooo good!!!!!!!", "Sooo good!!!"),
        ("10000 and 1,000,000", "10000 and 1,000,000"),
        ("wait... what??", "wait... what??"),
        ("see https://www.shop.example/a/b?c=1, now", "see shop.example, now"),
        ("见https://a.example/x。", "见a.example。"),
        ("www.foo.example rocks", "foo.example rocks"),
        ("ＡＢＣ１２３ size", "ABC123 size"),
        ("好！！！！！很好，１００％", "好！！！很好，100%"),
        ("ｶﾀｶﾅ　です", "カタカナ です"),
        ("Ｇｏｏｄ！", "Good!"),
        ("哈哈哈哈哈哈", "哈哈哈"),
        ("好 ，吃", "好，吃"),
        ("  many\t\n spaces ", "many spaces"),
        ("Crème brûlée 👍👍", "Crème brûlée 👍👍"),
        ("\ud800broken", "broken"),
        ("", ""),
    ],
)
def test_what_carries_no_meaning_goes(text, wanted):
    assert clean(text) == wanted


def test_rules():
    assert clean("see https://a.example/x now", CleanRules(links="drop")) == "see now"
    assert clean("see https://a.example/x now", CleanRules(links="keep")) == "see https://a.example/x now"
    assert clean("nooo", CleanRules(repeats=1)) == "no"
    assert clean("Ａ", CleanRules(widths=False)) == "Ａ"
    assert clean_all(["<i>x</i>", " y "]) == ["x", "y"]


NASTY = st.lists(
    st.sampled_from(
        ["<", ">", "b", "/", "&", "amp;", "lt;", "gt;", "#60;", "http://", "www.", ".", "a.b", "!", "！", "。", "，",
         " ", "\u3000", "Ａ", "ﾊ", "ﾟ", "好", "e", "\u0301", "1", "\u200b", "<!--", "-->", "script", "@", "(", "\n"]
    ), max_size=24,
).map("".join)  # fmt: skip


@given(st.one_of(st.text(max_size=40), NASTY))
@example("&amp;amp;lt;b&amp;amp;gt;x")
@example("wwww.www.www.x")
@example("http://http://a.b")
def test_cleaning_a_cleaned_text_changes_nothing(text):
    once = clean(text)
    assert clean(once) == once
    assert once == once.strip()


@given(st.lists(st.from_regex(r"[A-Za-z]{1,3}[0-9]{0,5}", fullmatch=True), min_size=1, max_size=8))
def test_words_and_numbers_stay(words):
    text = " ".join(words)
    assert clean(text, CleanRules(repeats=9, links="keep")) == text
