"""What must be known of a language model besides its weights: pooling, prefixes, length, normalisation."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

import msgspec

from inkling.core.config import Config, parse
from inkling.core.errors import BundleError, ConfigError
from inkling.protocol.leaks import Provenance

Pooling = Literal["mean", "cls", "last"]
CARD = "inkling.json"
POOLINGS: Mapping[str, Pooling] = {
    "bert": "mean", "roberta": "mean", "deberta-v2": "mean", "ernie": "mean", "t5": "mean",
    "gpt2": "last", "qwen2": "last", "qwen3": "last", "xlnet": "last",
}  # fmt: skip
"""The architectures that are tested, and how each makes one vector out of many unless it says otherwise."""
_MAX_TOKENS = 256
_WIDTHS = ("hidden_size", "d_model", "n_embd", "dim")
_LENGTHS = ("max_position_embeddings", "n_positions")
_SHIFTED = {"roberta": 2, "xlm-roberta": 2}  # positions begin behind that of the padding
_PLAIN = ("Transformer", "Pooling", "Normalize")


class ModelCard(Config, frozen=True, kw_only=True):
    """How a text becomes one vector."""

    pooling: Pooling = "mean"
    """Which tokens' last hidden states count: the mean of all, the first, or the last."""
    prefix: str = ""
    """Written before a text that describes an item."""
    query_prefix: str = ""
    """Written before a text that asks for one."""
    max_tokens: Annotated[int, msgspec.Meta(ge=3)] = _MAX_TOKENS
    """Tokens of a text that are read, prefix and marks included."""
    normalize: bool = True
    """Whether vectors have length one."""
    learned: tuple[Provenance, ...] = ()
    """What it learned here, and until when; empty where it is as its makers gave it."""


def read_json(path: Path) -> dict[str, Any]:
    """Return a JSON object, or an empty one where there is no file.

    Raises:
        BundleError: The file is no JSON object.
    """
    if not path.exists():
        return {}
    try:
        return msgspec.json.decode(path.read_bytes(), type=dict[str, Any])
    except msgspec.MsgspecError as error:
        raise BundleError(f"{path.name} in {path.parent.name} is no JSON object: {error}.") from error


def read_card(folder: Path, kind: str) -> ModelCard:
    """Return a folder's own card, or one made of what its architecture and sentence-transformers' files say.

    Args:
        folder: The model's folder.
        kind: Its architecture, as ``model_type`` in ``config.json`` names it.

    Raises:
        BundleError: A file is damaged.
        ConfigError: The files ask for something that a card cannot say.
    """
    own = read_json(folder / CARD)
    if own:
        return parse(ModelCard, own, where=f"{folder.name}/{CARD}")
    _refuse_modules(folder)
    prompts = read_json(folder / "config_sentence_transformers.json").get("prompts") or {}
    limit = max_length(read_json(folder / "config.json"))
    said = read_json(folder / "sentence_bert_config.json").get("max_seq_length") or _MAX_TOKENS
    return ModelCard(
        pooling=_pooling(folder, kind),
        prefix=prompts.get("document") or prompts.get("passage") or "",
        query_prefix=prompts.get("query") or "",
        max_tokens=min(said, limit or said),
    )


def max_length(config: Mapping[str, Any]) -> int:
    """Return how many tokens a model has positions for; 0 where it has no limit."""
    found = next((config[name] for name in _LENGTHS if isinstance(config.get(name), int)), 0)
    kind = str(config.get("model_type", ""))
    return max(found - _SHIFTED.get(kind, 0), 0) if kind not in {"t5", "xlnet"} else 0


def width(config: Mapping[str, Any]) -> int:
    """Return the length of a hidden state; 0 where the configuration does not say it in a known way."""
    return next((config[name] for name in _WIDTHS if isinstance(config.get(name), int)), 0)


def _refuse_modules(folder: Path) -> None:
    """Refuse what stands behind the pooling: a projection left out would give other vectors without a word."""
    path = folder / "modules.json"
    modules = msgspec.json.decode(path.read_bytes(), type=list[dict[str, Any]]) if path.exists() else []
    others = [str(m.get("type", "")).rpartition(".")[2] for m in modules]
    others = [name for name in others if name not in _PLAIN]
    if others:
        raise ConfigError(
            f"{folder.name} has a module '{others[0]}' behind its model, which Inkling does not read.",
            hint="Give a card to load it without that module: load_backbone(source, card=ModelCard(...)).",
        )


def _pooling(folder: Path, kind: str) -> Pooling:
    said = read_json(folder / "1_Pooling" / "config.json")
    if not said:
        return POOLINGS.get(kind, "mean")
    names: dict[str, Pooling] = {
        "pooling_mode_mean_tokens": "mean", "pooling_mode_cls_token": "cls", "pooling_mode_lasttoken": "last",
    }  # fmt: skip
    on = [key for key, value in said.items() if key.startswith("pooling_mode_") and value is True]
    if len(on) == 1 and on[0] in names:
        return names[on[0]]
    modes: dict[str, Pooling] = {"mean": "mean", "cls": "cls", "lasttoken": "last"}
    if not on and said.get("pooling_mode") in modes:
        return modes[said["pooling_mode"]]
    raise ConfigError(
        f"{folder.name} pools by {' and '.join(on) or said}, expected mean, cls or last.",
        hint="Give a card to choose one: load_backbone(source, card=ModelCard(pooling='mean')).",
    )
