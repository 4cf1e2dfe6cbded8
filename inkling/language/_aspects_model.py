"""A trained aspect model that answers without torch: a folder of ONNX, a tokenizer and a card."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, I64
from inkling.core.errors import BundleError
from inkling.encoders._backbone_folder import write_whole
from inkling.language._aspects_data import POLARITIES, Marked, sentences_of, spans_of
from inkling.language._aspects_said import Mention

CARD = "aspects.json"
_FILES = ("tokenizer.json", "sentences.onnx", "terms.onnx")
_TOKENS_PER_BATCH = 4096


class AspectCard(msgspec.Struct, frozen=True, kw_only=True):
    """What a folder holds."""

    categories: tuple[str, ...] = ()
    max_tokens: int = 128
    base: str = ""
    pad: int = 0
    sha256: dict[str, str] = {}


@dataclass(frozen=True)
class Judged:
    """What the model says of one sentence.

    Attributes:
        terms: (begin, end, probabilities of ``POLARITIES``) of each term, in characters.
        categories: (C, 4) probabilities: absent, then ``POLARITIES``.
    """

    terms: tuple[tuple[int, int, F32], ...]
    categories: F32


class AspectModel:
    """Finds aspect terms, their sentiment, and the categories that a sentence judges."""

    def __init__(self, card: AspectCard, tokenizer: str, sentences: bytes, terms: bytes) -> None:
        """Take the card, the tokenizer's JSON and two ONNX graphs."""
        self.card = card
        self._contents = (tokenizer.encode(), sentences, terms)

    @classmethod
    def load(cls, folder: str | Path) -> AspectModel:
        """Read a folder.

        Raises:
            BundleError: A file is missing or was altered.
        """
        place = Path(folder)
        try:
            card = msgspec.json.decode((place / CARD).read_bytes(), type=AspectCard)
            contents = [(place / name).read_bytes() for name in _FILES]
        except (OSError, msgspec.MsgspecError) as error:
            raise BundleError(f"{place.name} holds no aspect model: {error}.", hint="Train one first.") from error
        for name, content in zip(_FILES, contents, strict=True):
            if hashlib.sha256(content).hexdigest() != card.sha256.get(name):
                raise BundleError(f"{place.name}/{name} was altered since it was written.", hint="Train it again.")
        return cls(card, contents[0].decode(), contents[1], contents[2])

    def save(self, folder: str | Path) -> None:
        """Write the folder, whole or not at all.

        Raises:
            BundleError: The place holds something else, or the disk refuses.
        """
        sums = {n: hashlib.sha256(content).hexdigest() for n, content in zip(_FILES, self._contents, strict=True)}
        card = msgspec.structs.replace(self.card, sha256=sums)

        def fill(place: Path) -> None:
            for name, content in zip(_FILES, self._contents, strict=True):
                (place / name).write_bytes(content)
            (place / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2))

        write_whole(Path(folder), fill, marks=(CARD,))

    @property
    def fingerprint(self) -> str:
        """Return what decides the answers."""
        digest = hashlib.sha256(b"".join(self._contents)).hexdigest()[:16]
        return f"aspects:1:{digest}"

    def read(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions in each text, sentence by sentence, in their order."""
        parts = [(row, begin, part) for row, text in enumerate(texts) for begin, part in sentences_of(text)]
        found: list[list[Mention]] = [[] for _ in texts]
        judged = self.judge([Marked(part) for _, _, part in parts])
        for (row, at, part), one in zip(parts, judged, strict=True):
            found[row] += [_mention(at, part, begin, end, shares) for begin, end, shares in one.terms]
        return [tuple(own) for own in found]

    def judge(self, sentences: Sequence[Marked]) -> list[Judged]:
        """Return what the model says of sentences; of terms that are marked it tells the sentiment, else it finds them.

        Args:
            sentences: Marked where ``terms`` are given; their polarity is not looked at.
        """
        encodings: list[Any] = self._tokenizer.encode_batch([one.text for one in sentences]) if sentences else []
        out: list[Judged | None] = [None] * len(sentences)
        for rows in _batches([len(encoding.ids) for encoding in encodings]):
            for row, one in zip(rows, self._judge(rows, encodings, sentences), strict=True):
                out[row] = one
        empty = Judged((), np.zeros((len(self.card.categories), 4), np.float32))
        return [one or empty for one in out]

    def _judge(self, rows: list[int], encodings: list[Any], sentences: Sequence[Marked]) -> list[Judged]:
        ids, mask = _padded([encodings[row].ids for row in rows], self.card.pad)
        hidden, tags, categories = self._sentences.run(None, {"input_ids": ids, "attention_mask": mask})
        spans = [
            _given(encodings[row], sentences[row])
            if sentences[row].terms is not None
            else _found(encodings[row], tags[place])
            for place, row in enumerate(rows)
        ]
        flat = [(place, *span) for place, own in enumerate(spans) for span in own]
        shares = self._polarities(hidden, mask, np.array(flat, dtype=np.int64).reshape(-1, 5))
        at, out = 0, []
        for place, own in enumerate(spans):
            told = tuple((span[2], span[3], shares[at + i]) for i, span in enumerate(own))
            out.append(Judged(told, _softmax(categories[place, : len(self.card.categories)])))
            at += len(own)
        return out

    def _polarities(self, hidden: F32, mask: I64, flat: I64) -> F32:
        if not len(flat):
            return np.zeros((0, len(POLARITIES)), np.float32)
        of, begin, end = flat[:, 0], flat[:, 1], flat[:, 2]
        given = {"hidden": hidden[of], "mask": mask[of], "begin": begin, "end": end}
        return _softmax(self._terms.run(None, given)[0])

    @cached_property
    def _tokenizer(self) -> Any:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._contents[0].decode())
        tokenizer.enable_truncation(self.card.max_tokens)
        return tokenizer

    @cached_property
    def _sentences(self) -> Any:
        return _session(self._contents[1])

    @cached_property
    def _terms(self) -> Any:
        return _session(self._contents[2])


def _given(encoding: Any, one: Marked) -> list[tuple[int, int, int, int]]:
    """Return marked terms in tokens and characters; one that was cut off is judged by the sentence's last token."""
    out = []
    for term in one.terms or ():
        inside = [i for i, (b, e) in enumerate(encoding.offsets) if e > b and b < term.end and e > term.begin]
        first, last = (inside[0], inside[-1] + 1) if inside else (len(encoding.ids) - 1, len(encoding.ids))
        out.append((first, last, term.begin, term.end))
    return out


def _found(encoding: Any, tags: F32) -> list[tuple[int, int, int, int]]:
    """Return the terms that the tags tell, in tokens and characters; marks are no part of one."""
    real = [e > b for b, e in encoding.offsets]
    guess = [int(tag) if ok else 0 for tag, ok in zip(tags[: len(real)].argmax(-1), real, strict=True)]
    spans = dict.fromkeys(_whole_words(encoding.word_ids, begin, end) for begin, end in spans_of(guess))
    return [(b, e, encoding.offsets[b][0], encoding.offsets[e - 1][1]) for b, e in spans]


def _whole_words(words: Sequence[int | None], begin: int, end: int) -> tuple[int, int]:
    """Return a span of tokens with the rest of the words that it cuts into."""
    while begin > 0 and words[begin - 1] is not None and words[begin - 1] == words[begin]:
        begin -= 1
    while end < len(words) and words[end] is not None and words[end] == words[end - 1]:
        end += 1
    return begin, end


def _mention(at: int, part: str, begin: int, end: int, shares: F32) -> Mention:
    best = int(shares.argmax())
    return Mention(at + begin, at + end, part[begin:end], sentiment=best - 1, confidence=round(float(shares[best]), 4))


def _padded(ids: Sequence[Sequence[int]], pad: int) -> tuple[I64, I64]:
    width = max(len(row) for row in ids)
    out, mask = np.full((len(ids), width), pad, np.int64), np.zeros((len(ids), width), np.int64)
    for row, values in enumerate(ids):
        out[row, : len(values)], mask[row, : len(values)] = values, 1
    return out, mask


def _batches(sizes: Sequence[int]) -> Iterator[list[int]]:
    batch: list[int] = []
    for row in sorted(range(len(sizes)), key=lambda row: sizes[row]):
        if batch and (len(batch) + 1) * sizes[row] > _TOKENS_PER_BATCH:
            yield batch
            batch = []
        batch.append(row)
    if batch:
        yield batch


def _softmax(x: F32) -> F32:
    raised = np.exp(x - x.max(axis=-1, keepdims=True))
    return np.asarray(raised / raised.sum(axis=-1, keepdims=True), np.float32)


def _session(content: bytes) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(content, options, providers=["CPUExecutionProvider"])
