"""The order in which a language is found, rule by rule."""

from __future__ import annotations

import pytest

import inkling
from inkling.core.errors import RequestError
from inkling.engine.base import Ask
from inkling.engine.speaking import accepted, known, language_of, language_of_text, spoken


@pytest.fixture
def engine(shop):
    with shop.fitted() as made:
        yield made


def kinds(engine, user, **ask):
    """Return in which language a person's first reason is."""
    text = engine.recommend(user, k=1, explain=True, **ask).items[0].reason.text
    return "zh" if any("一" <= c <= "鿿" for c in text) else "en"  # titles in it stay as they are


def test_each_rule_gives_way_to_the_one_before(engine):
    views = engine.views
    assert language_of(Ask(user_id="u0"), views) == "en"
    engine.put_users([{"user_id": "u0", "about": "我喜欢猫，也喜欢喝茶"}])
    assert language_of(Ask(user_id="u0"), views) == "zh"
    assert language_of(Ask(user_id="u0", text="a bed for my cat"), views) == "en"
    engine.observe([{"user_id": "u0", "item_id": "cat-bed", "event": "view", "context": {"language": "zh-CN"}}])
    assert language_of(Ask(user_id="u0", text="a bed for my cat"), views) == "zh"
    engine.put_users([{"user_id": "u0", "language": "en-GB", "about": "我喜欢猫"}])
    assert language_of(Ask(user_id="u0"), views) == "en"
    assert language_of(Ask(user_id="u0", context={"language": "zh"}), views) == "zh"
    assert language_of(Ask(user_id="u0", context={"language": "zh"}, language="en"), views) == "en"


def test_reasons_come_in_the_persons_language(engine):
    assert kinds(engine, "u0") == "en"
    engine.put_users([{"user_id": "u0", "language": "zh_Hans"}])
    assert kinds(engine, "u0") == "zh"
    assert kinds(engine, "u0", language="en") == "en"
    assert kinds(engine, None, text="猫的玩具") == "zh"
    both = engine.recommend(["u0", "u1"], k=1, explain=True)
    assert ["与" in one.items[0].reason.text for one in both] == [True, False]


def test_what_is_said_of_somebody_who_opted_out_is_not_looked_at(engine):
    engine.put_users([{"user_id": "u0", "language": "zh", "about": "我喜欢猫"}])
    engine.observe([{"user_id": "u0", "event": "opt_out"}])
    assert language_of(Ask(user_id="u0"), engine.views) == "en"
    assert language_of(Ask(user_id="u0", text="猫的玩具"), engine.views) == "zh"


def test_another_language_is_passed_over_but_not_when_it_is_asked_for(engine):
    engine.put_users([{"user_id": "u0", "language": "fr", "about": "我喜欢猫"}, {"user_id": "u1", "language": 7}])
    assert language_of(Ask(user_id="u0"), engine.views) == "zh"
    assert language_of(Ask(user_id="u1"), engine.views) == "en"
    with pytest.raises(RequestError, match="language is 'fr'"):
        engine.recommend("u0", language="fr")


def test_only_answers_with_words_look_for_a_language(engine):
    plain = Ask(user_id="u0")
    assert spoken(plain, plain, engine.views) is plain
    worded = Ask(user_id="u0", explain=True)
    assert spoken(worded, worded, engine.views).language == "en"
    chosen = Ask(user_id="u0", explain=True, language="zh")
    assert spoken(chosen, chosen, engine.views) is chosen


def test_people_are_known_by_their_pseudonyms(shop):
    from inkling.privacy.door import Privacy

    with inkling.open(scenario=shop.SCENARIO, privacy=Privacy(pseudonyms=True), secret=b"0123456789abcdef") as engine:
        engine.put_items(shop.ITEMS)
        engine.put_users([{"user_id": "ann", "language": "zh"}])
        assert kinds(engine, "ann", history=["cat-bed"]) == "zh"


@pytest.mark.parametrize(
    ("tag", "language"),
    [("zh", "zh"), ("zh-Hant-TW", "zh"), ("Chinese", "zh"), ("中文", "zh"), ("EN", "en"), ("en_US", "en"), ("fr", ""),
     ("", ""), (None, ""), (3, "")],
)  # fmt: skip
def test_tags(tag, language):
    assert known(tag) == language


@pytest.mark.parametrize(
    ("header", "language"),
    [
        ("zh-CN,zh;q=0.9,en;q=0.8", "zh"),
        ("fr-FR,fr;q=0.9,en;q=0.3,zh;q=0.5", "zh"),
        ("en, zh", "en"),
        ("zh;q=0, en;q=0.1", "en"),
        ("de", ""),
        ("*", ""),
        ("", ""),
        ("zh;q=nonsense", ""),
        ("zh;q=1.2.3", ""),
    ],
)
def test_headers(header, language):
    assert accepted(header) == language


@pytest.mark.parametrize(
    ("text", "language"),
    [
        ("我想要一个 Starbucks 杯子", "zh"),
        ("the film 电影 is really good", "en"),
        ("日本語のテキスト", ""),
        ("привет", ""),
        ("12 + 3 !", ""),
        ("", ""),
    ],
)
def test_texts(text, language):
    assert language_of_text(text) == language
