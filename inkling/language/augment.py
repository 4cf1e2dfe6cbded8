"""More texts out of few, for training: a span left out, words for near ones, there and back through a translator."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32
from inkling.core.errors import ConfigError, InklingError, RequestError
from inkling.encoders._backbone_folder import model_folder, need_transformers, quiet
from inkling.encoders._shipped import read_checked, shipped
from inkling.encoders.static import StaticEncoder
from inkling.language._words import words as telling_words

if TYPE_CHECKING:
    from torch import nn

Translate = Callable[[Sequence[str], str, str], Sequence[str]]
"""``translate(texts, source, target)``: texts in one language to as many in another."""
_PIECE = re.compile(
    r"[\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]|[^\s\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af]+"
)
_LETTERS = re.compile(r"[A-Za-z]{3,}")
_AT_ONCE = 16


def delete_span(text: str, rng: np.random.Generator, *, share: float = 0.2) -> str:
    """Return ``text`` without one run of words (of characters, where no spaces part words); at least one stays.

    Args:
        text: What is shortened; a single word comes back as it is.
        rng: Where the place comes from.
        share: The run's part of the words, at most, above 0 and below 1.

    Raises:
        ConfigError: ``share`` is out of range.
    """
    _check_share(share)
    pieces = list(_PIECE.finditer(text))
    most = min(max(round(share * len(pieces)), 1), len(pieces) - 1)
    if most < 1:
        return text
    size = int(rng.integers(1, most + 1))
    first = int(rng.integers(0, len(pieces) - size + 1))
    begin, end = pieces[first].start(), pieces[first + size - 1].end()
    return " ".join((text[:begin] + text[end:]).split())


@dataclass
class Synonyms:
    """Near words by the shipped table of token vectors (``static``). English.

    Near is what is used alike: mostly a synonym, now and then an opposite. ``least`` keeps the far ones away.

    Attributes:
        least: Cosine from which on a word counts as near.
        n_near: So many of the nearest are drawn from.
    """

    least: float = 0.55
    n_near: int = 5
    _known: dict[str, tuple[str, ...]] = field(default_factory=dict, repr=False)

    def near(self, word: str) -> tuple[str, ...]:
        """Return near words, the nearest first; none for a word that the table does not know."""
        asked = word.lower()
        if asked not in self._known:
            self._known[asked] = self._near(asked)
        return self._known[asked]

    def replace(self, text: str, rng: np.random.Generator, *, share: float = 0.2) -> str:
        """Return ``text`` with about ``share`` of its telling words replaced by near ones; capitals stay.

        Raises:
            ConfigError: ``share`` is out of range.
        """
        _check_share(share)
        places = [match for match in _LETTERS.finditer(text) if telling_words(match.group())]
        drawn = rng.random(len(places)) < share
        if places and not drawn.any():
            drawn[int(rng.integers(len(places)))] = True
        for match, wanted in zip(reversed(places), drawn[::-1].tolist(), strict=True):
            near = self.near(match.group()) if wanted else ()
            if near:
                new = near[int(rng.integers(len(near)))]
                text = text[: match.start()] + _like(new, match.group()) + text[match.end() :]
        return text

    def _near(self, word: str) -> tuple[str, ...]:
        names, vectors = self._table
        row = names.get(word)
        if row is None:
            return ()
        cosines = vectors @ vectors[row]
        best = np.argsort(-cosines, kind="stable")[: 4 * self.n_near].tolist()
        spelled = list(names)
        found = (spelled[i] for i in best if cosines[i] >= self.least and not _same_stem(spelled[i], word))
        return tuple(word for word, _ in zip(found, range(self.n_near), strict=False))

    @cached_property
    def _table(self) -> tuple[Mapping[str, int], F32]:
        """Return whole words of the vocabulary and their vectors (V, dim)."""
        tokenizer = msgspec.json.decode(read_checked(shipped("minilm"), "tokenizer.json"))
        vocabulary: Mapping[str, int] = tokenizer["model"]["vocab"]
        found = [word for word in vocabulary if _LETTERS.fullmatch(word)]
        return {word: row for row, word in enumerate(found)}, StaticEncoder().encode(found)


def back_translate(texts: Sequence[str], translate: Translate, *, source: str, through: str) -> list[str]:
    """Return texts translated to another language and back; a text that comes back empty stays as it was.

    Args:
        texts: What is rephrased.
        translate: Any translator, such as :class:`Translator`.
        source: The texts' language.
        through: The language between.

    Raises:
        RequestError: The translator answers with another number of texts.
    """
    there = _translated(translate, texts, source, through)
    back = _translated(translate, there, through, source)
    return [new.strip() or old for new, old in zip(back, texts, strict=True)]


@dataclass
class Translator:
    """A sequence-to-sequence model by name or folder (transformers; needs ``inkling[train]``), loaded when first used.

    Attributes:
        name: ``{source}`` and ``{target}`` in it are filled in, as in ``Helsinki-NLP/opus-mt-{source}-{target}``.
        prefix: Put before each text, filled in likewise, as in ``translate {source} to {target}: ``.
        languages: What the model calls a language, where it is not called as it is here (``{"en": "eng_Latn"}``).
        max_tokens: Tokens of an answer, at most.
    """

    name: str
    prefix: str = ""
    languages: Mapping[str, str] = field(default_factory=dict)
    max_tokens: int = 256
    _loaded: dict[str, tuple[Any, nn.Module]] = field(default_factory=dict, repr=False)

    def __call__(self, texts: Sequence[str], source: str, target: str) -> list[str]:
        """Translate texts; what is blank stays out and comes back empty.

        Raises:
            MissingExtraError: torch or transformers is not installed.
            NotFoundError: There is no such model.
            InklingError: The model cannot be read as one that translates.
        """
        names = {"source": self.languages.get(source, source), "target": self.languages.get(target, target)}
        tokenizer, model = self._load(self.name.format(**names))
        if hasattr(tokenizer, "src_lang"):
            tokenizer.src_lang = names["source"]
        out, said = [""] * len(texts), [row for row, text in enumerate(texts) if text.strip()]
        for start in range(0, len(said), _AT_ONCE):
            rows = said[start : start + _AT_ONCE]
            asked = [self.prefix.format(**names) + texts[row] for row in rows]
            for row, answer in zip(rows, self._answer(tokenizer, model, asked, names["target"]), strict=True):
                out[row] = answer
        return out

    def _answer(self, tokenizer: Any, model: Any, texts: list[str], target: str) -> list[str]:
        import torch

        given = tokenizer(texts, padding=True, truncation=True, return_tensors="pt")
        given.pop("token_type_ids", None)
        code = tokenizer.convert_tokens_to_ids(target) if hasattr(tokenizer, "src_lang") else None
        forced = {} if code is None or code == tokenizer.unk_token_id else {"forced_bos_token_id": code}
        with torch.inference_mode(), quiet():
            made = model.generate(**given, max_new_tokens=self.max_tokens, do_sample=False, num_beams=1, **forced)
        answers: list[str] = tokenizer.batch_decode(made, skip_special_tokens=True)
        return answers

    def _load(self, name: str) -> tuple[Any, Any]:
        if name not in self._loaded:
            need_transformers()
            from transformers import AutoModelForSeq2SeqLM, AutoTokenizer

            folder = model_folder(name)
            try:
                with quiet():
                    model: Any = AutoModelForSeq2SeqLM.from_pretrained(folder)
                    self._loaded[name] = (AutoTokenizer.from_pretrained(folder), model.eval())
            except (OSError, ValueError, KeyError) as error:
                raise InklingError(
                    f"'{name}' cannot be read as a model that translates: {error}",
                    hint="Name an encoder-decoder model, such as Helsinki-NLP/opus-mt-{source}-{target}.",
                ) from error
        return self._loaded[name]


def _translated(translate: Translate, texts: Sequence[str], source: str, target: str) -> list[str]:
    answers = list(translate(texts, source, target)) if texts else []
    if len(answers) != len(texts):
        raise RequestError(f"The translator was given {len(texts)} texts and answered with {len(answers)}.")
    return answers


def _check_share(share: float) -> None:
    if not 0 < share < 1:
        raise ConfigError(f"A share of {share} is out of range.", hint="Name one above 0 and below 1.")


def _like(new: str, old: str) -> str:
    return new.upper() if old.isupper() else new.capitalize() if old[0].isupper() else new


def _same_stem(one: str, other: str) -> bool:
    """Tell a word's own forms: they say nothing new."""
    short, long = sorted((one, other), key=len)
    return long.startswith(short[: max(len(short) - 1, 3)]) and len(long) - len(short) <= 4
