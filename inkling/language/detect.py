"""Which language a text is in, by its script, its small words and its letters: no model, nothing to download."""

from __future__ import annotations

import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import exp

from inkling.language._detect_words import ENDS, LETTERS, ONLY_SIMPLIFIED, ONLY_TRADITIONAL, PAIRS, SMALL
from inkling.language.clean import CleanRules, clean

UNKNOWN = "unknown"
LANGUAGES = ("en", "de", "fr", "es", "it", "pt", "nl", "ru", "uk", "el", "he", "ar", "fa", "th", "hi", "zh", "ja", "ko")
"""What may be answered, besides ``unknown``."""
_SCRIPTS = (
    ("Latin", 0x41, 0x24F), ("Latin", 0x1E00, 0x1EFF), ("Greek", 0x370, 0x3FF), ("Cyrillic", 0x400, 0x52F),
    ("Hebrew", 0x590, 0x5FF), ("Arabic", 0x600, 0x6FF), ("Devanagari", 0x900, 0x97F), ("Thai", 0xE00, 0xE7F),
    ("Hangul", 0x1100, 0x11FF), ("Kana", 0x3040, 0x30FF), ("Hangul", 0x3130, 0x318F), ("Han", 0x3400, 0x4DBF),
    ("Han", 0x4E00, 0x9FFF), ("Hangul", 0xAC00, 0xD7AF), ("Han", 0xF900, 0xFAFF), ("Kana", 0xFF66, 0xFF9F),
    ("Han", 0x20000, 0x3134F),
)  # fmt: skip
_ONE_LANGUAGE = {"Greek": "el", "Hebrew": "he", "Devanagari": "hi", "Thai": "th", "Hangul": "ko", "Kana": "ja"}
_WORD = re.compile(r"[^\W\d_]+(?:['’][^\W\d_]*)*")
_RULES = CleanRules(links="drop")
_SMALL_WORD, _LETTER, _PAIR, _END = 3.0, 1.5, 0.35, 0.4
_SCALE, _ENOUGH = 2.5, 2.0
_HIRAGANA = re.compile(r"[\u3041-\u3096]")
_HIRAGANA_SHARE, _KANA_SHARE = 0.05, 0.5  # of the East Asian characters: a Chinese text may name something Japanese
_DENSE = 2.5  # letters that an ideograph stands for


@dataclass(frozen=True, slots=True)
class Detected:
    """What a text is written in.

    Attributes:
        language: Its ISO 639-1 code, or ``unknown``.
        confidence: 0 to 1.
        script: ``Latin``, ``Han``, ...; for Chinese ``Hans`` (simplified), ``Hant`` (traditional), or ``Han`` where no
            character tells them apart; "" where there is no letter.
    """

    language: str
    confidence: float
    script: str


def detect(text: str) -> Detected:
    """Return the language that most of ``text`` is in; links and markup do not count."""
    plain = clean(text, _RULES)
    counts = _scripts(plain)
    if not counts:
        return Detected(UNKNOWN, 0.0, "")
    weights = {script: n * (_DENSE if script in {"Han", "Kana", "Hangul"} else 1) for script, n in counts.items()}
    east = weights.get("Han", 0) + weights.get("Kana", 0)
    if _is_japanese(plain, counts):
        weights["Kana"] = east
        weights.pop("Han", None)
    script = max(weights, key=lambda name: weights[name])
    share = weights[script] / sum(weights.values())
    found = _of_script(plain, script, counts[script])
    return Detected(found.language, round(found.confidence * share, 4), found.script)


def detect_all(texts: Sequence[str]) -> list[Detected]:
    """Return what each text is in."""
    return [detect(text) for text in texts]


def _of_script(text: str, script: str, n: int) -> Detected:
    if script == "Latin":
        return _latin(text)
    if script == "Han":
        return _chinese(text, n)
    if script == "Cyrillic":
        own = any(c in "іїєґ" for c in text.lower())
        return Detected("uk" if own else "ru", _sure(n, 0.85 if own else 0.9), script)
    if script == "Arabic":
        own = any(c in "پچژگ" for c in text)
        return Detected("fa" if own else "ar", _sure(n, 0.85), script)
    return Detected(_ONE_LANGUAGE[script], _sure(n, 0.99), script)


def _is_japanese(text: str, counts: Counter[str]) -> bool:
    east = counts["Kana"] + counts["Han"]
    return counts["Kana"] > 0 and (
        len(_HIRAGANA.findall(text)) > _HIRAGANA_SHARE * east or counts["Kana"] >= _KANA_SHARE * east
    )


def _sure(n: int, most: float) -> float:
    """Return a confidence that grows with the number of letters."""
    return most * (1 - exp(-n / 2))


def _chinese(text: str, n: int) -> Detected:
    simplified = sum(c in ONLY_SIMPLIFIED for c in text)
    traditional = sum(c in ONLY_TRADITIONAL for c in text)
    script = "Hans" if simplified > traditional else "Hant" if traditional > simplified else "Han"
    # A few characters without kana may be Japanese as well.
    return Detected("zh", _sure(n, 0.97 if script != "Han" else 0.85), script)


def _latin(text: str) -> Detected:
    words = [word.lower().replace("’", "'") for word in _WORD.findall(text)]
    scores = {language: _score(language, words) for language in SMALL}
    order = sorted(scores, key=lambda language: -scores[language])
    best, second = scores[order[0]], scores[order[1]]
    if best < _ENOUGH or best == second:
        return Detected(UNKNOWN, 0.0, "Latin")
    known = best / (best + 2 * _ENOUGH)
    apart = 1 / (1 + exp(-(best - second) / _SCALE))
    return Detected(order[0], known * (2 * apart - 1) ** 0.5, "Latin")


def _score(language: str, words: Sequence[str]) -> float:
    total = 0.0
    for word in words:
        if word in SMALL[language]:
            total += _SMALL_WORD / sum(word in small for small in SMALL.values())
        total += _LETTER * sum(c in LETTERS.get(language, "") for c in word)
        total += _PAIR * sum(pair in word for pair in PAIRS[language])
        total += max(
            (_END * len(end) ** 0.5 for end in ENDS[language] if word.endswith(end) and word != end), default=0
        )
    return total


def _scripts(text: str) -> Counter[str]:
    """Return how many letters of each script a text has."""
    found: Counter[str] = Counter()
    for character, n in Counter(text).items():
        code = ord(character)
        if unicodedata.category(character)[0] in "LM":
            for script, first, last in _SCRIPTS:
                if first <= code <= last:
                    found[script] += n
                    break
    return found
