"""What a generative model may answer: the schema of each task, and what is refused though it fits the schema.

A model's output is data of a stranger. Markup and links are taken out, lengths are cut, and whatever names something
that was not given is refused as a whole.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal, TypeVar

import msgspec
from msgspec import Meta

Words = Annotated[str, Meta(max_length=4000)]
Few = Annotated[tuple[Words, ...], Meta(max_length=50)]

MOST_SENTENCE, MOST_TERM, MOST_TERMS = 300, 60, 8


class ItemNotes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's words about an item."""

    summary: Words
    keywords: Few = ()
    good_at: Few = ()
    bad_at: Few = ()


class PersonNotes(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A model's words about a person."""

    summary: Words
    likes: Few = ()
    dislikes: Few = ()
    cares_about: Few = ()


class Aspect(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A term of a review with its sentiment."""

    term: Words
    sentiment: Literal["positive", "negative", "neutral"]


class Aspects(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The aspects of one review."""

    aspects: Annotated[tuple[Aspect, ...], Meta(max_length=50)]


class Choice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One possible answer to a question, and the items that it stands for."""

    label: Words
    item_ids: Annotated[tuple[str, ...], Meta(min_length=1, max_length=50)]


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A question to somebody new."""

    question: Words
    choices: Annotated[tuple[Choice, ...], Meta(min_length=2, max_length=6)]


class Questions(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A few questions to somebody new."""

    questions: Annotated[tuple[Question, ...], Meta(min_length=1, max_length=5)]


class Why(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A reason for one item, and the numbers of the facts that it rests on, from 0."""

    item_id: str
    text: Words
    facts: Annotated[tuple[int, ...], Meta(min_length=1, max_length=20)]


class Reasons(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Reasons for the items of an answer."""

    reasons: Annotated[tuple[Why, ...], Meta(min_length=1, max_length=50)]


T = TypeVar("T", bound=msgspec.Struct)


class Refused(Exception):  # noqa: N818 - not an error of the caller: the deterministic words are used
    """An output that cannot be used, with the reason."""


_TAG = re.compile(r"<(script|style)\b[^>]*>.*?(?:</\1\s*>|$)|<[^>]{0,300}>", re.IGNORECASE | re.DOTALL)
_MD_LINK = re.compile(r"!?\[([^\]]{0,300})\]\([^)]{0,1000}\)")
_LINK = re.compile(r"(?:\b(?:https?|ftp|javascript|data|mailto):|\bwww\.)\S+|\b\S+@\S+\.\w+", re.IGNORECASE)
_MARK = re.compile(r"[`*_#>|~]{1,}|&(?:[a-z]{2,8}|#\d{1,6});")
_JSON = re.compile(r"\{.*\}", re.DOTALL)
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_QUOTED = re.compile(r"[“\"《「『‘]([^”\"》」』’]{1,200})[”\"》」』’]")
_NAME = re.compile(r"(?<![.!?:]\s)(?<!^)\b[A-Z][\w'-]{2,}")
_CLAIM = re.compile(
    r"%|\b(?:free|sale|discount\w*|cheap\w*|offer|award\w*|guarantee\w*|best|bestsell\w*|cure\w*|proven|official|limited|"
    r"exclusive|organic|safe|warranty|refund\w*|certified|rated|stars?)\b|免费|打折|优惠|特价|保证|获奖|最好|第一|官方|认证|限量|独家|包邮",
    re.IGNORECASE,
)


_PASSES = 12


def clean(text: str, most: int) -> str:
    """Return plain words: no markup, no links, no control characters, one line, at most ``most`` characters.

    What is left when markup goes can be markup again (``ht<tp://``), so words are cleaned until nothing changes; words
    that still change after a dozen passes were built to, and nothing of them is kept.
    """
    for _ in range(_PASSES):
        plain = _plain(text)
        plain = plain if len(plain) <= most else plain[: most - 1].rstrip() + "…"
        if plain == text:
            return plain
        text = plain
    return ""


def _plain(text: str) -> str:
    """Return words after one pass over them."""
    text = _MD_LINK.sub(r"\1", _TAG.sub(" ", text))
    text = _MARK.sub(" ", _LINK.sub(" ", text)).replace("<", "")
    text = "".join(" " if unicodedata.category(letter)[0] in "CZ" else letter for letter in text)
    return re.sub(r"\s+", " ", text).strip()


def decode(text: str, shape: type[T]) -> T:
    """Return the first object of a model's output as a ``shape``.

    Raises:
        Refused: There is none, or it does not fit.
    """
    found = _JSON.search(text[:200_000])
    if found is None:
        raise Refused("there is no JSON object in it")
    try:
        return msgspec.json.decode(found.group().encode("utf-8", "replace"), type=shape)
    except (msgspec.MsgspecError, RecursionError, UnicodeError) as error:
        raise Refused(str(error)) from error


def checked(answer: msgspec.Struct, facts: Mapping[str, Any]) -> Any:
    """Return an answer in clean words, with nothing in it that was not given.

    Raises:
        Refused: It names items or facts that are not among ``facts``, or nothing is left of it.
    """
    if isinstance(answer, ItemNotes):
        terms = [_terms(part) for part in (answer.keywords, answer.good_at, answer.bad_at)]
        return ItemNotes(_summary(answer.summary, facts), *terms)
    if isinstance(answer, PersonNotes):
        terms = [_terms(part) for part in (answer.likes, answer.dislikes, answer.cares_about)]
        return PersonNotes(_summary(answer.summary, facts), *terms)
    if isinstance(answer, Aspects):
        return _aspects(answer, str(facts.get("review", "")))
    if isinstance(answer, Questions):
        return _questions(answer, {str(item["item_id"]) for item in facts["items"]})
    if isinstance(answer, Reasons):
        return _reasons(answer, {str(item["item_id"]): item for item in facts["items"]})
    raise Refused(f"{type(answer).__name__} is no known answer")


def _summary(text: str, facts: Mapping[str, Any]) -> str:
    words = _needed(text)
    _grounded(words, msgspec.json.encode(facts).decode())
    return words


def _needed(text: str, most: int = MOST_SENTENCE) -> str:
    words = clean(text, most)
    if not words:
        raise Refused("a text is empty once markup and links are gone")
    return words


def _terms(terms: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(word for term in terms if (word := clean(term, MOST_TERM))))[:MOST_TERMS]


def _aspects(answer: Aspects, review: str) -> Aspects:
    said = review.casefold()
    kept = [Aspect(clean(one.term, MOST_TERM), one.sentiment) for one in answer.aspects]
    for one in kept:
        if not one.term or one.term.casefold() not in said:
            raise Refused(f"the review does not say '{one.term}'")
    return Aspects(tuple(dict.fromkeys(kept)))


def _questions(answer: Questions, known: set[str]) -> Questions:
    for question in answer.questions:
        for choice in question.choices:
            if strange := set(choice.item_ids) - known:
                raise Refused(f"no item '{sorted(strange)[0][:40]}' was given")
    return Questions(
        tuple(
            Question(_needed(one.question), tuple(Choice(_needed(c.label, MOST_TERM), c.item_ids) for c in one.choices))
            for one in answer.questions
        )
    )


def _reasons(answer: Reasons, known: Mapping[str, Mapping[str, Any]]) -> Reasons:
    return Reasons(tuple(_why(one, known) for one in answer.reasons))


def _why(one: Why, known: Mapping[str, Mapping[str, Any]]) -> Why:
    if one.item_id not in known:
        raise Refused(f"no item '{one.item_id[:40]}' was given")
    item = known[one.item_id]
    facts: Sequence[str] = item["facts"]
    if not all(0 <= at < len(facts) for at in one.facts):
        raise Refused(f"{len(facts)} facts were given for '{one.item_id[:40]}', and another is named")
    text = _needed(one.text, 200)
    _grounded(text, " ".join([str(item.get("title", "")), *facts]))
    return Why(one.item_id, text, one.facts)


def _grounded(text: str, given: str) -> None:
    """Refuse words that claim what is not given: numbers, quotations, names, and promises."""
    low = given.casefold()
    for number in _NUMBER.findall(text):
        if number not in _NUMBER.findall(given):
            raise Refused(f"the facts do not say {number}")
    for pattern in (_QUOTED, _NAME, _CLAIM):
        for named in pattern.findall(text):
            if named.casefold() not in low:
                raise Refused(f"the facts do not say '{named[:40]}'")
