"""Words of a script that puts no spaces between them, learned from the user's own texts: nothing to download.

A vocabulary of words and their chances is learned, and a text is cut where the product of its words' chances is
largest (Viterbi). ``unigram`` learns by expectation maximisation (a unigram language model, Kudo 2018); its threads add
up in any order, so two runs may differ in a word. ``cohesion`` counts, and is the same everywhere. Words of scripts
with spaces are cut where they end. ``segment`` is all that a lexical method needs.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any, Literal, Self

import numpy as np

from inkling.core.arrays import Array
from inkling.core.errors import ConfigError, DataError
from inkling.language._segment_cohesion import cohesive

if TYPE_CHECKING:
    from tokenizers import Tokenizer

_UNSPACED = (
    "\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff"  # Thai and Lao, Burmese, Khmer
    "\u3005\u3007\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff"  # Chinese, Japanese
)
_RUN = re.compile(f"[{_UNSPACED}]+|[^\\W_{_UNSPACED}]+(?:['’-][^\\W_{_UNSPACED}]+)*")
_IS_UNSPACED = re.compile(f"[{_UNSPACED}]")
_SINGLE = 12.0  # how much less likely, in natural logarithms, a character is that was never seen

Method = Literal["unigram", "cohesion"]


class Segmenter:
    """Cuts texts into words. Before ``fit``, a run without spaces is cut into single characters.

    Digits and letters of scripts with spaces are words as they stand, in lower case.
    """

    def __init__(self, *, max_words: int = 10_000, max_letters: int = 4, method: Method = "unigram") -> None:
        """State the size of the vocabulary, and how it is learned.

        Args:
            max_words: How many words are kept, single characters not counted.
            max_letters: Characters of the longest word of a script without spaces, 2 to 16; ``cohesion`` finds none
                beyond 4.
            method: ``unigram``, or ``cohesion``, whose words are the same in every run.

        Raises:
            ConfigError: A number is out of range.
        """
        if max_words < 1:
            raise ConfigError(f"segment: max_words is {max_words}, expected at least 1.")
        if not 2 <= max_letters <= 16:
            raise ConfigError(f"segment: max_letters is {max_letters}, expected 2 to 16.")
        self.max_words, self.max_letters, self.method = max_words, max_letters, method
        self._chances: dict[str, float] = {}
        self._made: Tokenizer | None = None

    @property
    def words(self) -> tuple[str, ...]:
        """Return the words of two and more characters that were learned, the likeliest first."""
        return tuple(word for word in sorted(self._chances, key=lambda w: -self._chances[w]) if len(word) > 1)

    def fit(self, texts: Sequence[str]) -> Self:
        """Learn words from texts; those of scripts with spaces need no learning and are passed over.

        A text that comes many times counts once.
        """
        runs = [run for text in dict.fromkeys(texts) for run in _runs(text) if _IS_UNSPACED.match(run)]
        self._made, self._chances = None, {}
        if runs:
            learn = cohesive if self.method == "cohesion" else _learned
            self._chances = learn(runs, self.max_words, self.max_letters)
        return self

    def segment(self, texts: Sequence[str]) -> list[list[str]]:
        """Return each text's words, in order; marks and white space part words and are left out."""
        cut = [_runs(text) for text in texts]
        asked = list(dict.fromkeys(run for runs in cut for run in runs if _IS_UNSPACED.match(run)))
        found = dict(zip(asked, self._cut(asked), strict=True))
        return [[word for run in runs for word in found.get(run, (run,))] for runs in cut]

    def state(self) -> Mapping[str, Array]:
        """Return the words, as text in UTF-8 bytes parted by zeros, and the logarithms of their chances."""
        words = "\0".join(self._chances).encode()
        return {"words": np.frombuffer(words, np.uint8), "chances": np.array(list(self._chances.values()), np.float64)}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned.

        Raises:
            DataError: There are not as many words as chances.
        """
        chances = np.asarray(state["chances"], np.float64).tolist()
        words = np.asarray(state["words"], np.uint8).tobytes().decode().split("\0") if chances else []
        if len(words) != len(chances):
            raise DataError(f"A segmenter has {len(words)} words and {len(chances)} chances.", hint="Fit it again.")
        self._made, self._chances = None, dict(zip(words, chances, strict=True))
        return self

    def _cut(self, runs: list[str]) -> list[list[str]]:
        if not self._chances or not runs:
            return [list(run) for run in runs]
        self._made = self._made or _model(self._chances)
        found: list[Any] = self._made.encode_batch(runs, add_special_tokens=False)
        return [[run[start:end] for start, end in each.offsets] for run, each in zip(runs, found, strict=True)]


def segment(texts: Sequence[str]) -> list[list[str]]:
    """Return each text's words, by a vocabulary learned from these very texts."""
    return Segmenter().fit(texts).segment(texts)


def _runs(text: str) -> list[str]:
    return _RUN.findall(unicodedata.normalize("NFKC", text).casefold())


def _learned(runs: list[str], max_words: int, max_letters: int) -> dict[str, float]:
    """Return words and the natural logarithms of their chances; each single character is among them."""
    from tokenizers import Tokenizer, models, trainers

    singles = sorted({letter for run in runs for letter in run})
    tokenizer = Tokenizer(models.Unigram())
    trainer = trainers.UnigramTrainer(
        vocab_size=max_words + len(singles) + 1,
        initial_alphabet=singles,
        special_tokens=["<unk>"],
        unk_token="<unk>",
        max_piece_length=max_letters,
        show_progress=False,
    )
    tokenizer.train_from_iterator(runs, trainer)
    vocabulary: list[tuple[str, float]] = json.loads(tokenizer.to_str())["model"]["vocab"]
    return {word: float(chance) for word, chance in vocabulary if word != "<unk>"}


def _model(chances: Mapping[str, float]) -> Tokenizer:
    from tokenizers import Tokenizer, models

    unknown = min(chances.values()) - _SINGLE
    return Tokenizer(models.Unigram([("<unk>", unknown), *chances.items()], unk_id=0))
