"""Cursors: pages never repeat an item, reflect their version, and a cursor that is altered or too old says so."""

from __future__ import annotations

import base64
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

import inkling
from inkling.core.errors import CursorError
from inkling.core.recommendation import RecommendedItem
from inkling.engine import paging
from inkling.engine.base import Ask

N = 23


@pytest.fixture(scope="module")
def shop():
    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": f"i{n}", "title": f"thing number {n}", "price": n} for n in range(N)])
        engine.observe([{"user_id": f"u{n % 5}", "item_id": f"i{n * 3 % N}"} for n in range(40)])
        assert engine.read_all()
        yield engine


def walk(engine, user_id, **ask):
    """Return the pages of a list."""
    pages = [engine.recommend(user_id, **ask)]
    while pages[-1].cursor is not None:
        pages.append(engine.recommend(user_id, cursor=pages[-1].cursor, **ask))
    return pages


@pytest.mark.parametrize("ask", [{"k": 4}, {"k": 23}, {"k": 5, "text": "a thing"}, {"k": 2, "exclude": ["i1", "i2"]}])
def test_all_pages_together_show_every_item_once(shop, ask):
    pages = walk(shop, "new", **ask)
    shown = [item_id for page in pages for item_id in page.item_ids]
    assert len(shown) == len(set(shown)) == N - len(ask.get("exclude", ()))
    assert pages[0].item_ids == shop.recommend("new", **ask).item_ids
    assert not set(shown) & set(ask.get("exclude", ()))


def test_pages_of_many_people_at_once(shop):
    first = shop.recommend(["u1", "u2"], k=3)
    second = [shop.recommend(user, k=3, cursor=page.cursor) for user, page in zip(["u1", "u2"], first, strict=True)]
    for one, two in zip(first, second, strict=True):
        assert not set(one.item_ids) & set(two.item_ids)


def test_what_happens_between_two_pages_repeats_nothing():
    with inkling.open("memory://") as engine:
        engine.put_items([{"item_id": f"i{n}", "title": f"thing {n}"} for n in range(9)])
        first = engine.recommend("ann", k=3)
        version = engine.observe([{"user_id": f"u{n}", "item_id": first.item_ids[n % 3]} for n in range(20)])
        engine.delete_item(next(f"i{n}" for n in range(9) if f"i{n}" not in first.item_ids))
        second = engine.recommend("ann", k=3, cursor=first.cursor)
        assert second.version >= version > first.version
        third = engine.recommend("ann", k=3, cursor=second.cursor)
        assert len({*first.item_ids, *second.item_ids, *third.item_ids}) == 8
        assert third.cursor is None


def test_a_page_reflects_the_version_of_the_page_before(shop):
    first = shop.recommend("u1", k=3)
    page = paging.opened(Ask(user_id="u1", k=3, cursor=first.cursor))
    assert page.question.min_version == first.version
    assert page.question.cursor is None
    later = paging.opened(Ask(user_id="u1", k=3, cursor=first.cursor, min_version=first.version + 7))
    assert later.question.min_version == first.version + 7


def test_length_reasons_and_language_may_change_from_page_to_page(shop):
    first = shop.recommend("u1", k=3)
    second = shop.recommend("u1", k=7, cursor=first.cursor, explain=True, language="zh")
    assert len(second.items) == 7
    assert second.items[0].reason is not None
    assert not set(first.item_ids) & set(second.item_ids)


@pytest.mark.parametrize(
    "other", [{"user_id": "u2"}, {"text": "a thing"}, {"exclude": ("i1",)}, {"context": {"a": "b"}}]
)
def test_a_cursor_of_another_question_is_refused(shop, other):
    first = shop.recommend("u1", k=3)
    with pytest.raises(CursorError, match="belongs to another question"):
        shop.ask(Ask(**{"user_id": "u1", "k": 3, "cursor": first.cursor, **other}))


@pytest.mark.parametrize("cursor", ["", "x", "====", "ä", "A" * 500_000, base64.urlsafe_b64encode(b"x" * 40).decode()])
def test_what_is_no_cursor_is_refused(shop, cursor):
    with pytest.raises(CursorError, match="none that an answer gave"):
        shop.recommend("u1", cursor=cursor)


@given(place=st.integers(0, 10_000), letter=st.sampled_from("ABCxyz019-_"))
def test_an_altered_letter_is_noticed(place, letter):
    question = Ask(user_id="ann", k=2)
    items = [RecommendedItem(f"item {n}", 1.0, "popular") for n in range(2)]
    cursor = paging.opened(question).cursor(question, items, 7)
    place %= len(cursor)
    altered = cursor[:place] + letter + cursor[place + 1 :]
    raw = [base64.urlsafe_b64decode(text + "=" * (-len(text) % 4)) for text in (cursor, altered)]
    if raw[0] != raw[1]:
        with pytest.raises(CursorError, match="none that an answer gave"):
            paging.opened(Ask(user_id="ann", k=2, cursor=altered))


def test_a_cursor_lives_ten_minutes(shop, monkeypatch):
    first, now = shop.recommend("u1", k=3), time.time()
    monkeypatch.setattr(paging.time, "time", lambda: now + 598)
    assert shop.recommend("u1", k=3, cursor=first.cursor).items
    monkeypatch.setattr(paging.time, "time", lambda: now + 603)
    with pytest.raises(CursorError, match="older than 10 minutes"):
        shop.recommend("u1", k=3, cursor=first.cursor)


def test_a_bomb_of_zeros_is_not_unpacked():
    import zlib

    packed = b"z" + zlib.compress(b"\0" * 50_000_000)
    cursor = base64.urlsafe_b64encode(paging._check(packed) + packed).decode()
    with pytest.raises(CursorError, match="none that an answer gave"):
        paging.opened(Ask(user_id="ann", cursor=cursor))


@given(st.lists(st.text(min_size=1, max_size=30), unique=True, min_size=1, max_size=300))
def test_a_cursor_carries_any_ids(ids):
    question = Ask(session_id="s", k=len(ids))
    cursor = paging.opened(question).cursor(question, [RecommendedItem(one, 0.5, "x") for one in ids], 3)
    page = paging.opened(Ask(session_id="s", k=1, cursor=cursor))
    assert page.shown == tuple(ids)
    assert page.question.exclude == tuple(ids)


def test_a_list_ends_somewhere():
    question = Ask(user_id="ann", k=1000)
    lines = [RecommendedItem(str(n), 0.5, "x") for n in range(1000)]
    page = paging.Page(question, tuple(f"old {n}" for n in range(paging.MOST_SHOWN - 999)))
    assert page.cursor(question, lines, 1) is None
    assert paging.Page(question, page.shown[:-1]).cursor(question, lines, 1) is not None
