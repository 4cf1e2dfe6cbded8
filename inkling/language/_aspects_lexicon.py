"""Aspects and their sentiment by lists of words: no training, no weights, English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache

from inkling.language._aspects_said import Mention
from inkling.language._aspects_words import IMPLIED, JUDGED, NEGATIONS, TERMS

_CLAUSE = re.compile(
    r"[^.!?;,:，。！？；：、\n~～]+?(?=\b(?:but|although|though|however|while|whereas|except)\b|但是|但|不过|可是|就是|然而|"
    r"[.!?;,:，。！？；：、\n~～]|$)|[^.!?;,:，。！？；：、\n~～]+"
)
_WORD = re.compile(r"[a-z]+(?:['’\-][a-z]+)*")
_CHINESE = re.compile(r"[\u3400-\u4dbf\u4e00-\u9fff]")
_REACH = 4  # a negation turns what follows within so many words, or characters
_SURE, _UNSAID = 0.7, 0.4


@dataclass(frozen=True, slots=True)
class _Hit:
    """A word of the lists in a clause."""

    begin: int
    end: int
    word: str


class LexiconReader:
    """Reads aspects by their names and by words that imply one (``delicious``, ``送得慢``); a negation turns it.

    What judges is looked for in the clause of the aspect. An aspect without a judgement is a mention of sentiment 0.
    """

    def __init__(self, terms: Mapping[str, str] | None = None) -> None:
        """Take further words of the shop's own, word -> aspect, which go before those that are known."""
        self._terms = {**TERMS, **{word.lower(): aspect for word, aspect in (terms or {}).items()}}
        self._listed = tuple(sorted({*self._terms, *JUDGED, *NEGATIONS}, key=lambda word: (-len(word), word)))

    @property
    def fingerprint(self) -> str:
        """Return what decides the answers."""
        import hashlib

        content = repr((sorted(self._terms.items()), sorted(JUDGED.items()), sorted(IMPLIED.items())))
        return f"lexicon:1:{hashlib.sha256(content.encode()).hexdigest()[:16]}"

    def read(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions in each text."""
        return [self._read(text) for text in texts]

    def _read(self, text: str) -> tuple[Mention, ...]:
        out: list[Mention] = []
        for clause in _CLAUSE.finditer(text):
            out += self._clause(text, clause.start(), clause.group().lower().replace("’", "'"))
        return tuple(out)

    def _clause(self, text: str, start: int, clause: str) -> list[Mention]:
        hits = self._hits(clause)
        judged = _judged(clause, hits)
        named = [hit for hit in hits if hit.word in self._terms]
        found = {self._terms[hit.word]: hit for hit in reversed(named)}
        out = [_mention(text, start, aspect, hit, _nearest(hit, judged)) for aspect, hit in found.items()]
        for hit, sign in judged:
            aspect, _ = IMPLIED.get(hit.word, ("", 0))
            if aspect and aspect not in found and not (named and aspect in {"location", "ease"}):
                found[aspect] = hit
                out.append(_mention(text, start, aspect, hit, sign))
        return sorted(out, key=lambda mention: mention.begin)

    def _hits(self, clause: str) -> list[_Hit]:
        """Return listed words, in their order: English ones whole, Chinese ones the longest first."""
        hits = [_Hit(m.start(), m.end(), m.group()) for m in _WORD.finditer(clause) if self._knows(m.group())]
        if _CHINESE.search(clause):
            hits += [_Hit(m.start(), m.end(), m.group()) for m in _pattern(self._listed).finditer(clause)]
        return sorted(hits, key=lambda hit: hit.begin)

    def _knows(self, word: str) -> bool:
        return word in self._terms or word in JUDGED or word in NEGATIONS or word.endswith("n't")


@lru_cache(maxsize=8)
def _pattern(listed: tuple[str, ...]) -> re.Pattern[str]:
    return re.compile("|".join(re.escape(word) for word in listed if _CHINESE.match(word)))


def _judged(clause: str, hits: Sequence[_Hit]) -> list[tuple[_Hit, int]]:
    """Return the words that judge with their sign, turned where a negation stands shortly before."""
    negations = [hit for hit in hits if hit.word in NEGATIONS or hit.word.endswith("n't")]
    out = []
    for hit in hits:
        sign = JUDGED.get(hit.word, 0)
        if sign and hit not in negations:
            turned = sum(_reaches(clause, negation, hit) for negation in negations) % 2
            out.append((hit, -sign if turned else sign))
    return out


def _reaches(clause: str, negation: _Hit, hit: _Hit) -> bool:
    between = clause[negation.end : hit.begin]
    if negation.end > hit.begin:
        return False
    return len(between) <= _REACH if _CHINESE.search(negation.word) else len(between.split()) < _REACH


def _nearest(hit: _Hit, judged: Sequence[tuple[_Hit, int]]) -> int:
    """Return the clause's judgement of a term: the sign of all of its words together, the nearest where they tie."""
    total = sum(sign for _, sign in judged)
    if total or not judged:
        return (total > 0) - (total < 0)
    return min(judged, key=lambda one: abs(one[0].begin - hit.begin))[1]


def _mention(text: str, start: int, aspect: str, hit: _Hit, sign: int) -> Mention:
    begin, end = start + hit.begin, start + hit.end
    return Mention(begin, end, text[begin:end], sign, _SURE if sign else _UNSAID, aspect)


def overall(mentions: Sequence[Mention]) -> int:
    """Return the sign of all that is said."""
    total = sum(mention.sentiment * mention.confidence for mention in mentions)
    return (total > 0) - (total < 0)
