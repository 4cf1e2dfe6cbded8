"""A gated causal transformer asked for its last place only, in numpy: what the trained network answers, sooner.

Attention of the last block has one query, and nothing after it looks at any other place. Order comes from distances, so
keys and values of a place depend on its item alone. One block of one person is some forty small products: calling a
runtime for them would take longer than they do.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self

import numpy as np

from inkling.core.arrays import F32, Array

_EPS = np.float32(1e-5)  # torch's LayerNorm


@dataclass(frozen=True, slots=True)
class Block:
    """One block's weights, turned so that rows are multiplied from the left; norms are folded into what follows."""

    query: F32  # (d, d)
    query_bias: F32  # (d,)
    pairs: F32  # (d, 2 d) keys, then values
    pairs_bias: F32  # (2 d,)
    out: F32  # (d, d)
    gate: F32  # (d, d)
    gate_bias: F32  # (d,)
    up: F32  # (d, 4 d)
    up_bias: F32  # (4 d,)
    down: F32  # (2 d, d)
    second_gate: F32  # (d, d)
    second_gate_bias: F32  # (d,)
    bias: F32  # (heads, reach) by distance
    asked: F32  # (d, heads * d) a query through its head's keys: what the normed items are compared with
    asked_bias: F32  # (heads * d,)
    told: F32  # (heads * d, d) a head's mean of normed items through its values and ``out``
    told_bias: F32  # (d,)


@dataclass(frozen=True, slots=True)
class LigrRows:
    """The weights of ``training.nets.ligr.Ligr`` between item vectors and a person's vector."""

    blocks: tuple[Block, ...]
    norm: F32  # (d,)
    norm_bias: F32  # (d,)
    scale: float
    """Of the answer where it is compared by cosine; 0: by dot product."""

    @classmethod
    def of(cls, weights: Mapping[str, Array], *, start: str) -> Self | None:
        """Return the network of a state's weights, whose names begin with ``start``; None where they are others."""
        named = {key.removeprefix(start): np.asarray(w, np.float32) for key, w in weights.items()}
        if "body.norm.weight" not in named or "body.blocks.0.qkv.weight" not in named:
            return None
        n_blocks = 1 + max(int(key.split(".")[2]) for key in named if key.startswith("body.blocks."))
        blocks = tuple(_block(named, f"body.blocks.{at}.") for at in range(n_blocks))
        log_scale = named.get("log_scale")
        scale = 0.0 if log_scale is None else math.exp(log_scale.item())
        return cls(blocks, named["body.norm.weight"], named["body.norm.bias"], scale)

    def people(self, vectors: F32) -> F32:
        """Return people's vectors (B, d) from those of their items (B, L, d), oldest first."""
        hidden = vectors if not self.scale else vectors * np.float32(vectors.shape[-1] ** 0.5)
        with np.errstate(over="ignore"):  # of a large exp: 1 over infinity is the 0 that is meant
            for block in self.blocks[:-1]:
                hidden = _all_places(block, hidden)
            out = _last_place(self.blocks[-1], hidden)
        out = _normed(out) * self.norm + self.norm_bias
        if self.scale:
            length = np.sqrt(np.einsum("bd,bd->b", out, out))
            out = out * (np.float32(self.scale) / np.maximum(length, np.float32(1e-12)))[:, None]
        return out


def _block(named: Mapping[str, Array], at: str) -> Block:
    before, between = (named[at + name + ".weight"] for name in ("before", "between"))
    before_bias, between_bias = (named[at + name + ".bias"] for name in ("before", "between"))
    qkv, up = named[at + "qkv.weight"], named[at + "up.weight"]
    dim = qkv.shape[1]
    bias = named[at + "bias"]
    size = np.float32((dim // len(bias)) ** -0.5)
    folded = (qkv * before).T
    moved = qkv @ before_bias
    query, pairs, out = folded[:, :dim] * size, np.ascontiguousarray(folded[:, dim:]), _turned(named[at + "out.weight"])
    return Block(
        np.ascontiguousarray(query),
        moved[:dim] * size,
        pairs,
        moved[dim:],
        out,
        _turned(named[at + "gate.weight"]),
        named[at + "gate.bias"],
        np.ascontiguousarray((up * between).T),
        up @ between_bias,
        _turned(named[at + "down.weight"]),
        _turned(named[at + "second_gate.weight"]),
        named[at + "second_gate.bias"],
        bias,
        *_by_items(query, moved[:dim] * size, pairs[:, :dim], len(bias)),
        np.concatenate([pairs[:, dim:][:, at] @ out[at] for at in _heads(dim, len(bias))]),
        moved[2 * dim :] @ out,
    )


def _heads(dim: int, heads: int) -> list[slice]:
    return [slice(at * dim // heads, (at + 1) * dim // heads) for at in range(heads)]


def _by_items(query: F32, query_bias: F32, keys: F32, heads: int) -> tuple[F32, F32]:
    """Return (d, heads * d) and (heads * d,): queries that are compared with normed items instead of their keys.

    A key's bias adds the same to all places, and falls out of the softmax.
    """
    spans = _heads(len(keys), heads)
    asked = np.concatenate([query[:, at] @ keys[:, at].T for at in spans], axis=1)
    return asked, np.concatenate([query_bias[at] @ keys[:, at].T for at in spans])


def _turned(weight: Array) -> F32:
    return np.ascontiguousarray(weight.T, dtype=np.float32)


def _normed(x: F32) -> F32:
    """Return rows (..., d) of mean 0 and variance 1."""
    size = np.float32(1 / x.shape[-1])
    centred = x - x.sum(axis=-1, keepdims=True) * size
    variance = np.einsum("...d,...d->...", centred, centred) * size
    out: F32 = centred / np.sqrt(variance + _EPS)[..., None]
    return out


def _last_place(block: Block, x: F32) -> F32:
    """Return (B, d): the block's answer at the last place of (B, L, d)."""
    n, length, dim = x.shape
    normed = _normed(x)
    query = (normed[:, -1] @ block.asked + block.asked_bias).reshape(n, -1, dim)
    weights: F32 = np.matmul(query, normed.transpose(0, 2, 1))  # (B, heads, L)
    weights += _from_last(block.bias, length)
    seen: F32 = np.matmul(_softmax(weights), normed).reshape(n, -1)
    return _rest(block, x[:, -1], seen @ block.told + block.told_bias)


def _all_places(block: Block, x: F32) -> F32:
    """Return (B, L, d): the block's answer everywhere."""
    n, length, dim = x.shape
    heads = len(block.bias)
    normed = _normed(x)
    query, (keys, values) = normed @ block.query + block.query_bias, _pairs(block, normed)
    query, keys, values = (part.reshape(n, length, heads, -1).transpose(0, 2, 1, 3) for part in (query, keys, values))
    weights: F32 = np.matmul(query, keys.transpose(0, 1, 3, 2))
    weights += _distances(block.bias, length)
    seen: F32 = np.matmul(_softmax(weights), values).transpose(0, 2, 1, 3).reshape(n, length, dim)
    return _rest(block, x, seen @ block.out)


def _pairs(block: Block, normed: F32) -> tuple[F32, F32]:
    both = normed @ block.pairs + block.pairs_bias
    dim = normed.shape[-1]
    return both[..., :dim], both[..., dim:]


def _rest(block: Block, x: F32, attended: F32) -> F32:
    """Return what follows attention: both gated residuals."""
    x = x + attended * _sigmoid(x @ block.gate + block.gate_bias)
    both = _normed(x) @ block.up + block.up_bias
    half = both.shape[-1] // 2
    up, silu = both[..., :half], both[..., half:]
    mixed = (silu * _sigmoid(silu) * up) @ block.down
    out: F32 = x + mixed * _sigmoid(x @ block.second_gate + block.second_gate_bias)
    return out


def _from_last(bias: F32, length: int) -> F32:
    """Return (heads, L): what the distance to the last place adds."""
    reach = bias.shape[1]
    near = bias[:, :length][:, ::-1]
    return near if length <= reach else np.concatenate([np.repeat(bias[:, -1:], length - reach, axis=1), near], axis=1)


def _distances(bias: F32, length: int) -> F32:
    """Return (heads, L, L): what the distance between two places adds; never, where the second comes later."""
    place = np.arange(length)
    apart = place[:, None] - place
    out = bias[:, apart.clip(0, bias.shape[1] - 1)]
    out[:, apart < 0] = -np.inf
    return out


def _softmax(x: F32) -> F32:
    np.subtract(x, x.max(axis=-1, keepdims=True), out=x)
    np.exp(x, out=x)
    x /= x.sum(axis=-1, keepdims=True)
    return x


def _sigmoid(x: F32) -> F32:
    out: F32 = np.exp(-x)
    out += 1
    return np.reciprocal(out, out=out)
