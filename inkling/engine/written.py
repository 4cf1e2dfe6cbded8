"""Aspects of reviews by rules and by a generative model, side by side."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from inkling.core.dataset import Dataset
from inkling.language._aspects_words import TERMS
from inkling.language.aspects import AspectReader, LexiconReader, Mention
from inkling.language.detect import detect

if TYPE_CHECKING:
    from inkling.engine.writing import Writer

RULES, MODEL = "rules", "model"
_MOST = 2000
_SIGNS = {"positive": 1, "negative": -1, "neutral": 0}


@dataclass
class WrittenAspects:
    """Reads reviews by rules, and adds what a generative model wrote about the newest; the others are asked for.

    Where both speak of the same aspect of a review, the model's word counts. Nothing waits for the model.

    Attributes:
        writer: Looks up what was written.
        owners: Review -> who wrote it, for those that the model may read.
        rules: Reads every review.
        sources: Aspect -> who named it in what was read.
    """

    writer: Writer
    owners: Mapping[str, str]
    rules: AspectReader = field(default_factory=LexiconReader)
    sources: dict[str, set[str]] = field(default_factory=dict)

    @classmethod
    def of(cls, writer: Writer, data: Dataset) -> WrittenAspects:
        """Let a model read the newest reviews of ``data``."""
        events = data.interactions
        newest = np.flatnonzero([bool(text) for text in events.texts])[::-1][:_MOST].tolist()
        owners = {str(events.texts[at]): data.user_ids.id_of(int(events.user_rows[at])) for at in newest}
        return cls(writer, owners)

    @property
    def fingerprint(self) -> str:
        """Return what decides the answers."""
        return f"{self.rules.fingerprint}+{self.writer.generator.speaker.name}"

    def read(self, texts: Sequence[str]) -> list[tuple[Mention, ...]]:
        """Return the mentions in each text."""
        found = self.rules.read(texts)
        return [self._joined(text, own) for text, own in zip(texts, found, strict=True)]

    def _joined(self, text: str, own: tuple[Mention, ...]) -> tuple[Mention, ...]:
        written = self._written(text)
        said = {named(one) for one in written}
        kept = tuple(one for one in own if named(one) not in said)
        for source, mentions in ((RULES, own), (MODEL, written)):
            for one in mentions:
                self.sources.setdefault(named(one), set()).add(source)
        return (*kept, *written)

    def _written(self, text: str) -> tuple[Mention, ...]:
        if text not in self.owners:
            return ()
        language = "zh" if detect(text[:500]).language == "zh" else "en"
        return tuple(
            mention
            for one in self.writer.aspects(text, language, owner=self.owners[text])
            if (mention := _mention(text, one)) is not None
        )


def named(mention: Mention) -> str:
    """Return the aspect that a mention is counted for."""
    words = mention.term.lower().split()
    known = [TERMS[word] for word in reversed(words) if word in TERMS]
    return mention.aspect or (known[0] if known else " ".join(words))


def _mention(text: str, written: Mapping[str, Any]) -> Mention | None:
    """Return a model's aspect where it stands in the review; None where it does not, whatever was checked before."""
    term = str(written["term"])
    at = text.casefold().find(term.casefold())
    return None if at < 0 else Mention(at, min(at + len(term), len(text)), term, _SIGNS[written["sentiment"]])
