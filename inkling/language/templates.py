"""Behaviour into text: a history, with what is known around it, as a language model reads it."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Annotated, Literal

import msgspec

from inkling.core.arrays import I64
from inkling.core.config import Config
from inkling.core.errors import ConfigError, nearest
from inkling.core.query import History, Query
from inkling.language._moments import ago, daypart, number, stars, weekday
from inkling.language._template_parts import Value, filled, parsed

Language = Literal["en", "zh"]

EVENT_FIELDS = ("title", "event", "value", "stars", "ago", "gap", "daypart", "weekday")
PERSON_FIELDS = ("events", "n_events", "daypart", "weekday", "text")
CONTEXTS = ("device", "place", "country", "city", "channel", "weather")

_SPACES = re.compile(r"[ \t]{2,}")


class Template(Config, frozen=True, kw_only=True):
    """How a history is told. A field stands in braces; ``[...]`` is left out where a field in it is not known.

    Nothing but names may stand in braces: no attribute, no index, no format. ``{{``, ``}}``, ``[[`` and ``]]`` are the
    characters themselves.
    """

    event: str = "{event}: {title}[ ({stars})][, {ago}]"
    """An event, by title, event (its name), value, stars, ago, gap (since the event before), daypart, weekday."""
    person: str = "[{daypart}, {weekday}. ][{device}. ][{place}. ][{country}. ]{events}[ {text}]"
    """The whole, by events, n_events, daypart, weekday, text (what is asked), and the contexts."""
    separator: str = "; "
    """Stands between events."""
    contexts: tuple[str, ...] = CONTEXTS
    """Names of contexts that ``person`` may speak of; one that a person does not have is not known."""
    language: Language = "en"
    """Of the words for times and days."""
    max_events: Annotated[int, msgspec.Meta(ge=1)] = 20
    """At most so many events, the newest first."""
    max_characters: Annotated[int, msgspec.Meta(ge=1)] = 1000
    """Events are told, the newest first, as long as all of them together are not longer."""
    positive_only: bool = False
    """Whether only what speaks for an item is told."""
    event_names: dict[str, str] = {}
    """Event name -> the word for it; others are told by their name."""

    def __post_init__(self) -> None:
        """Read both texts.

        Raises:
            ConfigError: A brace is left open, a field is not known, or an optional part stands in another.
        """
        parsed(self.event, EVENT_FIELDS, "event")
        parsed(self.person, (*PERSON_FIELDS, *self.contexts), "person")


TEMPLATES: Mapping[str, Template] = {
    "en": Template(
        event_names={"purchase": "bought", "rating": "rated", "view": "looked at", "click": "clicked", "play": "played"}
    ),
    "zh": Template(
        event="{event}《{title}》[（{stars}）][，{ago}]",
        person="[{daypart}，{weekday}。][{device}。][{place}。][{country}。]{events}[。{text}]",
        separator="；",
        language="zh",
        event_names={
            "purchase": "购买",
            "rating": "评价",
            "view": "浏览",
            "click": "点击",
            "play": "播放",
            "interaction": "选择",
        },
    ),
    "titles": Template(event="{title}", person="{events}", max_characters=600, positive_only=True),
}
"""Ready templates by name: a sentence in English or Chinese, or titles alone, which leaves the most room."""


@dataclass(frozen=True)
class Around:
    """What is known besides the history of B people.

    Attributes:
        now: (B,) when they are asked; None where that is not known.
        event_names: The words that the history's event codes stand for.
        context: Name -> B values.
        texts: B texts that were asked, or none.
        timed: Whether times are real; where they are an order only, no time is told.
    """

    now: I64 | None = None
    event_names: Sequence[str] = ()
    context: Mapping[str, Sequence[str | None]] = field(default_factory=dict)
    texts: Sequence[str | None] = ()
    timed: bool = True

    @classmethod
    def of(cls, query: Query, event_names: Sequence[str] = (), *, timed: bool = True) -> Around:
        """Return what a question tells of the people it is about."""
        return cls(query.now, event_names, query.context, query.texts, timed)


def template_of(name: str) -> Template:
    """Return a ready template.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in TEMPLATES:
        raise ConfigError(f"There is no template '{name}'.", hint=nearest(name, TEMPLATES))
    return TEMPLATES[name]


def describe(
    history: History, titles: Sequence[str], template: Template | None = None, around: Around | None = None
) -> list[str]:
    """Return one text for each of B people; "" for one of whom there is nothing to tell.

    Args:
        history: What they did. Items without a title, or beyond ``titles``, are passed over.
        titles: The items' titles (n_items).
        template: How it is told; English where it is left out.
        around: What is known besides.
    """
    teller = _Teller(template or TEMPLATES["en"], titles, around or Around())
    return [teller.person(history, row) for row in range(len(history))]


class _Teller:
    """One template over one batch."""

    def __init__(self, template: Template, titles: Sequence[str], around: Around) -> None:
        self.template, self.titles, self.around = template, titles, around
        self.event_parts = parsed(template.event, EVENT_FIELDS, "event")
        self.person_parts = parsed(template.person, (*PERSON_FIELDS, *template.contexts), "person")

    def person(self, history: History, row: int) -> str:
        told = self._events(history, row)
        now = None if self.around.now is None or not self.around.timed else int(self.around.now[row])
        text = self.around.texts[row] if row < len(self.around.texts) else None
        known: dict[str, Value] = {name: self._context(name, row) for name in self.template.contexts}
        if not told and not text and not any(known.values()):
            return ""
        language = self.template.language
        known["events"] = self.template.separator.join(told)
        known["n_events"] = str(len(told))
        known["daypart"], known["weekday"] = daypart(now, language), weekday(now, language)
        known["text"] = text or None
        return _SPACES.sub(" ", filled(self.person_parts, known)).strip()

    def _context(self, name: str, row: int) -> Value:
        values = self.around.context.get(name, ())
        return values[row] if row < len(values) else None

    def _events(self, history: History, row: int) -> list[str]:
        """Return the events of one person as they are told, the newest first, within the limits."""
        begin, end = int(history.offsets[row]), int(history.offsets[row + 1])
        found: list[str] = []
        left = self.template.max_characters
        for at in range(end - 1, begin - 1, -1):
            title = self._title(int(history.item_rows[at]))
            if not title or (self.template.positive_only and history.weights[at] <= 0):
                continue
            told = filled(self.event_parts, self._fields(history, row, at, title))[: self.template.max_characters]
            left -= len(told) + (len(self.template.separator) if found else 0)
            if left < 0 or len(found) == self.template.max_events:
                break
            found.append(told)
        return found

    def _title(self, item_row: int) -> str:
        return self.titles[item_row] if 0 <= item_row < len(self.titles) else ""

    def _fields(self, history: History, row: int, at: int, title: str) -> dict[str, Value]:
        template, language, around = self.template, self.template.language, self.around
        code = int(history.events[at])
        name = around.event_names[code] if 0 <= code < len(around.event_names) else "interaction"
        moment = int(history.ts[at]) if around.timed else None
        before = int(history.ts[at - 1]) if around.timed and at > int(history.offsets[row]) else None
        now = None if around.now is None or not around.timed else int(around.now[row])
        value = float(history.values[at])
        return {
            "title": title,
            "event": template.event_names.get(name, name),
            "value": number(value),
            "stars": stars(value),
            "ago": ago(now, moment, language, suffix=True),
            "gap": ago(moment, before, language, suffix=False),
            "daypart": daypart(moment, language),
            "weekday": weekday(moment, language),
        }
