"""Sentences with their aspects marked, as tokens with labels: what the aspect model learns from and is measured on."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from inkling.core.errors import DataError

if TYPE_CHECKING:
    import polars as pl

POLARITIES = ("negative", "neutral", "positive")
IGNORED = -100
_SENTENCE = re.compile(r"[^.!?。！？\n]+[.!?。！？]*[\"'”’)\]]*\s*|\n+")
_LONGEST = 400


@dataclass(frozen=True, slots=True)
class Term:
    """Something in a sentence that is judged: characters ``begin`` to ``end``, and one of ``POLARITIES``."""

    begin: int
    end: int
    polarity: str


@dataclass(frozen=True, slots=True)
class Marked:
    """A sentence with what is judged in it.

    Attributes:
        text: The sentence.
        terms: All aspect terms; None where nobody marked them.
        categories: Category -> polarity, all of them; None where nobody marked them.
    """

    text: str
    terms: tuple[Term, ...] | None = None
    categories: tuple[tuple[str, str], ...] | None = None


@dataclass(frozen=True, slots=True)
class Labelled:
    """A sentence in tokens.

    Attributes:
        ids: T token ids, marks included.
        tags: T labels: 0 outside, 1 begins a term, 2 inside one; ``IGNORED`` for marks, or where nothing is known.
        spans: (begin, end, polarity's number) of each term, in tokens.
        categories: For each category 0 (absent) or 1 + the polarity's number; ``()`` where nothing is known.
    """

    ids: tuple[int, ...]
    tags: tuple[int, ...]
    spans: tuple[tuple[int, int, int], ...]
    categories: tuple[int, ...]


def marked(terms: pl.DataFrame | None, categories: pl.DataFrame | None = None) -> list[Marked]:
    """Return tables of marks as sentences.

    Args:
        terms: Columns text, begin, end, polarity; one row for each term.
        categories: Columns text, category, polarity; one row for each category of a sentence.

    Raises:
        DataError: A polarity is none of ``POLARITIES``, or a term lies outside its sentence.
    """
    out: list[Marked] = []
    if terms is not None:
        found: dict[str, list[Term]] = {}
        for text, begin, end, polarity in terms.select("text", "begin", "end", "polarity").iter_rows():
            found.setdefault(text, []).append(_checked(text, Term(begin, end, polarity)))
        out += [Marked(text, terms=tuple(own)) for text, own in found.items()]
    if categories is not None:
        named: dict[str, list[tuple[str, str]]] = {}
        for text, category, polarity in categories.select("text", "category", "polarity").iter_rows():
            _check_polarity(polarity)
            named.setdefault(text, []).append((category, polarity))
        out += [Marked(text, categories=tuple(own)) for text, own in named.items()]
    return out


def without(sentences: Sequence[Marked], others: Iterable[Marked]) -> list[Marked]:
    """Return the sentences whose text is in none of ``others``: what is measured on must not be learned from."""
    out = {_plain(one.text) for one in others}
    return [one for one in sentences if _plain(one.text) not in out]


def category_names(sentences: Iterable[Marked]) -> tuple[str, ...]:
    """Return all categories of the sentences, sorted."""
    return tuple(sorted({name for one in sentences for name, _ in one.categories or ()}))


def labelled(tokenizer: Any, sentences: Sequence[Marked], categories: Sequence[str]) -> list[Labelled]:
    """Return sentences in tokens; a term that was cut off with the end of a sentence has no span.

    Args:
        tokenizer: A ``tokenizers.Tokenizer`` that cuts off what is too long.
        sentences: What was marked.
        categories: The model's categories, in its order.
    """
    found = tokenizer.encode_batch([one.text for one in sentences])
    return [_labelled(encoding, one, categories) for encoding, one in zip(found, sentences, strict=True)]


def _labelled(encoding: Any, one: Marked, categories: Sequence[str]) -> Labelled:
    known = one.terms is not None
    tags = [0 if known and end > begin else IGNORED for begin, end in encoding.offsets]
    spans = []
    for term in one.terms or ():
        inside = [i for i, (b, e) in enumerate(encoding.offsets) if e > b and b < term.end and e > term.begin]
        if inside:
            spans.append((inside[0], inside[-1] + 1, POLARITIES.index(term.polarity)))
            for i in inside:
                tags[i] = 2 if i > inside[0] else 1
    said = dict(one.categories or ())
    codes = (1 + POLARITIES.index(said[name]) if name in said else 0 for name in categories)
    return Labelled(tuple(encoding.ids), tuple(tags), tuple(spans), tuple(codes) if one.categories is not None else ())


def spans_of(tags: Sequence[int]) -> list[tuple[int, int]]:
    """Return (begin, end) of each term that tags tell; a term may begin with an inside where a begin is missing."""
    found, start = [], -1
    for place, tag in enumerate([*tags, 0]):
        if start >= 0 and tag != 2:
            found.append((start, place))
            start = -1
        if tag == 1 or (tag == 2 and start < 0):
            start = place
    return found


def sentences_of(text: str) -> list[tuple[int, str]]:
    """Return a text's sentences, each with the place where it begins; very long ones are cut at a space."""
    found = []
    for match in _SENTENCE.finditer(text):
        begin, part = match.start(), match.group()
        while len(part) > _LONGEST:
            at = part.rfind(" ", _LONGEST // 2, _LONGEST)
            at = at + 1 if at > 0 else _LONGEST
            found.append((begin, part[:at]))
            begin, part = begin + at, part[at:]
        found.append((begin, part))
    return [(begin, part) for begin, part in found if part.strip()]


def _checked(text: str, term: Term) -> Term:
    _check_polarity(term.polarity)
    if not 0 <= term.begin < term.end <= len(text):
        raise DataError(
            f"A term from {term.begin} to {term.end} lies outside its sentence of {len(text)} characters.",
            hint="begin and end count characters; end is the first one behind the term.",
        )
    return term


def _check_polarity(polarity: str) -> None:
    if polarity not in POLARITIES:
        raise DataError(f"'{polarity}' is no polarity.", hint=f"Allowed: {', '.join(POLARITIES)}.")


def _plain(text: str) -> str:
    return "".join(c for c in text.lower() if c.isalnum())
