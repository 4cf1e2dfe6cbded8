"""A language model as a folder of three files, served by ONNX Runtime: no torch, no transformers, no network."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Callable, Sequence
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, I64
from inkling.core.errors import BundleError, ConfigError
from inkling.encoders._backbone_batches import length_batches
from inkling.encoders._onnx import CPU, open_session
from inkling.encoders._shipped import shipped
from inkling.encoders._text import readable
from inkling.protocol.leaks import Provenance

if TYPE_CHECKING:
    from onnxruntime import InferenceSession
    from tokenizers import Tokenizer

    from inkling.encoders.backbone import Backbone

CARD = "card.json"
FORMAT = 1
_TOKENS_PER_BATCH = 2048
_AGAIN = "Export it again."
Progress = Callable[[int, int], None]


class ExportCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of an exported model; keys that only people read may stand beside.

    Attributes:
        format: Of the folder.
        architecture: As transformers names it.
        dim: Length of a vector.
        max_tokens: Tokens of a text that are read.
        pooling: How many vectors became one; it is inside the graph.
        prefix: Written before a text that describes.
        query_prefix: Written before a text that asks.
        pad_id: The token that fills short rows.
        quantisation: Of weights and activations.
        learned: What the model learned here, and until when.
        sha256: Checksum of each other file.
    """

    dim: int
    max_tokens: int
    sha256: dict[str, str]
    format: int = FORMAT
    architecture: str = "bert"
    pooling: str = "mean"
    prefix: str = ""
    query_prefix: str = ""
    pad_id: int = 0
    quantisation: str = "none"
    learned: tuple[Provenance, ...] = ()


def export_backbone(backbone: Backbone, folder: str | Path, *, int8: bool = False) -> None:
    """Write a folder that :class:`ExportedEncoder` serves: ``model.onnx``, ``tokenizer.json``, ``card.json``.

    The folder is read back before it takes its place, and its vectors are compared with torch's.

    Args:
        backbone: What is exported.
        folder: Where; an older export is replaced.
        int8: Whether weights become int8, with activations quantised by row: a quarter of the size.

    Raises:
        BundleError: The place holds something else, or the disk refuses.
        ConfigError: The tokenizer has no form that is served without transformers.
        InklingError: The graph cannot be traced, or it disagrees with torch.
        MissingExtraError: torch or transformers is not installed.
    """
    from inkling.encoders._backbone_folder import need_transformers

    need_transformers("Exporting a language model")
    from inkling.encoders._backbone_export import export

    export(backbone, Path(folder), int8=int8)


class ExportedEncoder:
    """Serves a folder of :func:`export_backbone`; without one, the all-MiniLM-L6-v2 that ships with the package.

    It reads what its own tokenizer can. Rows have length one. Texts of alike length travel together.
    """

    name = "exported"

    def __init__(
        self,
        folder: str | Path | None = None,
        *,
        n_threads: int = 1,
        query: bool = False,
        progress: Progress = lambda done, total: None,
        providers: Sequence[str] = CPU,
    ) -> None:
        """Read the card; the model is loaded when the first text comes.

        Args:
            folder: What :func:`export_backbone` wrote.
            n_threads: Threads inside the model.
            query: Whether texts ask (``query_prefix``) instead of describing (``prefix``).
            progress: Called as ``progress(n_done, n_texts)`` after each batch.
            providers: Where the model runs, in the order of preference: execution providers of ONNX Runtime.

        Raises:
            BundleError: The folder is no exported model.
            ConfigError: ``n_threads`` is out of range.
        """
        if n_threads < 1:
            raise ConfigError(f"exported: n_threads is {n_threads}, expected at least 1.")
        self._folder: Traversable = shipped("minilm") if folder is None else Path(folder)
        self._where = str(self._folder)
        content = self._bytes(CARD)
        self.card = _card(content, self._where)
        self.dim, self.n_threads, self.progress = self.card.dim, n_threads, progress
        self.providers = tuple(providers)
        self._prefix = self.card.query_prefix if query else self.card.prefix
        mode = "query" if query else "item"
        self.fingerprint = f"exported:1:{hashlib.sha256(content).hexdigest()[:16]}:{mode}"
        self._lock = threading.Lock()

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without tokens.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            BundleError: A file is missing or was altered.
            ConfigError: An execution provider is not there.
        """
        ids = self._token_ids(readable(texts))
        out = np.zeros((len(ids), self.dim), np.float32)
        done = 0
        for rows in length_batches([len(row) for row in ids], _TOKENS_PER_BATCH):
            given = _padded([ids[row] for row in rows], self.card.pad_id)
            out[rows] = self._loaded.run(None, given)[0]
            done += len(rows)
            self.progress(done, len(ids))
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(lengths > 0, lengths, 1), np.float32)

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of tokens that the tokenizer has no entry for; 1 for a text without tokens."""
        found = self._tokenized(readable(texts), special=False)
        shares = [sum(i == self._unknown for i in each.ids) / len(each.ids) if each.ids else 1.0 for each in found]
        return np.array(shares, np.float32)

    def _token_ids(self, texts: Sequence[str]) -> list[list[int]]:
        """Return tokens, marks included; none for a text with nothing to read."""
        found = self._tokenized([self._prefix + text for text in texts], special=True)
        pairs = zip(texts, found, strict=True)
        return [[] if not text.strip() or all(each.special_tokens_mask) else each.ids for text, each in pairs]

    def _tokenized(self, texts: list[str], *, special: bool) -> list[Any]:
        if len(texts) == 1:  # the batch call wakes a pool of threads, which costs more than one text
            return [self._tokenizer.encode(texts[0], add_special_tokens=special)]
        found: list[Any] = self._tokenizer.encode_batch(texts, add_special_tokens=special)
        return found

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        tokenizer = Tokenizer.from_str(self._checked("tokenizer.json").decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.card.max_tokens)
        return tokenizer

    @cached_property
    def _unknown(self) -> int | None:
        """Return the token that stands for what the vocabulary has not; a tokenizer of bytes has none."""
        model: dict[str, Any] = msgspec.json.decode(self._tokenizer.to_str().encode())["model"]
        if "unk_id" in model:
            found: int | None = model["unk_id"]
            return found
        row: int | None = self._tokenizer.token_to_id(model.get("unk_token") or "")
        return row

    @property
    def _loaded(self) -> InferenceSession:
        with self._lock:
            return self._session

    @cached_property
    def _session(self) -> InferenceSession:
        content = self._checked("model.onnx")
        return open_session(content, providers=self.providers, n_threads=self.n_threads, where=self._where)

    def _bytes(self, name: str) -> bytes:
        try:
            return (self._folder / name).read_bytes()
        except OSError as error:
            raise BundleError(
                f"{self._where} holds no exported model: it lacks {name}.", hint="Write one with export_backbone."
            ) from error

    def _checked(self, name: str) -> bytes:
        content, expected = self._bytes(name), self.card.sha256.get(name)
        seen = hashlib.sha256(content).hexdigest()
        if seen != expected:
            raise BundleError(
                f"{self._where}/{name} was altered: its sha256 is {seen[:16]}, the card says {str(expected)[:16]}.",
                hint=_AGAIN,
            )
        return content


def _card(content: bytes, where: str) -> ExportCard:
    try:
        card = msgspec.json.decode(content, type=ExportCard)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{where}/{CARD} is not the card of an exported model: {error}.", hint=_AGAIN) from error
    if card.format != FORMAT:
        raise BundleError(f"{where} is of format {card.format}, expected {FORMAT}.", hint=_AGAIN)
    return card


def _padded(ids: Sequence[Sequence[int]], pad_id: int) -> dict[str, I64]:
    """Return ids and mask, both (N, T), padded to the longest, which is the last."""
    padded = np.full((len(ids), len(ids[-1])), pad_id, np.int64)
    mask = np.zeros_like(padded)
    for row, values in enumerate(ids):
        padded[row, : len(values)] = values
        mask[row, : len(values)] = 1
    return {"input_ids": padded, "attention_mask": mask}
