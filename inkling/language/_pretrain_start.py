"""A language model that has read nothing yet: a tokenizer trained on the texts, and a small network at random."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Annotated, Any, Literal

import msgspec
import torch
from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
from transformers import AutoConfig, AutoModel, PreTrainedTokenizerFast, T5EncoderModel

from inkling.core.config import Config
from inkling.core.errors import DataError
from inkling.encoders._backbone_card import POOLINGS
from inkling.encoders._backbone_torch import prepared
from inkling.encoders.backbone import Backbone, ModelCard

Kind = Literal["bert", "roberta", "deberta-v2", "ernie", "t5", "gpt2", "qwen2", "qwen3", "xlnet"]


class FreshConfig(Config, frozen=True, kw_only=True):
    """The network of a model that begins from nothing."""

    kind: Kind = "bert"
    """Its architecture."""
    dim: Annotated[int, msgspec.Meta(ge=4)] = 128
    """Length of a hidden state."""
    n_layers: Annotated[int, msgspec.Meta(ge=1)] = 4
    """Layers."""
    n_heads: Annotated[int, msgspec.Meta(ge=1)] = 4
    """Heads of attention in each; they divide ``dim``."""
    n_tokens: Annotated[int, msgspec.Meta(ge=64)] = 8000
    """Size of the vocabulary, at most: a small text gives fewer."""
    max_tokens: Annotated[int, msgspec.Meta(ge=8, le=4096)] = 128
    """Tokens of a text that are read."""
    dropout: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.1
    """Share of activations that training leaves out."""


def fresh_backbone(texts: Iterable[str], config: FreshConfig, *, seed: int = 0) -> Backbone:
    """Return a model at random with a tokenizer trained on ``texts``.

    Equal for an equal seed, but for T5, DeBERTa and XLNet: the library trains their kind of tokenizer in another order
    each time.

    Raises:
        DataError: The texts hold nothing to read.
    """
    tokenizer = train_tokenizer(list(texts), config)
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        model = _model(config, tokenizer)
    card = ModelCard(pooling=POOLINGS[config.kind], max_tokens=config.max_tokens)
    return Backbone(model.eval(), tokenizer, card)


def train_tokenizer(texts: Sequence[str], config: FreshConfig) -> Any:
    """Return transformers' tokenizer of the kind that the architecture is known with, trained on ``texts``."""
    if not any(text.strip() for text in texts):
        raise DataError("The texts hold nothing to read.", hint="Give texts with words in them.")
    tokenizer, names = _FAMILIES[config.kind](texts, config.n_tokens)
    inputs = ["input_ids", *(["token_type_ids"] if config.kind in _WITH_SEGMENTS else []), "attention_mask"]
    return prepared(PreTrainedTokenizerFast(tokenizer_object=tokenizer, model_input_names=inputs, **names))


_BERT = {"pad_token": "[PAD]", "unk_token": "[UNK]", "cls_token": "[CLS]", "sep_token": "[SEP]", "mask_token": "[MASK]"}
_ROBERTA = {
    "bos_token": "<s>", "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>",
    "cls_token": "<s>", "sep_token": "</s>", "mask_token": "<mask>",
}  # fmt: skip
_END = "<|endoftext|>"
_WITH_SEGMENTS = {"bert", "ernie", "deberta-v2", "xlnet"}


def _pieces(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """WordPiece between two marks, lower case, Chinese by the character: BERT and ERNIE."""
    tokenizer = _of_pieces(models.WordPiece(unk_token="[UNK]"))
    # Letters inside words are stated: the library would number them in another order each time, and decide ties by it.
    special = list(_BERT.values())
    trainer = trainers.WordPieceTrainer(
        vocab_size=n_tokens, special_tokens=[*special, *_inner_letters(tokenizer, texts)], show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    found = _of_pieces(models.WordPiece(tokenizer.get_vocab(with_added_tokens=False), unk_token="[UNK]"))
    found.add_special_tokens(special)
    found.post_processor = _between(found, "[CLS]", "[SEP]")
    return found, _BERT


def _of_pieces(model: models.WordPiece) -> Tokenizer:
    tokenizer = Tokenizer(model)
    tokenizer.normalizer = normalizers.BertNormalizer(lowercase=True)
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.decoder = decoders.WordPiece()
    return tokenizer


def _inner_letters(tokenizer: Tokenizer, texts: Sequence[str]) -> list[str]:
    """Return the letters that stand inside words, as pieces, sorted."""
    found: set[str] = set()
    for text in texts:
        for word, _ in tokenizer.pre_tokenizer.pre_tokenize_str(tokenizer.normalizer.normalize_str(text)):
            found.update(word[1:])
    return [f"##{letter}" for letter in sorted(found)]


def _bytes_between(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """Pairs of bytes between two marks: RoBERTa."""
    tokenizer = _bytes(texts, n_tokens, list(dict.fromkeys(_ROBERTA.values())))
    tokenizer.post_processor = _between(tokenizer, "<s>", "</s>")
    return tokenizer, _ROBERTA


def _bytes_alone(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """Pairs of bytes without marks, and nothing to pad with: GPT-2."""
    return _bytes(texts, n_tokens, [_END]), {"bos_token": _END, "eos_token": _END, "unk_token": _END}


def _bytes_ended(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """Pairs of bytes and a mark at the end, whose state is the vector: embedding models of the Qwen family."""
    tokenizer = _bytes(texts, n_tokens, [_END])
    tokenizer.post_processor = processors.TemplateProcessing(
        single=f"$A {_END}", pair=f"$A {_END} $B {_END}", special_tokens=[(_END, tokenizer.token_to_id(_END))]
    )
    return tokenizer, {"eos_token": _END, "pad_token": _END}


def _likely_between(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """A unigram model between two marks: DeBERTa."""
    tokenizer = _likely(texts, n_tokens, list(_BERT.values()), "[UNK]")
    tokenizer.post_processor = _between(tokenizer, "[CLS]", "[SEP]")
    return tokenizer, _BERT


def _likely_ended(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """A unigram model with a mark at the end: T5. Its mask is the first of its sentinels."""
    tokenizer = _likely(texts, n_tokens, ["<pad>", "</s>", "<unk>", "<extra_id_0>"], "<unk>")
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A </s>", pair="$A </s> $B </s>", special_tokens=[("</s>", tokenizer.token_to_id("</s>"))]
    )
    return tokenizer, {
        "pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>", "mask_token": "<extra_id_0>"
    }  # fmt: skip


def _likely_last(texts: Sequence[str], n_tokens: int) -> tuple[Tokenizer, Mapping[str, str]]:
    """A unigram model with two marks at the end, whose last state is the vector: XLNet."""
    names = {
        "pad_token": "<pad>", "unk_token": "<unk>", "sep_token": "<sep>", "cls_token": "<cls>", "mask_token": "<mask>"
    }  # fmt: skip
    tokenizer = _likely(texts, n_tokens, list(names.values()), "<unk>")
    marks = [(name, tokenizer.token_to_id(name)) for name in ("<sep>", "<cls>")]
    tokenizer.post_processor = processors.TemplateProcessing(
        single="$A <sep> <cls>", pair="$A <sep> $B <sep> <cls>", special_tokens=marks
    )
    return tokenizer, names


def _between(tokenizer: Tokenizer, first: str, last: str) -> Any:
    marks = [(name, tokenizer.token_to_id(name)) for name in (first, last)]
    return processors.TemplateProcessing(
        single=f"{first} $A {last}", pair=f"{first} $A {last} $B:1 {last}:1", special_tokens=marks
    )


def _bytes(texts: Sequence[str], n_tokens: int, special: list[str]) -> Tokenizer:
    tokenizer = Tokenizer(models.BPE())
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    alphabet = pre_tokenizers.ByteLevel.alphabet()
    size = max(n_tokens, len(alphabet) + len(special) + 1)
    trainer = trainers.BpeTrainer(
        vocab_size=size, special_tokens=special, initial_alphabet=sorted(alphabet), show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


def _likely(texts: Sequence[str], n_tokens: int, special: list[str], unknown: str) -> Tokenizer:
    tokenizer = Tokenizer(models.Unigram())
    tokenizer.normalizer = normalizers.NFKC()
    tokenizer.pre_tokenizer = pre_tokenizers.Metaspace()
    tokenizer.decoder = decoders.Metaspace()
    trainer = trainers.UnigramTrainer(
        vocab_size=n_tokens, special_tokens=special, unk_token=unknown, show_progress=False
    )
    tokenizer.train_from_iterator(texts, trainer)
    return tokenizer


_FAMILIES = {
    "bert": _pieces, "ernie": _pieces, "roberta": _bytes_between, "deberta-v2": _likely_between, "t5": _likely_ended,
    "gpt2": _bytes_alone, "qwen2": _bytes_ended, "qwen3": _bytes_ended, "xlnet": _likely_last,
}  # fmt: skip


def _model(config: FreshConfig, tokenizer: Any) -> torch.nn.Module:
    kind, inner = config.kind, 4 * config.dim
    positions = config.max_tokens + (2 if kind == "roberta" else 0)
    shape: dict[str, Any] = {
        "hidden_size": config.dim, "num_hidden_layers": config.n_layers, "num_attention_heads": config.n_heads,
        "intermediate_size": inner, "max_position_embeddings": positions,
    }  # fmt: skip
    drops = {"hidden_dropout_prob": config.dropout, "attention_probs_dropout_prob": config.dropout}
    if kind == "t5":
        shape = {
            "d_model": config.dim, "num_layers": config.n_layers, "num_heads": config.n_heads, "d_ff": inner,
            "d_kv": config.dim // config.n_heads, "dropout_rate": config.dropout,
        }  # fmt: skip
    elif kind == "xlnet":
        shape = {
            "d_model": config.dim, "n_layer": config.n_layers, "n_head": config.n_heads, "d_inner": inner,
            "dropout": config.dropout,
        }  # fmt: skip
    elif kind == "gpt2":
        shape = {
            "n_embd": config.dim, "n_layer": config.n_layers, "n_head": config.n_heads, "n_positions": positions,
            "resid_pdrop": config.dropout, "embd_pdrop": config.dropout, "attn_pdrop": config.dropout,
        }  # fmt: skip
    elif kind in {"qwen2", "qwen3"}:
        shape |= {"num_key_value_heads": config.n_heads, "tie_word_embeddings": True}
        shape |= {"head_dim": config.dim // config.n_heads} if kind == "qwen3" else {}
    else:
        shape |= drops
        shape |= {"relative_attention": True, "pos_att_type": ["p2c", "c2p"]} if kind == "deberta-v2" else {}
    marks = {f"{name}_token_id": getattr(tokenizer, f"{name}_token_id") for name in ("pad", "bos", "eos")}
    settings: Any = AutoConfig.for_model(kind, vocab_size=len(tokenizer), **shape, **marks)
    extra = {"add_pooling_layer": False} if kind in {"bert", "roberta", "ernie"} else {}
    model: torch.nn.Module = T5EncoderModel(settings) if kind == "t5" else AutoModel.from_config(settings, **extra)
    return model
