"""A vector for each token, trained on one's own catalogue, as a folder of three files: neither torch nor a graph."""

from __future__ import annotations

import hashlib
import io
from collections.abc import Mapping, Sequence
from functools import cached_property
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, I8, Bool
from inkling.core.errors import BundleError
from inkling.encoders._shipped import shipped
from inkling.encoders._text import readable
from inkling.encoders._tokens import flatten
from inkling.protocol.leaks import Provenance

if TYPE_CHECKING:
    from tokenizers import Tokenizer

CARD = "card.json"
TABLE = "table.npz"
TOKENIZER = "tokenizer.json"
FORMAT = 1
_AT_ONCE = 1024  # texts whose token vectors are held together
_AGAIN = "Write it again with write_table."


class TableCard(msgspec.Struct, frozen=True, kw_only=True):
    """What is known of a table; keys that only people read may stand beside.

    Attributes:
        format: Of the folder.
        dim: Length of a vector.
        max_tokens: Tokens of a text that are read.
        learned: What the table learned, and until when.
        sha256: Checksum of each other file.
    """

    dim: int
    max_tokens: int
    sha256: dict[str, str]
    format: int = FORMAT
    learned: tuple[Provenance, ...] = ()


class TableEncoder:
    """Serves a folder of :func:`write_table`: the vectors of a text's tokens, added up, of length one.

    A token's weight is the length of its vector; one that has none is not read. Without a folder, the table that ships
    with the package (as ``static``).
    """

    name = "table"

    def __init__(self, source: str | Path | Mapping[str, bytes] | None = None) -> None:
        """Read the card; the table is loaded when the first text comes.

        Args:
            source: The folder that :func:`write_table` wrote, or the files of :func:`table_files`.

        Raises:
            BundleError: The folder is no table.
        """
        self._files = source if isinstance(source, Mapping) else None
        self._folder: Traversable = shipped("static") if source is None else Path("" if self._files else str(source))
        self._tokens: Traversable = shipped("minilm") if source is None else self._folder
        self._where = "What was given" if self._files else str(self._folder)
        content = self._bytes(self._folder, CARD)
        self.about = _card(content, self._where)
        self.dim = self.about.dim
        self.fingerprint = f"table:1:{hashlib.sha256(content).hexdigest()[:16]}"

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one; zeros for a text without a known token.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
            BundleError: A file is missing or was altered.
        """
        ids = self._ids(readable(texts))
        out = np.zeros((len(ids), self.dim), np.float32)
        for start in range(0, len(ids), _AT_ONCE):
            part = slice(start, start + _AT_ONCE)
            out[part] = self._sums(ids[part])
        lengths = np.linalg.norm(out, axis=1, keepdims=True)
        return np.asarray(out / np.where(lengths > 0, lengths, 1), np.float32)

    def unknown_share(self, texts: Sequence[str]) -> F32:  # (N,)
        """Return each text's share of tokens that have no vector; 1 for a text without tokens."""
        flat, sizes = flatten(self._ids(readable(texts)))
        known: Bool = self._table[1][:, 0] > 0
        unknown = np.bincount(np.repeat(np.arange(len(sizes)), sizes), ~known[flat], len(sizes))
        return np.where(sizes > 0, unknown / np.maximum(sizes, 1), 1.0).astype(np.float32)

    def _sums(self, ids: Sequence[Sequence[int]]) -> F32:
        levels, scale = self._table
        flat, sizes = flatten(ids)
        out = np.zeros((len(sizes), self.dim), np.float32)
        filled = np.flatnonzero(sizes)
        if len(filled):
            starts = np.cumsum(sizes[filled]) - sizes[filled]
            out[filled] = np.add.reduceat(levels[flat] * scale[flat], starts, axis=0)
        return out

    def _ids(self, texts: Sequence[str]) -> list[list[int]]:
        if len(texts) == 1:  # the batch call wakes a pool of threads, which costs more than one text
            return [self._tokenizer.encode(texts[0], add_special_tokens=False).ids]
        found: list[Any] = self._tokenizer.encode_batch(list(texts), add_special_tokens=False)
        return [encoding.ids for encoding in found]

    @cached_property
    def _tokenizer(self) -> Tokenizer:
        from tokenizers import Tokenizer

        content = self._bytes(self._tokens, TOKENIZER)
        if self._tokens is self._folder:
            self._check(TOKENIZER, content)
        tokenizer = Tokenizer.from_str(content.decode())
        tokenizer.no_padding()
        tokenizer.enable_truncation(self.about.max_tokens)
        return tokenizer

    @cached_property
    def _table(self) -> tuple[I8, F32]:
        """Return levels (n_tokens, dim) int8 and the scale (n_tokens, 1) of each row."""
        content = self._bytes(self._folder, TABLE)
        self._check(TABLE, content)
        with np.load(io.BytesIO(content), allow_pickle=False) as table:
            return table["levels"], table["scale"].astype(np.float32).reshape(-1, 1)

    def _bytes(self, folder: Traversable, name: str) -> bytes:
        try:
            return (folder / name).read_bytes() if self._files is None else self._files[name]
        except (OSError, KeyError) as error:
            raise BundleError(f"{self._where} holds no table of tokens: it lacks {name}.", hint=_AGAIN) from error

    def _check(self, name: str, content: bytes) -> None:
        seen, expected = hashlib.sha256(content).hexdigest(), self.about.sha256.get(name)
        if seen != expected:
            raise BundleError(
                f"{self._where}/{name} was altered: its sha256 is {seen[:16]}, the card says {str(expected)[:16]}.",
                hint=_AGAIN,
            )


def table_files(
    table: F32, tokenizer: str, *, max_tokens: int = 256, learned: tuple[Provenance, ...] = ()
) -> dict[str, bytes]:
    """Return the content of each file of a table.

    Args:
        table: (n_tokens, dim) what each token adds to a text; zeros for one that is not read. Kept as int8.
        tokenizer: The content of ``tokenizer.json``.
        max_tokens: Tokens of a text that are read.
        learned: What the table learned, and until when.
    """
    buffer = io.BytesIO()
    levels, scale = rounded(table)
    np.savez_compressed(buffer, levels=levels, scale=scale[:, 0].astype(np.float16))
    contents = {TABLE: buffer.getvalue(), TOKENIZER: tokenizer.encode()}
    card = TableCard(
        dim=table.shape[1],
        max_tokens=max_tokens,
        learned=learned,
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )
    return {**contents, CARD: msgspec.json.format(msgspec.json.encode(card), indent=2)}


def write_table(folder: str | Path, files: Mapping[str, bytes]) -> None:
    """Write :func:`table_files` as a folder, whole or not at all; an older table there is replaced.

    Raises:
        BundleError: The place holds something else, or the disk refuses.
    """
    from inkling.encoders._backbone_folder import write_whole

    def fill(place: Path) -> None:
        for name, content in files.items():
            (place / name).write_bytes(content)

    write_whole(Path(folder), fill, marks=(CARD,))


def rounded(table: F32) -> tuple[I8, F32]:
    """Return int8 levels (n, dim), and scales (n, 1) that float16 holds exactly; 0 for an empty row."""
    scale = (np.abs(table).max(axis=1, keepdims=True, initial=0) / 127).astype(np.float16).astype(np.float32)
    levels = np.clip(np.round(table / np.where(scale > 0, scale, 1)), -127, 127).astype(np.int8)
    return levels, scale


def _card(content: bytes, where: str) -> TableCard:
    try:
        card = msgspec.json.decode(content, type=TableCard)
    except msgspec.MsgspecError as error:
        raise BundleError(f"{where}/{CARD} is not the card of a table of tokens: {error}.", hint=_AGAIN) from error
    if card.format != FORMAT:
        raise BundleError(f"{where} is of format {card.format}, expected {FORMAT}.", hint=_AGAIN)
    return card
