"""What training makes small: functions of logits, and a softmax over the catalogue that never holds its logits."""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

# Tokens whose logits over the whole catalogue are held at once: 256 x 100,000 float32 are 100 MB.
_CHUNK = 256


def bce(positive: Tensor, negative: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Return the binary cross-entropy on logits with sampled negatives (Kang and McAuley 2018).

    -[log s(x+) + sum_k log(1 - s(x-_k))] / (K + 1), averaged over N. With K = 0 nothing holds the positives down and
    the model collapses: everything is likely.

    Args:
        positive: Logits (N,) of what happened.
        negative: Logits (N, K) of what was sampled.
        weights: (N,) how much each counts; equal if None.
    """
    return gbce(positive, negative, beta=1.0, weights=weights)


def gbce(positive: Tensor, negative: Tensor, *, beta: float, weights: Tensor | None = None) -> Tensor:
    """Return :func:`bce` with s(x+) to the power ``beta``: gBCE (Petrov and Macdonald 2023).

    Args:
        positive: Logits (N,).
        negative: Logits (N, K).
        beta: See :func:`gbce_beta`; 1 is plain ``bce``.
        weights: (N,) how much each counts; equal if None.
    """
    each = beta * functional.softplus(-positive) + functional.softplus(negative).sum(dim=1)
    return _mean(each / (negative.shape[1] + 1), weights)


def gbce_beta(n_negatives: int, n_items: int, *, t: float) -> float:
    """Return beta = a (t (1 - 1/a) + 1/a) with the sampling rate a = n_negatives / (n_items - 1).

    ``t`` = 0 leaves the scores as overconfident as negative sampling makes them (beta = 1), ``t`` = 1 undoes it.
    """
    rate = min(n_negatives / max(n_items - 1, 1), 1.0)
    return rate * (t * (1.0 - 1.0 / rate) + 1.0 / rate)


def bpr(positive: Tensor, negative: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Return the Bayesian personalised ranking loss -log s(x+ - x-), averaged over N and K (Rendle et al. 2009).

    Args:
        positive: Logits (N,).
        negative: Logits (N, K).
        weights: (N,) how much each counts; equal if None.
    """
    return _mean(functional.softplus(negative - positive[:, None]).mean(dim=1), weights)


def mse(predicted: Tensor, target: Tensor, *, weights: Tensor | None = None) -> Tensor:
    """Return the mean squared error of (N,) predictions, weighted by ``weights`` (N,) where given."""
    return _mean((predicted - target).square(), weights)


def sampled_softmax(
    positive: Tensor,
    negative: Tensor,
    *,
    log_expected: Tensor | None = None,
    hits: Tensor | None = None,
    weights: Tensor | None = None,
) -> Tensor:
    """Return the softmax loss with its normaliser estimated from samples: the logQ correction.

    Each negative stands for 1 / E[times drawn] items, so its logit is lowered by ``log_expected`` (Bengio and Senecal
    2008; Yi et al. 2019); the positive is in the normaliser as itself, not as a sample (Khrylchenko et al. 2025).

    Args:
        positive: Logits (N,).
        negative: Logits (N, K).
        log_expected: (K,) or (N, K): log(K q), how often each negative is expected among the K draws; 0 if None,
            which is the uncorrected loss.
        hits: (N, K) where a negative is the positive itself, to be left out.
        weights: (N,) how much each counts; equal if None.
    """
    lowered = negative if log_expected is None else negative - log_expected
    if hits is not None:
        lowered = lowered.masked_fill(hits, -math.inf)
    whole = torch.logsumexp(torch.cat([positive[:, None], lowered], dim=1), dim=1)
    return _mean(whole - positive, weights)


def softmax(
    hidden: Tensor,
    items: Tensor,
    targets: Tensor,
    *,
    bias: Tensor | None = None,
    weights: Tensor | None = None,
    temperature: float = 1.0,
    bf16: bool = False,
) -> Tensor:
    """Return the mean cross-entropy of ``hidden @ items.T / temperature + bias`` without holding the logits.

    Gradients are computed in the forward pass, a chunk of tokens at a time, so that logits exist once and are thrown
    away (the idea of Wijmans et al. 2024, "Cut your losses").

    Args:
        hidden: (N, d).
        items: (V, d).
        targets: (N,) rows of ``items``.
        bias: (V,) or None.
        weights: (N,) how much each counts; equal if None.
        temperature: Divides the products.
        bf16: Matrix products in bfloat16, sums in float32.
    """
    if weights is None:
        share = torch.full((len(hidden),), 1.0 / max(len(hidden), 1), device=hidden.device)
    else:
        share = weights / weights.sum().clamp_min(1e-12)
    loss: Tensor = _Softmax.apply(hidden, items, bias, targets, share, (temperature, bf16))  # type: ignore[no-untyped-call]
    return loss


class _Softmax(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, hidden: Tensor, items: Tensor, bias: Tensor | None, *rest: Any) -> Tensor:
        targets, share, (temperature, bf16) = rest
        kind = torch.bfloat16 if bf16 else hidden.dtype
        products = items.to(kind)
        scaled = (hidden / temperature).to(kind)
        loss = torch.zeros((), device=hidden.device)
        to_hidden, to_items = torch.empty_like(hidden), torch.zeros_like(items)
        to_bias = torch.zeros_like(bias) if bias is not None else None
        scratch = torch.empty((len(items), min(_CHUNK, len(hidden))), dtype=kind, device=hidden.device)
        for begin in range(0, len(hidden), _CHUNK):
            part = slice(begin, min(begin + _CHUNK, len(hidden)))
            n = part.stop - part.start
            logits = torch.mm(products, scaled[part].T, out=scratch.view(-1)[: len(items) * n].view(len(items), n))
            lost, share_of = _likelihood(logits, bias, targets[part], share[part])
            loss += lost
            to_hidden[part] = torch.mm(logits.T, products).to(hidden.dtype) * (share_of / temperature)[:, None]
            right = (scaled[part] * share_of[:, None].to(kind)).to(kind)
            to_items.addmm_(logits, right) if kind == items.dtype else to_items.add_(torch.mm(logits, right))
            if to_bias is not None:
                to_bias += torch.mv(logits.to(share_of.dtype), share_of)
        ctx.save_for_backward(to_hidden, to_items, *(() if to_bias is None else (to_bias,)))
        return loss

    @staticmethod
    def backward(ctx: Any, *outer: Tensor) -> tuple[Tensor | None, ...]:
        to_hidden, to_items, *to_bias = ctx.saved_tensors
        (scale,) = outer
        return to_hidden * scale, to_items * scale, (to_bias[0] * scale if to_bias else None), None, None, None


def _likelihood(logits: Tensor, bias: Tensor | None, targets: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
    """Turn logits (V, n), in place, into exp(logit - max), less their sum at the targets; return the loss and a scale.

    The scale (n,) times the column is the loss's gradient by the logits.
    """
    if bias is not None:
        logits += bias[:, None]
    columns = torch.arange(logits.shape[1], device=logits.device)
    right = logits[targets, columns].float()
    top = logits.amax(dim=0)
    total = logits.sub_(top).exp_().sum(dim=0, dtype=torch.float32)
    loss = ((top.float() + total.log() - right) * share).sum()
    logits[targets, columns] -= total.to(logits.dtype)
    return loss, share / total


def _mean(each: Tensor, weights: Tensor | None) -> Tensor:
    return each.mean() if weights is None else (each * weights).sum() / weights.sum().clamp_min(1e-12)
