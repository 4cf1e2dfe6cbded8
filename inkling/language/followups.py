"""What a follow-up to a list asks for: "cheaper", "more like the second", "not horror"; 便宜一点, 不要恐怖片.

Rules only, in English and Chinese. What no rule knows stays free text.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Literal, TypeAlias

import msgspec

from inkling.language import _followup_words as words

MOST_LETTERS = 500
"""A longer text is no follow-up; what lies beyond is left as it is."""
Kind = Literal[
    "cheaper",
    "dearer",
    "newer",
    "older",
    "more_popular",
    "less_popular",
    "other_brand",
    "others",
    "start_over",
]


class Relative(msgspec.Struct, frozen=True, tag="relative"):
    """More or less of something than what was shown."""

    kind: Kind
    strong: bool = False
    """Much more of it."""
    place: int = 0
    """Compared with the item at this place, from 1; -1 is the last, 0 is all that was shown."""


class Price(msgspec.Struct, frozen=True, tag="price"):
    """A price in numbers; None is no limit on that side."""

    low: float | None = None
    high: float | None = None
    inclusive: bool = False


class Like(msgspec.Struct, frozen=True, tag="like"):
    """More, or less, like the item at a place, from 1; -1 is the last."""

    place: int
    away: bool = False


class Without(msgspec.Struct, frozen=True, tag="without"):
    """Nothing that these words name."""

    words: str


Intent: TypeAlias = Relative | Price | Like | Without


class Followup(msgspec.Struct, frozen=True):
    """What was understood, in the order of the text, and the rest as free text."""

    intents: tuple[Intent, ...] = ()
    rest: str = ""


_INCLUSIVE = re.compile(
    r"at\s+most|at\s+least|up\s+to|no\s+more|no\s+less|max|min|不超过|不低于|不高于|不少于|最多|至少|以内|以下|以上|起",
    re.IGNORECASE,
)


def parse(text: str) -> Followup:
    """Return what a follow-up asks for. Never raises: what is not understood is the rest."""
    left = text[:MOST_LETTERS].replace(_GAP, " ")
    found: list[tuple[int, Intent]] = []
    for pattern, make in _RULES:
        left = _taken(left, pattern, make, found)
    rest = "" if _is_filler(left) else _tidy(left.replace(_GAP, " "))
    return Followup(
        tuple(intent for _, intent in sorted(found, key=lambda one: one[0])), (rest + text[MOST_LETTERS:]).strip()
    )


_GAP = "\x00"
_THOUSANDS = re.compile(r"\d{1,3},\d{3}")
_LARGEST = 1e12
_Make: TypeAlias = Callable[[re.Match[str]], Intent | None]


def _taken(text: str, pattern: re.Pattern[str], make: _Make, found: list[tuple[int, Intent]]) -> str:
    """Return the text with what a rule understood blanked out, so that places stay where they were."""

    def take(match: re.Match[str]) -> str:
        intent = make(match)
        if intent is None:
            return match.group()
        found.append((match.start(), intent))
        return _GAP * len(match.group())

    return pattern.sub(take, text)


def _group(match: re.Match[str], *names: str) -> str:
    return next((value for name in names if (value := match.groupdict().get(name))), "")


def _number(text: str) -> float | None:
    """Return an amount: ``1,000`` is a thousand, ``4,95`` has a decimal comma; None where it is no sensible price."""
    if not text:
        return None
    value = float(text.replace(",", "") if _THOUSANDS.fullmatch(text) else text.replace(",", "."))
    return value if value < _LARGEST else None


def _place(match: re.Match[str]) -> int:
    for tag in ("a", "b"):
        if digits := _group(match, f"n{tag}"):
            return int(digits)
        if word := _group(match, f"w{tag}"):
            return words.NUMBERS[word.lower()]
        if word := _group(match, f"z{tag}"):
            return int(word) if word.isdigit() else words.NUMBERS[word]
        if _group(match, f"zl{tag}"):
            return -1
    return 0


def _between(match: re.Match[str]) -> Intent | None:
    low, high = _number(_group(match, "low", "low2")), _number(_group(match, "high", "high2"))
    if low is None or high is None:
        return None
    return Price(min(low, high), max(low, high), inclusive=True)


def _under(match: re.Match[str]) -> Intent | None:
    high = _number(_group(match, "en", "zh", "zh2"))
    return None if high is None else Price(high=high, inclusive=bool(_INCLUSIVE.search(match.group())))


def _over(match: re.Match[str]) -> Intent | None:
    low = _number(_group(match, "en", "zh", "zh2"))
    return None if low is None else Price(low=low, inclusive=bool(_INCLUSIVE.search(match.group())))


def _relative(kind: Kind, *, strong: bool = False) -> _Make:
    return lambda match: Relative(kind, strong, _place(match))


def _like(*, away: bool) -> _Make:
    return lambda match: Like(place, away) if (place := _place(match)) else None


def _without(match: re.Match[str]) -> Intent | None:
    named = named_thing(_group(match, "en", "zh").replace(_GAP, " "))
    return None if not named or _is_filler(named) else Without(named)


def named_thing(text: str) -> str:
    """Return the words that name a thing without those around them: ``any horror movies please`` is ``horror``."""
    thing = re.sub(r"^(?:(?:with|any|the|a|an|more)\s+)+", "", _tidy(text), flags=re.IGNORECASE)
    while (bare := words.ZH_GENERIC.sub("", words.GENERIC.sub("", thing))) != thing:
        thing = bare
    return thing.strip(" 的")


_RULES: tuple[tuple[re.Pattern[str], _Make], ...] = (
    (words.START_OVER, _relative("start_over")),
    (words.BETWEEN, _between),
    (words.CHEAPER_THAN_PLACE, _relative("cheaper")),
    (words.DEARER_THAN_PLACE, _relative("dearer")),
    (words.UNDER, _under),
    (words.OVER, _over),
    (words.MUCH_CHEAPER, _relative("cheaper", strong=True)),
    (words.CHEAPER, _relative("cheaper")),
    (words.DEARER, _relative("dearer")),
    (words.UNLIKE, _like(away=True)),
    (words.LIKE, _like(away=False)),
    (words.OTHER_BRAND, _relative("other_brand")),
    (words.LESS_POPULAR, _relative("less_popular")),
    (words.MORE_POPULAR, _relative("more_popular")),
    (words.NEWER, _relative("newer")),
    (words.OLDER, _relative("older")),
    (words.OTHERS, _relative("others")),
    (words.WITHOUT, _without),
)


def _tidy(text: str) -> str:
    return re.sub(r"\s+", " ", text).strip(" ,.;:!?，。；：！？、-")


def _is_filler(text: str) -> bool:
    """Tell whether nothing is left but words that hold a sentence together."""
    bare = words.ZH_FILLER.sub(" ", text.replace(_GAP, " ").lower().replace("’", "'"))
    left = re.findall(r"[\w'$€£¥]+", bare)
    return all(word in words.FILLER for word in left)
