"""Which items a text names by their titles."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence

import numpy as np

from inkling.core.dataset import Dataset

_MOST_WORDS, _MOST_LETTERS = 8, 20
_WORD = re.compile(r"[^\W_]+")
_UNSPACED = re.compile(r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff]")
_BEHIND = re.compile(r"\s*[(（][^()（）]*[)）]\s*$")


def named_in(text: str, titles: Mapping[str, int]) -> list[int]:
    """Return the rows of the items whose titles a text names, in the order of the text; the longest title wins.

    A title of one word counts only where it is written as the title is, with its capital: heat is no film.
    """
    written = _WORD.findall(unicodedata.normalize("NFKC", text))
    words = [word.casefold() for word in written]
    found: list[int] = []
    at = 0
    while at < len(words):
        size = next((n for n in range(min(_MOST_WORDS, len(words) - at), 1, -1) if _key(words, at, n) in titles), 1)
        row = titles.get(_key(words, at, size) if size > 1 else written[at])
        if row is not None and (size > 1 or at > 0):
            found.append(row)
        elif _UNSPACED.search(words[at]):
            found += _inside(words[at], titles)
        at += size
    return list(dict.fromkeys(found))


def _inside(run: str, titles: Mapping[str, int]) -> list[int]:
    """Return the rows of titles in a run of a script without spaces."""
    found, at = [], 0
    while at < len(run):
        size = next((n for n in range(min(_MOST_LETTERS, len(run) - at), 1, -1) if run[at : at + n] in titles), 1)
        if size > 1:
            found.append(titles[run[at : at + size]])
        at += size
    return found


def _key(words: Sequence[str], at: int, n: int) -> str:
    return " ".join(words[at : at + n])


def titles_of(data: Dataset) -> dict[str, int]:
    """Return what titles are looked up by; of items that are called alike, the one that most people took."""
    if "title" not in data.items.frame.columns:
        return {}
    counts = np.bincount(data.interactions.item_rows, minlength=data.n_items)
    titles = data.items.frame["title"].to_list()
    found: dict[str, int] = {}
    for row in np.argsort(counts, kind="stable").tolist():
        whole = str(titles[row] or "")
        for title in (_BEHIND.sub("", whole), whole):  # "Fargo (1996)" is Fargo, too
            written = _WORD.findall(unicodedata.normalize("NFKC", title))
            if len(written) > 1:
                found[_key([word.casefold() for word in written], 0, len(written))] = row
            elif written and (len(written[0]) > 3 or _UNSPACED.search(written[0])) and not written[0].islower():
                found[written[0].casefold() if _UNSPACED.search(written[0]) else written[0]] = row
    return found
