"""Profiles in words, in English and Chinese."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from inkling.language._aspects_words import aspect_name

if TYPE_CHECKING:
    from inkling.language.profiles import ItemProfile, PersonProfile

Lines = list[tuple[str, str]]
_NAMES = {
    "en": {
        "about": "About", "likes": "Likes", "dislikes": "Dislikes", "decades": "Mostly from", "keywords": "Words",
        "favourites": "Favourites", "cares_about": "Cares about", "asked": "Looked for", "categories": "Categories",
        "good_at": "Good at", "bad_at": "Less good at", "said": "Reviewers say",
    },
    "zh": {
        "about": "自述", "likes": "喜欢", "dislikes": "不喜欢", "decades": "年代", "keywords": "关键词",
        "favourites": "最爱", "cares_about": "看重", "asked": "找过", "categories": "类别",
        "good_at": "优点", "bad_at": "不足", "said": "用户评价",
    },
}  # fmt: skip
_COMMA = {"en": ", ", "zh": "、"}
_QUOTE = "“{}”"
_PERSON = ("about", "likes", "dislikes", "decades", "keywords", "favourites", "cares_about", "asked")
_ITEM = ("categories", "keywords", "good_at", "bad_at", "said")
_QUOTED = frozenset({"said", "asked"})
_ASPECTS = frozenset({"good_at", "bad_at", "cares_about"})


def person_lines(profile: PersonProfile, language: str) -> Lines:
    """Return a person's profile as named lines; what is not known has no line."""
    return _lines(profile, _PERSON, language)


def item_lines(profile: ItemProfile, language: str) -> Lines:
    """Return an item's profile as named lines, its title and summary first."""
    head = [("", text) for text in (profile.title, profile.summary) if text]
    return head + _lines(profile, _ITEM, language)


def sentence(profile: PersonProfile, language: str, *, n_titles: int) -> str:
    """Return a person in one sentence; "" where nothing is known."""
    return _chinese(profile, n_titles) if language == "zh" else _english(profile, n_titles)


def _lines(profile: ItemProfile | PersonProfile, names: Sequence[str], language: str) -> Lines:
    known = language if language in _NAMES else "en"
    found = []
    for name in names:
        value = getattr(profile, name)
        if value:
            quote = _QUOTE if name in _QUOTED else "{}"
            if name in _ASPECTS:
                value = [aspect_name(one, known) for one in value]
            text = value if isinstance(value, str) else _COMMA[known].join(quote.format(one) for one in value)
            found.append((_NAMES[known][name], text))
    return found


def _english(profile: PersonProfile, n_titles: int) -> str:
    parts = []
    if profile.about:
        parts.append(f"Says: {profile.about.strip().rstrip('.!')}")
    likes = _and(profile.likes, "en")
    if likes or profile.keywords:
        about = f"{'things ' if not likes else ''}about {_and(profile.keywords[:4], 'en')}" if profile.keywords else ""
        parts.append(" ".join(word for word in ("Likes", likes, about) if word))
    if profile.decades:
        parts.append(f"mostly from the {_and(profile.decades, 'en')}")
    if titles := profile.favourites[:n_titles]:
        parts.append(f"{'such as' if likes or profile.keywords else 'Likes'} {_and(titles, 'en')}")
    if profile.cares_about:
        parts.append(f"cares about {_and([aspect_name(one) for one in profile.cares_about], 'en')}")
    if profile.dislikes:
        parts.append(f"dislikes {_and(profile.dislikes, 'en')}")
    text = ", ".join(parts)
    return f"{text[0].upper()}{text[1:]}." if text else ""


def _chinese(profile: PersonProfile, n_titles: int) -> str:
    parts = []
    if profile.about:
        parts.append(f"自述：{profile.about.strip().rstrip('。.！!')}")
    if profile.likes:
        parts.append(f"喜欢{_and(profile.likes, 'zh')}")
    if profile.keywords:
        parts.append(f"常选与{_and(profile.keywords[:4], 'zh')}有关的内容")
    if profile.decades:
        parts.append(f"多为{_and([name.replace('s', '年代') for name in profile.decades], 'zh')}")
    if titles := profile.favourites[:n_titles]:
        shown = _and([f"《{title}》" for title in titles], "zh")
        parts.append(f"例如{shown}" if profile.likes or profile.keywords else f"喜欢{shown}")
    if profile.cares_about:
        parts.append(f"看重{_and([aspect_name(one, 'zh') for one in profile.cares_about], 'zh')}")
    if profile.dislikes:
        parts.append(f"不喜欢{_and(profile.dislikes, 'zh')}")
    return "，".join(parts) + "。" if parts else ""


def _and(words: Sequence[str], language: str) -> str:
    """Join words as people do."""
    if len(words) < 2:
        return "".join(words)
    last = " and " if language == "en" else "和"
    return f"{_COMMA[language].join(words[:-1])}{last}{words[-1]}"
