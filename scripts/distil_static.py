"""Make the static token table that ships inside the package: each token of MiniLM's vocabulary read once by MiniLM.

The recipe of model2vec (Tulkens and van Dongen 2024): run every token alone, keep the main components (PCA), weigh by
the inverse of how common a token is (SIF with Zipf's law: the vocabulary is sorted by frequency), keep int8. Runs in
the environment of export_minilm.py, after it:

    python scripts/distil_static.py --data DIR      # DIR holds online-retail, beauty and movielens-small
"""

from __future__ import annotations

import argparse
import json
import os
from pathlib import Path

import numpy as np
import torch
from export_minilm import DATA_SETS, MAX_TOKENS, ROOT, agreement, encode_torch, sha256, source_folder, titles
from numpy.typing import NDArray
from tokenizers import Tokenizer
from transformers import AutoModel

OUT = ROOT / "inkling" / "encoders" / "data" / "static"
DIM = 128
SIF = 1e-4
SPECIAL = 999  # rows below are [PAD], [UNK], [CLS], [SEP], [MASK] and unused ones


def token_vectors(bert: torch.nn.Module, n_tokens: int) -> NDArray:
    """Return the mean hidden state of ``[CLS] token [SEP]`` for each token."""
    out = []
    with torch.inference_mode():
        for start in range(0, n_tokens, 1024):
            token = torch.arange(start, min(start + 1024, n_tokens))
            ids = torch.stack([torch.full_like(token, 101), token, torch.full_like(token, 102)], dim=1)
            out.append(bert(ids).last_hidden_state.mean(dim=1).numpy())
    return np.concatenate(out)


def main_components(vectors: NDArray, dim: int) -> NDArray:
    kept = vectors[SPECIAL:]
    centred = vectors - kept.mean(axis=0)
    _, _, directions = np.linalg.svd(centred[SPECIAL:], full_matrices=False)
    parts = centred @ directions[:dim].T
    return parts / np.sqrt(parts[SPECIAL:].std(axis=0))  # half whitened: the first components are mostly frequency


def sif_weights(n_tokens: int) -> NDArray:
    """Return a / (a + p) with p by Zipf's law over the rank; nothing for special tokens."""
    ranks = np.maximum(np.arange(n_tokens) - SPECIAL, 0) + 1
    probability = (1 / ranks) / (1 / ranks[SPECIAL:]).sum()
    weights = SIF / (SIF + probability)
    weights[:SPECIAL] = 0
    return weights


def quantise(table: NDArray) -> tuple[NDArray, NDArray]:
    """Return int8 levels and float16 scales, one for each row."""
    scale = (np.abs(table).max(axis=1) / 127).astype(np.float16)
    safe = np.where(scale > 0, scale, 1).astype(np.float32)
    return np.clip(np.round(table / safe[:, None]), -127, 127).astype(np.int8), scale


def encode(tokenizer: Tokenizer, levels: NDArray, scale: NDArray, texts: list[str]) -> NDArray:
    table = levels.astype(np.float32) * scale[:, None].astype(np.float32)
    rows = [e.ids for e in tokenizer.encode_batch(texts, add_special_tokens=False)]
    sums = np.stack([table[r].sum(axis=0) if r else np.zeros(DIM, np.float32) for r in rows])
    return sums / np.maximum(np.linalg.norm(sums, axis=1, keepdims=True), 1e-9)


def main() -> None:
    parser = argparse.ArgumentParser(description="Make the static token table.")
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("INKLING_DATA", "../shared/data")))
    data = parser.parse_args().data
    source = source_folder()
    bert = AutoModel.from_pretrained(source, attn_implementation="eager").eval()
    tokenizer = Tokenizer.from_file(str(OUT.parent / "minilm" / "tokenizer.json"))
    n_tokens = tokenizer.get_vocab_size()
    table = main_components(token_vectors(bert, n_tokens), DIM) * sif_weights(n_tokens)[:, None]
    levels, scale = quantise(table)
    OUT.mkdir(parents=True, exist_ok=True)
    np.savez_compressed(OUT / "table.npz", levels=levels, scale=scale)
    measured = {}
    for name in DATA_SETS:
        texts = titles(data, name)
        found = agreement(encode(tokenizer, levels, scale, texts), encode_torch(bert, tokenizer, texts))
        measured[name] = {"n": len(texts), "top10": round(found, 3)}
        print(name, measured[name])
    card = {
        "name": "token vectors distilled from all-MiniLM-L6-v2",
        "license": "Apache-2.0",
        "source": "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        "made_by": "scripts/distil_static.py",
        "tokenizer": "../minilm/tokenizer.json",
        "dim": DIM,
        "max_tokens": MAX_TOKENS,
        "agreement_with_fp32": measured,
        "sha256": {"table.npz": sha256(OUT / "table.npz")},
    }
    (OUT / "card.json").write_text(json.dumps(card, indent=2) + "\n")


if __name__ == "__main__":
    main()
