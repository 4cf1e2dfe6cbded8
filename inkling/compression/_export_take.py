"""An ONNX model of texts, made elsewhere, as a folder that every encoder of the house is read from."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import F32, Array
from inkling.core.errors import BundleError, ConfigError, InklingError, MissingExtraError
from inkling.encoders._backbone_card import ModelCard, read_json
from inkling.encoders._backbone_card import read_card as read_model_card
from inkling.encoders._backbone_folder import write_whole
from inkling.encoders._onnx import CPU, open_session
from inkling.encoders.exported import CARD, ExportCard, ExportedEncoder

if TYPE_CHECKING:
    from tokenizers import Tokenizer

ROLES: Mapping[str, tuple[str, ...]] = {
    "ids": ("input_ids", "input_word_ids", "ids", "tokens", "token_ids"),
    "mask": ("attention_mask", "input_mask", "mask"),
    "segments": ("token_type_ids", "input_type_ids", "segment_ids", "type_ids"),
    "positions": ("position_ids", "positions"),
}
"""What an input is for -> names that it is known by."""
_IN_ORDER = ("ids", "mask", "segments")
_OUTPUTS = ("sentence_embedding", "sentence_embeddings", "vectors", "embeddings", "embedding", "text_embeds")
_PADS = ("[PAD]", "<pad>", "<|endoftext|>")
_PROBES = ("red mug", "a film about travelling by train, with music and a happy end", "42")
_ATOL = 1e-4


@dataclass(frozen=True)
class Found:
    """A network made elsewhere, and what was found out about it.

    Attributes:
        graph: Its bytes.
        roles: Its inputs: name -> what it is for.
        types: Its inputs: name -> ``tensor(int64)`` or another type.
        output: The output that is read.
        is_pooled: Whether that output has one vector for each text, or one for each token.
        dim: Length of a vector.
    """

    graph: bytes
    roles: Mapping[str, str]
    types: Mapping[str, str]
    output: str
    is_pooled: bool
    dim: int


def take_in(
    source: str | Path,
    folder: str | Path,
    *,
    tokenizer: str | Path | None = None,
    card: ModelCard | None = None,
    roles: Mapping[str, str] | None = None,
    output: str = "",
    n_threads: int = 1,
) -> ExportedEncoder:
    """Take an ONNX model of texts in, whoever made it and out of what, and return it as an encoder.

    The folder that is written holds a network that reads ``input_ids`` and ``attention_mask`` and gives one vector for
    a text; :func:`inkling.encoders.open_encoder` opens it, a bundle carries it, and serving it needs no torch.

    Args:
        source: A file, or a folder with ``model.onnx`` (or ``onnx/model.onnx``).
        folder: Where it is written; an older export is replaced.
        tokenizer: Its ``tokenizer.json``; without it, the one beside the network.
        card: How its texts become vectors; without it, what the files beside it say, or the mean of 256 tokens.
        roles: Its inputs where their names and order do not tell: name -> ``ids``, ``mask``, ``segments`` or
            ``positions``.
        output: The output that is read; empty takes the best known name.
        n_threads: Threads of the encoder that is returned.

    Raises:
        BundleError: The network or the tokenizer is missing or cannot be read, or the network has fixed sizes.
        ConfigError: An input's role is not known, or an output is not there.
        InklingError: What was written answers otherwise than what was taken.
        MissingExtraError: onnx is not installed.
    """
    try:
        from inkling.compression import _export_rewrite
    except ImportError as error:
        raise MissingExtraError(
            "Taking in an ONNX model needs onnx, which is not installed.", hint="Run: pip install 'inkling[train]'"
        ) from error
    path = _network(Path(source).expanduser())
    home = path.parent.parent if path.parent.name == "onnx" else path.parent
    text = _tokenizer_text(Path(tokenizer).expanduser() if tokenizer else home / "tokenizer.json")
    card = card or _card_beside(home)
    found = _look(path, roles or {}, output)
    graph = _export_rewrite.as_encoder(found, card.pooling)
    contents = {"model.onnx": graph, "tokenizer.json": text.encode()}
    _write(Path(folder), contents, card, found, text)
    return ExportedEncoder(folder, n_threads=n_threads)


def _network(path: Path) -> Path:
    if path.is_file():
        return path
    for name in ("model.onnx", "onnx/model.onnx"):
        if (path / name).is_file():
            return path / name
    raise BundleError(f"There is no ONNX network at {path}.", hint="Name the file, or a folder with model.onnx.")


def _tokenizer_text(path: Path) -> str:
    from tokenizers import Tokenizer

    try:
        text = path.read_text(encoding="utf-8")
        Tokenizer.from_str(text)
    except Exception as error:  # the library raises Exception itself
        raise BundleError(
            f"There is no tokenizer that can be read at {path}: {error}.",
            hint="Give the model's tokenizer.json as tokenizer=.",
        ) from error
    return text


def _card_beside(home: Path) -> ModelCard:
    """Return what the files of a saved transformer say of pooling and length, where they lie beside the network."""
    kind = read_json(home / "config.json").get("model_type", "bert")
    return read_model_card(home, str(kind))


def _look(path: Path, given: Mapping[str, str], output: str) -> Found:
    """Find out what goes in and what comes out, by names first and then by asking."""
    session = open_session(str(path), where=str(path))
    roles = roles_of([each.name for each in session.get_inputs()], given)
    types = {each.name: each.type for each in session.get_inputs()}
    names = [each.name for each in session.get_outputs()]
    if output and output not in names:
        raise ConfigError(f"There is no output '{output}'.", hint=f"Outputs: {', '.join(names)}.")
    shapes = [_asked(session, roles, types, n, length, path) for n, length in ((2, 5), (3, 7))]
    wanted = [output] if output else [name for name in _OUTPUTS if name in names] + names
    for name in wanted:
        shape, other = shapes[0].get(name), shapes[1].get(name)
        if shape and other and shape[-1] == other[-1]:
            if shape[:-1] == (2, 5) and other[:-1] == (3, 7):
                return Found(_whole(path), roles, types, name, is_pooled=False, dim=shape[-1])
            if shape[:-1] == (2,) and other[:-1] == (3,):
                return Found(_whole(path), roles, types, name, is_pooled=True, dim=shape[-1])
    told = ", ".join(f"{name} {shape}" for name, shape in shapes[0].items())
    raise ConfigError(
        f"No output of {path.name} is a vector for each text or token; for 2 texts of 5 tokens there is {told}.",
        hint="Name one with output=.",
    )


def roles_of(names: Sequence[str], given: Mapping[str, str]) -> dict[str, str]:
    """Return what each input is for: as told, by its name, or by its place where no name is known.

    Raises:
        ConfigError: A role is not known, no input takes the tokens, or a role was given twice.
    """
    unknown = sorted(set(given.values()) - set(ROLES)) + sorted(set(given) - set(names))
    if unknown:
        raise ConfigError(
            f"'{unknown[0]}' is neither an input nor a role.",
            hint=f"Inputs: {', '.join(names)}. Roles: {', '.join(ROLES)}.",
        )
    found = {name: given.get(name) or _role(name) for name in names}
    if not any(found.values()) and len(names) <= len(_IN_ORDER):
        found = dict(zip(names, _IN_ORDER, strict=False))
    lost = [name for name, role in found.items() if not role]
    roles = [role for role in found.values() if role]
    if lost or "ids" not in roles or len(set(roles)) < len(roles):
        raise ConfigError(
            f"It is not clear what each of the inputs is for: {', '.join(names)}.",
            hint=f"Tell it by roles={{name: role}}; roles are {', '.join(ROLES)}.",
        )
    return {name: role for name, role in found.items() if role}


def _role(name: str) -> str:
    plain = name.split(":", maxsplit=1)[0].rsplit("/", 1)[-1].lower()
    return next((role for role, names in ROLES.items() if plain in names), "")


def feeds(roles: Mapping[str, str], types: Mapping[str, str], ids: Array, mask: Array) -> dict[str, Array]:
    """Return what a foreign network is given for tokens and mask, both (N, T)."""
    values = {
        "ids": ids, "mask": mask, "segments": np.zeros_like(ids),
        "positions": np.broadcast_to(np.arange(ids.shape[1]), ids.shape),
    }  # fmt: skip
    kinds = {"tensor(int32)": np.int32, "tensor(float)": np.float32, "tensor(bool)": np.bool_}
    return {name: values[role].astype(kinds.get(types[name], np.int64)) for name, role in roles.items()}


def _asked(
    session: Any, roles: Mapping[str, str], types: Mapping[str, str], n: int, length: int, path: Path
) -> dict[str, tuple[int, ...]]:
    ids = np.ones((n, length), dtype=np.int64)
    try:
        answers = session.run(None, feeds(roles, types, ids, np.ones_like(ids)))
    except Exception as error:  # ONNX Runtime's errors share no class of their own
        raise BundleError(
            f"{path.name} cannot read {n} texts of {length} tokens: {str(error).splitlines()[0][:300]}",
            hint="Export it with free sizes for texts and tokens (dynamic axes).",
        ) from error
    return {each.name: np.shape(value) for each, value in zip(session.get_outputs(), answers, strict=True)}


def _whole(path: Path) -> bytes:
    """Return the network with its weights inside, wherever they lay."""
    import onnx

    return bytes(onnx.load(str(path)).SerializeToString())


def _write(folder: Path, contents: Mapping[str, bytes], card: ModelCard, found: Found, text: str) -> None:
    from tokenizers import Tokenizer

    tokenizer = Tokenizer.from_str(text)
    pads = [tokenizer.token_to_id(name) for name in _PADS]
    pad = (tokenizer.padding or {}).get("pad_id", next((row for row in pads if row is not None), 0))
    about = ExportCard(
        architecture="onnx", dim=found.dim, max_tokens=card.max_tokens, pooling=card.pooling, prefix=card.prefix,
        query_prefix=card.query_prefix, pad_id=int(pad), learned=card.learned,
        sha256={name: hashlib.sha256(content).hexdigest() for name, content in contents.items()},
    )  # fmt: skip

    def fill(place: Path) -> None:
        for name, content in contents.items():
            (place / name).write_bytes(content)
        (place / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(about), indent=2))
        _compare(ExportedEncoder(place), tokenizer, found, card)

    write_whole(folder, fill, marks=(CARD,))


def _compare(encoder: ExportedEncoder, tokenizer: Tokenizer, found: Found, card: ModelCard) -> None:
    """Check what was written against the network as it came, one text at a time."""
    tokenizer.no_padding()
    tokenizer.enable_truncation(card.max_tokens)
    session = open_session(found.graph, providers=CPU)
    expected = []
    for probe in _PROBES:
        ids = np.array([tokenizer.encode(card.prefix + probe).ids], dtype=np.int64)
        answer = session.run([found.output], feeds(found.roles, found.types, ids, np.ones_like(ids)))[0]
        vector: F32 = answer[0] if found.is_pooled else _pooled(answer[0], card.pooling)
        expected.append(vector / max(float(np.linalg.norm(vector)), 1e-12))
    apart = float(np.abs(encoder.encode(_PROBES) - np.stack(expected)).max())
    if not apart <= _ATOL:
        raise InklingError(
            f"The model was taken in, but answers {apart:.2g} off what it said before; at most {_ATOL:.2g} is allowed.",
            hint="Say with roles= what its inputs are for; if its own pooling looks at padding, name its token vectors "
            "with output=.",
        )


def _pooled(hidden: F32, pooling: str) -> F32:
    if pooling == "mean":
        return np.asarray(hidden.mean(axis=0), dtype=np.float32)
    return np.asarray(hidden[0 if pooling == "cls" else -1], dtype=np.float32)
