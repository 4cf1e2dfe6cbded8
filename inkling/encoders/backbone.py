"""Language models by name or folder, in torch: to train on, to adapt, to export, and to encode with."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32
from inkling.core.config import to_dict
from inkling.core.errors import ConfigError
from inkling.encoders._backbone_batches import length_batches
from inkling.encoders._backbone_card import CARD, ModelCard, max_length, read_card, read_json, width
from inkling.encoders._backbone_folder import (
    MINILM,
    files_fingerprint,
    local_folder,
    model_folder,
    need_transformers,
    quiet,
    write_whole,
)
from inkling.encoders._text import readable

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["CARD", "MINILM", "Backbone", "BackboneEncoder", "ModelCard", "load_backbone"]
_TOKENS_PER_BATCH = 2048
Progress = Callable[[int, int], None]


def _ignore(done: int, total: int) -> None:
    """Report nothing."""


@dataclass
class Backbone:
    """A language model with its tokenizer and its card.

    Attributes:
        model: The network; its parameters may be trained, and it may be replaced by one that wraps it.
        tokenizer: transformers' tokenizer; pads on the right.
        card: How a text becomes one vector.
    """

    model: nn.Module
    tokenizer: Any
    card: ModelCard

    @property
    def kind(self) -> str:
        """Return the architecture, as ``model_type`` names it."""
        config: Any = self.model.config
        return str(config.model_type)

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        config: Any = self.model.config
        return int(config.hidden_size)

    @property
    def fingerprint(self) -> str:
        """Return what decides the vectors, from the weights as they are now: training changes it."""
        from inkling.encoders._backbone_torch import weights_fingerprint

        said = {key: value for key, value in to_dict(self.card).items() if key != "learned"}
        return weights_fingerprint(self.model, self.tokenizer, f"{self.kind}{sorted(said.items())}")

    def token_ids(self, texts: Sequence[str], max_tokens: int | None = None, *, query: bool = False) -> list[list[int]]:
        """Return each text's tokens, marks included; none for a text with nothing to read.

        Args:
            texts: What is read; the card's prefix is put before each.
            max_tokens: Tokens that are read, the card's where it is None.
            query: Whether the texts ask (``query_prefix``) instead of describing (``prefix``).

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
        """
        texts = readable(texts)
        if not texts:
            return []
        before = self.card.query_prefix if query else self.card.prefix
        found = self.tokenizer(
            [before + text for text in texts],
            truncation=True,
            max_length=max_tokens or self.card.max_tokens,
            return_special_tokens_mask=True,
            return_attention_mask=False,
        )
        marks = found["special_tokens_mask"]
        blank = [not text.strip() or all(mark) for text, mark in zip(texts, marks, strict=True)]
        return [[] if empty else ids for ids, empty in zip(found["input_ids"], blank, strict=True)]

    def tokens(self, texts: Sequence[str], max_tokens: int | None = None, *, query: bool = False) -> dict[str, Tensor]:
        """Return ``input_ids`` and ``attention_mask``, both (N, T), padded on the right to the longest text.

        A text with nothing to read is padding only, and its vector is zeros. The arguments are those of
        :meth:`token_ids`.
        """
        return self.padded(self.token_ids(texts, max_tokens, query=query))

    def padded(self, ids: Sequence[Sequence[int]]) -> dict[str, Tensor]:
        """Return rows of tokens as one batch on the model's device."""
        import torch

        size = max((len(row) for row in ids), default=0) or 1
        device = next(self.model.parameters()).device
        pad = int(self.tokenizer.pad_token_id)
        rows = torch.tensor([[*row, *[pad] * (size - len(row))] for row in ids], dtype=torch.long)
        mask = torch.tensor([[1] * len(row) + [0] * (size - len(row)) for row in ids], dtype=torch.long)
        shape = (len(ids), size)
        return {"input_ids": rows.reshape(shape).to(device), "attention_mask": mask.reshape(shape).to(device)}

    def hidden(self, batch: Mapping[str, Tensor]) -> Tensor:  # (N, T, dim)
        """Return the last hidden states, differentiable."""
        from inkling.encoders._backbone_torch import hidden_states

        return hidden_states(self.model, self.kind, batch)

    def vectors(self, batch: Mapping[str, Tensor]) -> Tensor:  # (N, dim)
        """Return one vector for each text, pooled and normalised as the card says, differentiable."""
        from inkling.encoders._backbone_torch import pooled

        card = self.card
        return pooled(self.hidden(batch), batch["attention_mask"], card.pooling, normalize=card.normalize)

    def save(self, folder: str | Path, *, beside: Mapping[str, bytes] | None = None) -> None:
        """Write weights (safetensors), tokenizer and card, whole or not at all; an older model there is replaced.

        Args:
            folder: Where.
            beside: Other files for the folder: name -> content.

        Raises:
            BundleError: The place holds something else, or the disk refuses.
        """
        from inkling.encoders._backbone_torch import settled

        def fill(place: Path) -> None:
            model: Any = self.model
            with quiet():
                model.save_pretrained(place)
                settled(self.tokenizer).save_pretrained(place)
            for name, content in (beside or {}).items():
                (place / name).write_bytes(content)
            (place / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(self.card), indent=2))

        write_whole(Path(folder), fill, marks=(CARD,))


def load_backbone(source: str | Path = MINILM, *, card: ModelCard | None = None) -> Backbone:
    """Return a language model, in evaluation mode.

    Args:
        source: A folder, a name on the hub, or ``minilm`` for all-MiniLM-L6-v2.
        card: How its texts become vectors; without one, the folder's own or what fits its architecture.

    Raises:
        MissingExtraError: torch or transformers is not installed.
        NotFoundError: There is no such folder or name.
        BundleError: The folder's files cannot be read.
        ConfigError: The architecture is unknown, or the card does not fit it.
    """
    need_transformers()
    from inkling.encoders._backbone_torch import check_length, load_model, load_tokenizer

    folder = model_folder(source)
    model: Any = load_model(folder)
    found = card or read_card(folder, str(model.config.model_type))
    check_length(model.config, found.max_tokens, max_length(read_json(folder / "config.json")))
    return Backbone(model, load_tokenizer(folder), found)


class BackboneEncoder:
    """A language model in torch as an encoder: needs ``inkling[train]``; ``exported`` serves the same without it.

    Texts of alike length travel together, so that little is padded. Rows have length one whatever the card says.
    """

    name = "backbone"

    def __init__(
        self, source: str | Path = MINILM, *, n_threads: int = 1, query: bool = False, progress: Progress = _ignore
    ) -> None:
        """Prepare the encoder; the model is loaded when the first text comes.

        Args:
            source: A folder, a name on the hub, or ``minilm``.
            n_threads: Threads inside the model.
            query: Whether texts ask (the card's ``query_prefix``) instead of describing.
            progress: Called as ``progress(n_done, n_texts)`` after each batch.

        Raises:
            ConfigError: ``n_threads`` is out of range.
        """
        if n_threads < 1:
            raise ConfigError(f"backbone: n_threads is {n_threads}, expected at least 1.")
        self.source, self.n_threads, self.query, self.progress = source, n_threads, query, progress

    @cached_property
    def dim(self) -> int:
        """Return the length of a vector, from the folder's configuration where there is a folder."""
        folder = local_folder(self.source)
        said = width(read_json(folder / "config.json")) if folder is not None else 0
        return said or self._backbone.dim

    @cached_property
    def fingerprint(self) -> str:
        """Return what decides the vectors: the content of the folder's files."""
        mode = "query" if self.query else "item"
        return f"backbone:1:{files_fingerprint(model_folder(self.source))}:{mode}"

    @cached_property
    def _backbone(self) -> Backbone:
        return load_backbone(self.source)

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without tokens.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            MissingExtraError: torch or transformers is not installed.
        """
        clean = readable(texts)
        out = np.zeros((len(clean), self.dim), np.float32)
        ids = self._backbone.token_ids(clean, query=self.query) if clean else []
        done = 0
        for rows in length_batches([len(row) for row in ids], _TOKENS_PER_BATCH):
            out[rows] = self._read([ids[row] for row in rows])
            done += len(rows)
            self.progress(done, len(clean))
        return out

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of tokens that the tokenizer has no entry for; 1 for a text without tokens."""
        clean, tokenizer = readable(texts), self._backbone.tokenizer
        found = tokenizer(clean, add_special_tokens=False)["input_ids"] if clean else []
        unknown = tokenizer.unk_token_id
        shares = [sum(token == unknown for token in ids) / len(ids) if ids else 1.0 for ids in found]
        return np.array(shares, np.float32)

    def _read(self, ids: Sequence[Sequence[int]]) -> F32:
        import torch

        threads = torch.get_num_threads()
        torch.set_num_threads(self.n_threads)
        try:
            with torch.inference_mode():
                vectors = self._backbone.vectors(self._backbone.padded(ids))
                found: F32 = torch.nn.functional.normalize(vectors, dim=-1).cpu().numpy()
        finally:
            torch.set_num_threads(threads)
        return found
