"""A person's text with an item's text, as tokens: the same in training and in serving, without transformers."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING, Self

import msgspec
import numpy as np

from inkling.core.arrays import I32, I64, Array

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_SEPARATOR = "\n"  # between the two where the tokenizer itself puts nothing there


class Shelf:
    """Titles and texts of items by row; an item that nobody told of has none."""

    def __init__(self, titles: Sequence[str] = (), texts: Sequence[str] = ()) -> None:
        self.titles, self.texts = list(titles), list(texts)

    def put(self, item_rows: I32, titles: Sequence[str], texts: Sequence[str]) -> None:
        """Take in items, new or changed."""
        size = max(int(item_rows.max(initial=-1)) + 1, len(self.texts))
        for held in (self.titles, self.texts):
            held.extend([""] * (size - len(held)))
        for row, title, text in zip(item_rows.tolist(), titles, texts, strict=True):
            self.titles[row], self.texts[row] = title, text

    def of(self, item_rows: I32) -> list[str]:
        """Return the texts of items; "" beyond those that are known."""
        n = len(self.texts)
        return [self.texts[row] if 0 <= row < n else "" for row in item_rows.tolist()]

    def state(self) -> dict[str, Array]:
        """Return both as bytes."""
        return {"shelf": _bytes(msgspec.json.encode([self.titles, self.texts]))}

    @classmethod
    def of_state(cls, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        return cls(*msgspec.json.decode(np.array(state["shelf"]).tobytes(), type=list[list[str]]))


@dataclass(frozen=True)
class PairReader:
    """Tokens of two texts as one row: with segments, or (``causal``) behind each other."""

    tokenizer: str  # tokenizer.json
    max_tokens: int
    pad_id: int
    causal: bool

    @cached_property
    def _loaded(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self.tokenizer)
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.max_tokens, strategy="longest_first")
        return tokenizer

    def read(self, people: Sequence[str], items: Sequence[str]) -> list[tuple[list[int], list[int]]]:
        """Return tokens and segments of each pair; a pair without any token is one of padding."""
        second = [_SEPARATOR + item for item in items] if self.causal else list(items)
        found = self._loaded.encode_batch(list(zip(people, second, strict=True)))
        return [(each.ids or [self.pad_id], each.type_ids or [0]) for each in found]

    def padded(self, pairs: Sequence[tuple[list[int], list[int]]]) -> dict[str, I64]:
        """Return ids, mask and segments, each (N, T)."""
        size = max(len(ids) for ids, _ in pairs)
        shape = (len(pairs), size)
        ids, mask, kinds = np.full(shape, self.pad_id, np.int64), np.zeros(shape, np.int64), np.zeros(shape, np.int64)
        for row, (own, segments) in enumerate(pairs):
            ids[row, : len(own)], kinds[row, : len(own)], mask[row, : len(own)] = own, segments, 1
        return {"input_ids": ids, "attention_mask": mask, "token_type_ids": kinds}

    def state(self) -> dict[str, Array]:
        """Return the tokenizer and its limits."""
        limits = np.array([self.max_tokens, self.pad_id, int(self.causal)])
        return {"tokenizer": _bytes(self.tokenizer.encode()), "limits": limits}

    @classmethod
    def of_state(cls, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        max_tokens, pad_id, causal = np.array(state["limits"]).tolist()
        return cls(np.array(state["tokenizer"]).tobytes().decode(), max_tokens, pad_id, bool(causal))


def _bytes(content: bytes) -> Array:
    return np.frombuffer(content, dtype=np.uint8)
