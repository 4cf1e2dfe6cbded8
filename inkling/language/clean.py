"""Texts made plain for a language model to read: what carries no meaning goes, what carries some stays."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec

from inkling.core.config import Config
from inkling.events.text import clean_text

_URL = re.compile(
    r"(?:https?|ftp)://(?:www\.)?([^\s/?#<>\"'（）()]+)[^\s<>\"'（）()]*|www\.([^\s/?#<>\"'()]+)[^\s<>\"'()]*", re.I
)
_HOST = re.compile(r"[\w\-]+(?:\.[\w\-]+)+", re.ASCII)
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]")
_HALF_KANA = re.compile(r"[\uff66-\uff9f]+")
_INVISIBLE = re.compile(
    r"[\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180e\u200b\u200e\u200f\u202a-\u202e\u2060-\u206f"
    r"\ufe00-\ufe0e\ufeff\ufff9-\ufffb\ufffd\ud800-\udfff]"
)
_SPACE_BEFORE = re.compile(r"\s+(?=[，。！？；：、）】》」』])|(?<=[（【《「『])\s+")
_WIDE = {code: code - 0xFEE0 for code in range(0xFF01, 0xFF5F)}
_WIDE_SIGNS = frozenset("，。！？；：（）～｜")
_MOST_ROUNDS = 50


class CleanRules(Config, frozen=True, kw_only=True):
    """What cleaning does."""

    links: Literal["host", "drop", "keep"] = "host"
    """An address becomes the name of its site, nothing, or stays."""
    repeats: Annotated[int, msgspec.Meta(ge=1)] = 3
    """A letter or mark stands at most so often in a row; digits are left alone."""
    widths: bool = True
    """Full-width letters, digits and signs become plain ones, half-width kana full ones; Chinese marks stay."""


def clean(text: str, rules: CleanRules | None = None) -> str:
    """Return ``text`` without markup, entities, control and invisible characters, runs of marks and spare space.

    Cleaning a cleaned text changes nothing. Case, accents, emoji, numbers and Chinese punctuation stay.

    Args:
        text: Anything; lone surrogates go too.
        rules: What is done with links, repeats and widths.
    """
    rules = rules or CleanRules()
    for _ in range(_MOST_ROUNDS):
        plain = _once(text, rules)
        if plain == text:
            break
        text = plain
    return text


def clean_all(texts: Sequence[str], rules: CleanRules | None = None) -> list[str]:
    """Return each text cleaned. See :func:`clean`."""
    return [clean(text, rules) for text in texts]


def _once(text: str, rules: CleanRules) -> str:
    text = clean_text(_INVISIBLE.sub("", text))
    if rules.links != "keep":
        text = _URL.sub(lambda match: _site(match, rules), text)
    if rules.widths and not text.isascii():
        text = _plain_widths(text)
    text = re.sub(rf"([^\d\s])\1{{{rules.repeats},}}", lambda match: match[1] * rules.repeats, text)
    return " ".join(_SPACE_BEFORE.sub("", text).split())


def _site(match: re.Match[str], rules: CleanRules) -> str:
    """Return a link's site; marks that ended the sentence stay."""
    whole, host = match.group(), (match[1] or match[2]).split("@")[-1]
    end = whole[len(whole.rstrip(".,;:!?。，！？；：")) :]
    found = _HOST.match(host)
    return (found.group() if found and rules.links == "host" else " ") + end


def _plain_widths(text: str) -> str:
    """Full-width forms to plain ones; marks of a text without Chinese, Japanese or Korean too."""
    keep = _WIDE_SIGNS if _UNSPACED.search(text) else frozenset()
    text = "".join(chr(_WIDE[ord(c)]) if ord(c) in _WIDE and c not in keep else c for c in text)
    text = _HALF_KANA.sub(lambda match: unicodedata.normalize("NFKC", match.group()), text)
    return text.replace("\u3000", " ")
