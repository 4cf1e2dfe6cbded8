"""What is known of an item or a person as a record that people can read and change, and as plain text."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any, TypeVar

import msgspec
import numpy as np

from inkling.core.arrays import F64, I32, I64
from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError, nearest
from inkling.core.query import History
from inkling.language._profile_text import Lines, item_lines, person_lines, sentence
from inkling.language._tastes import Tastes, disliked, favourites, liked, signs
from inkling.language._words import Words

_MAX_DESCRIPTION, _MAX_QUOTE = 300, 160
_FIXED = frozenset({"item_id", "user_id", "trained_until", "version", "edited"})
_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|(?<=[。！？])")


class ItemProfile(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What an item is and what people say about it."""

    item_id: str
    title: str = ""
    summary: str = ""
    """The first sentences of the description."""
    categories: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    """Words that tell its texts and reviews from others'."""
    good_at: tuple[str, ...] = ()
    """Aspects that its reviews praise."""
    bad_at: tuple[str, ...] = ()
    """Aspects that its reviews complain about."""
    said: tuple[str, ...] = ()
    """What reviewers say, newest first, shortened."""
    n_events: int = 0
    trained_until: int = 0
    edited: tuple[str, ...] = ()
    """Fields that a person wrote: a rebuild keeps them."""
    version: str = ""
    """``<trained_until>-<content hash>``."""


class PersonProfile(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """What a person likes, from what they did and said."""

    user_id: str
    about: str = ""
    """What they say of themselves."""
    likes: tuple[str, ...] = ()
    dislikes: tuple[str, ...] = ()
    decades: tuple[str, ...] = ()
    keywords: tuple[str, ...] = ()
    """Words that tell the things they chose from the rest."""
    favourites: tuple[str, ...] = ()
    """Titles of what they value most."""
    cares_about: tuple[str, ...] = ()
    """Aspects that matter to them."""
    asked: tuple[str, ...] = ()
    """What they looked for lately."""
    n_events: int = 0
    trained_until: int = 0
    edited: tuple[str, ...] = ()
    """Fields that a person wrote: a rebuild keeps them."""
    version: str = ""
    """``<trained_until>-<content hash>``."""


P = TypeVar("P", ItemProfile, PersonProfile)


@dataclass(frozen=True, slots=True)
class Line:
    """Something a person said that hangs on no item: a query, a chat line."""

    user_id: str
    ts: int
    text: str


@dataclass(frozen=True)
class Notes:
    """What goes into profiles besides the data: aspects by row in plain words, queries, and earlier profiles.

    Attributes:
        good_at: Item row -> (good at, bad at).
        cares_about: User row -> aspects.
        asked: Queries in any order; those after the data's moment are not looked at.
        kept: Id -> the profile as it was, whose edited fields stay.
    """

    good_at: Callable[[int], tuple[tuple[str, ...], tuple[str, ...]]] = lambda _: ((), ())
    cares_about: Callable[[int], tuple[str, ...]] = lambda _: ()
    asked: Sequence[Line] = ()
    kept: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Profiler:
    """Writes profiles from what ``data`` knows, never from later events; cut it to a moment with ``data.cut(ts)``.

    What is counted over all items is counted once.
    """

    data: Dataset
    notes: Notes = field(default_factory=Notes)

    def item(self, row: int) -> ItemProfile:
        """Return one item's profile, from the catalogue and its reviews."""
        title, description, categories = (self._columns[name][row] for name in ("title", "description", "categories"))
        names = tuple(str(name) for name in categories or ())
        good, bad = self.notes.good_at(row)
        profile = ItemProfile(
            item_id=self.data.item_ids.id_of(row),
            title=_plain(title),
            summary=shortened(_plain(description), _MAX_DESCRIPTION),
            categories=names,
            keywords=self._reviewed_words.of_text(row, 8, without=names),
            good_at=good,
            bad_at=bad,
            said=tuple(dict.fromkeys(shortened(text, _MAX_QUOTE) for text in self._reviews.get(row, ())))[:3],
            n_events=int(self._n_events[row]),
            trained_until=self.data.until,
        )
        return _finished(profile, self.notes.kept)

    def person(self, row: int) -> PersonProfile:
        """Return one person's profile, from their history, their queries and what they say of themselves."""
        own = self.data.interactions.histories(np.array([row], dtype=np.int32))
        felt, chosen, user_id = signs(own), own.weights > 0, self.data.user_ids.id_of(row)
        kinds = self._tastes.categories.opinions(own.item_rows, felt, chosen)
        likes, titles = liked(kinds, 4), self._columns["title"]
        profile = PersonProfile(
            user_id=user_id,
            about=self._about[row],
            likes=likes,
            dislikes=tuple(name for name in disliked(kinds, 2) if name not in likes),
            decades=liked(self._tastes.decades.opinions(own.item_rows, felt, chosen), 1),
            keywords=_keywords(self._words, own, felt, likes),
            favourites=tuple(str(titles[item]) for item in favourites(own, felt, 5).tolist() if titles[item]),
            cares_about=self.notes.cares_about(row),
            asked=tuple(self._asked.get(user_id, ())[:5]),
            n_events=len(own.item_rows),
            trained_until=self.data.until,
        )
        return _finished(profile, self.notes.kept)

    @cached_property
    def _columns(self) -> dict[str, list[Any]]:
        frame, names = self.data.items.frame, ("title", "description", "categories")
        return {name: frame[name].to_list() if name in frame.columns else [None] * self.data.n_items for name in names}

    @cached_property
    def _reviews(self) -> dict[int, list[str]]:
        """Return what was said of each item, newest first."""
        events, said = self.data.interactions, dict[int, list[str]]()
        for at in np.flatnonzero([bool(text) for text in events.texts])[::-1].tolist():
            said.setdefault(int(events.item_rows[at]), []).append(str(events.texts[at]))
        return said

    @cached_property
    def _n_events(self) -> I64:
        return np.bincount(self.data.interactions.item_rows, minlength=self.data.n_items)

    @cached_property
    def _words(self) -> Words:
        return Words.of(self.data.items.texts())

    @cached_property
    def _reviewed_words(self) -> Words:
        """Return the words of the items' texts together with their reviews."""
        if not self._reviews:
            return self._words
        texts = enumerate(self.data.items.texts())
        return Words.of([" ".join([text, *self._reviews.get(row, ())]) for row, text in texts])

    @cached_property
    def _tastes(self) -> Tastes:
        return Tastes(self.data)

    @cached_property
    def _about(self) -> list[str]:
        people, n = self.data.people, self.data.n_users
        said = [] if people is None or "about" not in people.frame.columns else people.frame["about"].to_list()
        return [str(text or "") for text in said] + [""] * (n - len(said))

    @cached_property
    def _asked(self) -> dict[str, list[str]]:
        return _asked(self.notes.asked, self.data.until)


def item_profiles(data: Dataset, item_rows: I32 | None = None, notes: Notes | None = None) -> list[ItemProfile]:
    """Return profiles of the items at ``item_rows`` (N,), of all where it is left out. See :class:`Profiler`."""
    profiler = Profiler(data, notes or Notes())
    rows = range(data.n_items) if item_rows is None else item_rows.tolist()
    return [profiler.item(row) for row in rows]


def person_profiles(data: Dataset, user_rows: I32, notes: Notes | None = None) -> list[PersonProfile]:
    """Return profiles of the people at ``user_rows`` (N,). See :class:`Profiler`."""
    profiler = Profiler(data, notes or Notes())
    return [profiler.person(row) for row in user_rows.tolist()]


def edited(profile: P, changes: Mapping[str, Any]) -> P:
    """Return a profile with fields as a person wrote them; they outlive every rebuild.

    Raises:
        ConfigError: A field does not exist, is not to be changed, or has a value of another type.
    """
    allowed = [name for name in type(profile).__struct_fields__ if name not in _FIXED]
    for name in changes:
        if name not in allowed:
            raise ConfigError(f"A profile's '{name}' cannot be changed.", hint=nearest(name, allowed))
    plain = msgspec.to_builtins(profile) | dict(changes)
    plain["edited"] = sorted({*profile.edited, *changes})
    try:
        return _versioned(msgspec.convert(plain, type(profile)))
    except msgspec.ValidationError as error:
        raise ConfigError(f"A profile's change does not fit: {error}.") from error


def rebuilt(new: P, old: P) -> P:
    """Return ``new`` with what a person wrote into ``old``."""
    own = {name: getattr(old, name) for name in old.edited}
    return _versioned(msgspec.structs.replace(new, **own, edited=old.edited))


def profile_text(profile: ItemProfile | PersonProfile, language: str = "en") -> str:
    """Return a profile in plain words, line by line, in ``en`` or ``zh`` (another falls back to ``en``)."""
    make: Callable[[Any, str], Lines] = item_lines if isinstance(profile, ItemProfile) else person_lines
    return "\n".join(f"{name}: {text}" if name else text for name, text in make(profile, language))


def person_sentence(profile: PersonProfile, language: str = "en", *, n_titles: int = 3) -> str:
    """Return a person in one sentence, such as ``Likes Crime and Drama, ..., such as Fargo, dislikes Horror``.

    ``""`` where nothing is known. It says what the profile says: nothing after ``profile.trained_until``.

    Args:
        profile: The person.
        language: ``en`` or ``zh``; another falls back to ``en``.
        n_titles: At most so many favourites are named.
    """
    return sentence(profile, language, n_titles=n_titles)


def shortened(text: str, most: int) -> str:
    """Return the first sentences of ``text``, at most ``most`` characters; a longer sentence is cut at a word."""
    if len(text) <= most:
        return text
    out = ""
    for part in _SENTENCE_END.split(text):
        if len(out) + len(part) + 1 > most:
            break
        out = f"{out} {part}".strip()
    if out:
        return out
    head = text[: most - 1]
    return (head.rsplit(" ", 1)[0] if " " in head[most // 2 :] else head).rstrip(" ,;:，；：") + "…"


def _plain(value: Any) -> str:
    """Return a text; a catalogue in which one title is a list holds them all as lists."""
    if isinstance(value, list | tuple):
        return ", ".join(str(part) for part in value if part is not None)
    return str(value or "")


def _finished(profile: P, kept: Mapping[str, Any]) -> P:
    own_id = profile.item_id if isinstance(profile, ItemProfile) else profile.user_id
    old = kept.get(own_id)
    return rebuilt(profile, old) if isinstance(old, type(profile)) else _versioned(profile)


def _versioned(profile: P) -> P:
    content = msgspec.json.encode(msgspec.structs.replace(profile, version=""))
    digest = hashlib.sha256(content).hexdigest()[:12]
    return msgspec.structs.replace(profile, version=f"{profile.trained_until}-{digest}")


def _keywords(known: Words, own: History, value: F64, likes: Sequence[str]) -> tuple[str, ...]:
    good = value > 0
    return known.of_texts(own.item_rows[good], value[good], 6, without=likes, at_least=2 if good.sum() > 2 else 1)


def _asked(lines: Sequence[Line], until: int) -> dict[str, list[str]]:
    """Return each person's distinct queries up to ``until``, newest first."""
    out: dict[str, list[str]] = {}
    for line in sorted(lines, key=lambda line: -line.ts):
        own = out.setdefault(line.user_id, [])
        if line.ts <= until and line.text.strip() and line.text not in own:
            own.append(line.text)
    return out
