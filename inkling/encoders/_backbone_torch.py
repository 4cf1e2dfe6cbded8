"""Language models in torch: loading by architecture, hidden states, pooling."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError
from tokenizers import Tokenizer
from torch import Tensor, nn
from transformers import AutoConfig, AutoModel, AutoTokenizer, PreTrainedTokenizerFast, T5EncoderModel

from inkling.core.errors import BundleError, ConfigError
from inkling.encoders._backbone_card import POOLINGS, Pooling
from inkling.encoders._backbone_folder import quiet
from inkling.encoders._backbone_shapes import KEPT, load_narrowed

_POOLERS = {"bert", "roberta", "xlm-roberta", "ernie"}  # their extra layer is read by nobody here
_COUNTED = {"bert", "ernie", "gpt2", "qwen2", "qwen3"}  # positions count real tokens, wherever the padding stands
_VOCABULARIES = (
    "tokenizer.json", "vocab.txt", "vocab.json", "spiece.model", "spm.model", "sentencepiece.bpe.model",
    "tokenizer.model",
)  # fmt: skip
WITHOUT_MEMORY: Mapping[str, dict[str, bool]] = {
    "gpt2": {"use_cache": False}, "qwen2": {"use_cache": False}, "qwen3": {"use_cache": False},
    "xlnet": {"use_mems": False},
}  # fmt: skip


def load_model(folder: Path) -> nn.Module:
    """Return the network of a folder, in evaluation mode and float32.

    Raises:
        BundleError: The files cannot be read as a model.
        ConfigError: transformers has no such architecture, or it runs code of its own.
    """
    try:
        config = AutoConfig.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError) as error:
        raise ConfigError(
            f"{folder.name} is of an architecture that transformers does not know: {_first_line(error)}",
            hint=f"Tested architectures: {', '.join(sorted(POOLINGS))}.",
        ) from error
    kind = str(config.model_type)
    loader: Any = T5EncoderModel if kind == "t5" else AutoModel
    extra = {"add_pooling_layer": False} if kind in _POOLERS else {}
    if getattr(config, KEPT, None):
        return load_narrowed(folder, config, **extra)
    try:
        with quiet():
            model, told = loader.from_pretrained(
                folder, dtype=torch.float32, trust_remote_code=False, output_loading_info=True, **extra
            )
    except (ValueError, OSError, RuntimeError, KeyError, TypeError, SafetensorError) as error:
        tested = "" if kind in POOLINGS else f" '{kind}' is not one of the tested architectures."
        raise BundleError(
            f"{folder.name} could not be loaded as a language model: {_first_line(error)}{tested}",
            hint=f"Tested architectures: {', '.join(sorted(POOLINGS))}.",
        ) from error
    _refuse_random(folder, told)
    network: nn.Module = model.eval()
    return network


def _refuse_random(folder: Path, told: Mapping[str, Any]) -> None:
    """Refuse a model of which a part would be at random because the file has no such weights."""
    lacking = sorted(str(name) for name in told["missing_keys"] if "pooler" not in str(name))
    if lacking:
        raise BundleError(
            f"The weights in {folder.name} lack {len(lacking)} of the model's tensors, such as {lacking[0]}.",
            hint="Check that config.json and the weights belong together.",
        )


def load_tokenizer(folder: Path) -> Any:
    """Return the tokenizer of a folder, which pads on the right and has something to pad with.

    Raises:
        BundleError: There is none that can be read.
    """
    if not any((folder / name).exists() for name in _VOCABULARIES):
        raise BundleError(
            f"{folder.name} has no tokenizer.", hint=f"Expected one of these files: {', '.join(_VOCABULARIES)}."
        )
    try:
        with quiet():
            tokenizer: Any = AutoTokenizer.from_pretrained(folder, trust_remote_code=False)
    except (ValueError, OSError, KeyError, TypeError, ImportError) as error:
        raise BundleError(f"{folder.name} has no tokenizer that can be read: {_first_line(error)}") from error
    path = folder / "tokenizer.json"
    return prepared(_as_written(tokenizer, path) if path.exists() else tokenizer)


def _as_written(tokenizer: Any, path: Path) -> Any:
    """Return the tokenizer that the file holds, with the names that ``tokenizer`` gives to special tokens.

    transformers builds some families' tokenizers anew from the vocabulary: a mark that the makers added at the end of a
    text, whose state is the vector, is then lost.
    """
    held = Tokenizer.from_file(str(path))
    held.no_padding()
    held.no_truncation()
    names = {name: token for name, token in tokenizer.special_tokens_map.items() if isinstance(token, str)}
    return PreTrainedTokenizerFast(
        tokenizer_object=held,
        model_input_names=tokenizer.model_input_names,
        **{name: token for name, token in names.items() if held.token_to_id(token) is not None},
    )


def prepared(tokenizer: Any) -> Any:
    """Return a tokenizer set to pad on the right; without a padding token, the end or the first token serves."""
    tokenizer.padding_side = "right"
    if tokenizer.pad_token is None:
        tokenizer.pad_token = tokenizer.eos_token or tokenizer.unk_token or tokenizer.convert_ids_to_tokens(0)
    return tokenizer


def settled(tokenizer: Any) -> Any:
    """Return a tokenizer without the cuts and the padding of its last call, which it keeps among its settings."""
    if tokenizer.is_fast:
        tokenizer.backend_tokenizer.no_truncation()
        tokenizer.backend_tokenizer.no_padding()
    return tokenizer


def _first_line(error: Exception) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0][:300] if lines else type(error).__name__


def hidden_states(model: Any, kind: str, batch: Mapping[str, Tensor]) -> Tensor:  # (N, T, D)
    """Return the last hidden states. A row without a real token is read as one that has its first."""
    mask = batch["attention_mask"]
    if not mask.shape[0]:
        return mask.new_zeros((*mask.shape, model.config.hidden_size), dtype=torch.float32)
    given: dict[str, Any] = {**batch, "attention_mask": _never_empty(mask), **WITHOUT_MEMORY.get(kind, {})}
    if kind in _COUNTED and "position_ids" not in batch:
        given["position_ids"] = (mask.cumsum(dim=1) - 1).clamp(min=0)
    hidden: Tensor = model(**given, return_dict=True).last_hidden_state
    return hidden


def _never_empty(mask: Tensor) -> Tensor:
    """Return the mask with the first token of empty rows real: attention over nothing is not a number."""
    empty = (mask.sum(dim=1, keepdim=True) == 0).to(mask.dtype)
    first = (torch.arange(mask.shape[1], device=mask.device) == 0).to(mask.dtype)
    return mask + empty * first


def pooled(hidden: Tensor, mask: Tensor, pooling: Pooling, *, normalize: bool) -> Tensor:  # (N, D)
    """Return one vector for each row; zeros for a row without a real token.

    Args:
        hidden: Hidden states, (N, T, D).
        mask: 1 where a token is real, (N, T); padding may stand on either side.
        pooling: Which tokens count.
        normalize: Whether rows have length one.
    """
    real = mask.to(hidden.dtype)
    weights = real if pooling == "mean" else real * _is_at(mask, pooling)
    total = (hidden * weights.unsqueeze(-1)).sum(dim=1)
    vectors = total / weights.sum(dim=1, keepdim=True).clamp(min=1.0)
    return nn.functional.normalize(vectors, dim=-1) if normalize else vectors


def _is_at(mask: Tensor, pooling: Pooling) -> Tensor:  # (N, T)
    """Return 1 at the first (or last) real token of each row."""
    places = torch.arange(mask.shape[1], device=mask.device).unsqueeze(0)
    back = places if pooling == "last" else mask.shape[1] - 1 - places
    reached = (mask * back).amax(dim=1, keepdim=True)
    return (back == reached).to(torch.float32)


def check_length(config: Any, max_tokens: int, limit: int) -> None:
    """Refuse to read more tokens than the model has positions for.

    Raises:
        ConfigError: ``max_tokens`` is more than ``limit`` (0 is none).
    """
    if limit and max_tokens > limit:
        raise ConfigError(f"max_tokens is {max_tokens}, but this {config.model_type} has positions for {limit}.")


def weights_fingerprint(model: nn.Module, tokenizer: Any, settings: str) -> str:
    """Return 16 letters for weights, vocabulary and settings."""
    digest = hashlib.sha256(settings.encode())
    digest.update(
        settled(tokenizer).backend_tokenizer.to_str().encode() if tokenizer.is_fast else _vocabulary(tokenizer)
    )
    for name, value in sorted(model.state_dict().items()):
        digest.update(f"{name}{tuple(value.shape)}".encode())
        digest.update(value.detach().cpu().contiguous().numpy().tobytes())
    return digest.hexdigest()[:16]


def _vocabulary(tokenizer: Any) -> bytes:
    return repr(sorted(tokenizer.get_vocab().items())).encode()
