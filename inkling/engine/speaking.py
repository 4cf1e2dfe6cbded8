"""Which language a person is answered in.

The first of these that names a language in which reasons exist:

1. ``language`` of the question;
2. ``language`` in the question's context;
3. the header ``Accept-Language`` (the server writes it into the question as ``language``);
4. the person's attribute ``language``;
5. ``language`` in the context of their last event;
6. their own words: the text of the question, else what they say about themselves;

else English. Tags such as ``zh-CN``, ``zh_Hans`` or ``Chinese`` are understood; another language is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import msgspec

from inkling.engine.base import Ask
from inkling.engine.reasons import LANGUAGES
from inkling.language.detect import detect

if TYPE_CHECKING:
    from inkling.engine.live import LiveViews

FALLBACK = "en"
_NAMES = {"english": "en", "eng": "en", "chinese": "zh", "mandarin": "zh", "cmn": "zh", "zho": "zh", "中文": "zh"}
_MOST_LETTERS = 500


def spoken(question: Ask, inside: Ask, views: LiveViews) -> Ask:
    """Return a question whose answer has words in it with its language resolved.

    Args:
        question: As it was asked.
        inside: The same with the ids under which people are known inside.
        views: What is known of the person.
    """
    if question.language or not (question.explain or question.text or question.after):
        return question
    return msgspec.structs.replace(question, language=language_of(inside, views))


def language_of(question: Ask, views: LiveViews) -> str:
    """Return the language in which whoever asks is answered; the order is at the head of this file."""
    return next((found for tag in _told(question, views) if (found := known(tag))), FALLBACK)


def _told(question: Ask, views: LiveViews) -> Iterator[Any]:
    yield question.language
    yield question.context.get("language")
    row = views.state.row_of(question.user_id, question.session_id)
    attributes = views.people.get(row) or {}
    used = not views.people.opted_out(row) and question.user_id not in views.consent.not_used
    if used:
        yield attributes.get("language")
        yield views.contexts.get(row, {}).get("language")
    yield language_of_text(question.text or "")
    if used:
        yield language_of_text(str(attributes.get("about") or ""))


def known(tag: Any) -> str:
    """Return the language of a tag or name, such as "zh-Hant"; "" where it is no language that reasons exist in."""
    if not isinstance(tag, str):
        return ""
    first = re.split(r"[-_]", tag.strip().lower(), maxsplit=1)[0]
    found = _NAMES.get(first, first)
    return found if found in LANGUAGES else ""


def accepted(header: str) -> str:
    """Return the best language of an ``Accept-Language`` header in which reasons exist; "" for none.

    RFC 9110, 12.5.4: ``q`` weighs (1 where it is missing, 0 refuses), and of equal weights the first counts.
    """
    best, language = 0.0, ""
    for part in header[:1000].split(","):
        tag, _, rest = part.partition(";")
        weight = _weight(rest)
        if weight > best and known(tag):
            best, language = weight, known(tag)
    return language


def _weight(parameters: str) -> float:
    found = re.search(r"(?:^|;)\s*q\s*=\s*([0-9.]+)\s*(?:;|$)", parameters)
    try:
        return float(found.group(1)) if found else 0.0 if parameters.strip() else 1.0
    except ValueError:
        return 0.0


def language_of_text(text: str) -> str:
    """Return the language that a text is in; "" where it cannot be told, or where reasons do not exist in it."""
    if text.isascii():  # whatever else it may be, only English reasons suit it
        return "en" if any(c.isalpha() for c in text[:_MOST_LETTERS]) else ""
    return known(detect(text[:_MOST_LETTERS]).language)
