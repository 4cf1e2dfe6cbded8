"""From a language model in torch to a folder that answers without torch: a graph, a tokenizer, a card."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import onnx
import torch
from onnx import numpy_helper
from onnx.checker import ValidationError
from torch import Tensor, nn

from inkling.core.arrays import F32
from inkling.core.errors import ConfigError, InklingError
from inkling.encoders._backbone_folder import quiet, write_whole
from inkling.encoders._backbone_fuse import fused
from inkling.encoders._backbone_int8 import quantized
from inkling.encoders._backbone_shapes import blocks, sizes
from inkling.encoders._backbone_torch import WITHOUT_MEMORY, pooled, settled
from inkling.encoders.backbone import Backbone
from inkling.encoders.exported import CARD, FORMAT, ExportCard, ExportedEncoder
from inkling.training.export import run_onnx, to_onnx

_PROBES = (
    "red mug",
    "Toy Story (1995), a film for children and grown-up people: a cowboy doll is jealous of a new toy, a space ranger.",
    "42",
    "white hanging heart t-light holder",
    "a good film about travelling by train, with music and a happy end, for an evening at home; " * 3,
)
_PLACES = "position_embeddings.weight"
_ATOL = 1e-4
_LEAST_COSINE = 0.98
# What the optimizer does with a network whose heads or layers were cut is not known beforehand.
_NOT_FUSED = (AssertionError, AttributeError, LookupError, RuntimeError, TypeError, ValueError, ValidationError)


_SEGMENTED = frozenset({"bert", "ernie"})  # they read one segment, which need not be worked out in the graph


class _Vectors(nn.Module):
    """What is exported: tokens in, pooled vectors out. Rows are padded on the right and none is empty."""

    def __init__(self, backbone: Backbone) -> None:
        super().__init__()
        self.inner, self.backbone = backbone.model, backbone

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> Tensor:
        """Return (N, dim)."""
        kind, card = self.backbone.kind, self.backbone.card
        given: dict[str, Any] = {"input_ids": input_ids, "attention_mask": attention_mask}
        if kind in _SEGMENTED:
            given["token_type_ids"] = input_ids * 0
        found: Any = self.inner(**given, return_dict=True, **WITHOUT_MEMORY.get(kind, {}))
        return pooled(found.last_hidden_state, attention_mask, card.pooling, normalize=card.normalize)


@dataclass(frozen=True)
class Form:
    """In which form a graph is written.

    Attributes:
        make: What becomes of the graph in float32.
        named: The card's word for it.
        atol: Largest difference from torch's vectors that is allowed; 0 asks for the cosine alone.
        probes: Texts that both are compared on.
    """

    make: Callable[[bytes], bytes]
    named: str
    atol: float = 0.0
    probes: tuple[str, ...] = _PROBES


def plain(graph: bytes) -> bytes:
    """Return the graph as it is."""
    return graph


def fused_graph(backbone: Backbone, graph: bytes) -> bytes:
    """Return the graph with what belongs together in one node; as it was where that cannot be done, or is not equal."""
    config: Any = backbone.model.config
    heads = int(getattr(config, "num_attention_heads", 0) or 0)
    narrowed = [n for n, _ in map(sizes, blocks(backbone.model))]
    try:
        made = fused(graph, kind=backbone.kind, n_heads=heads, dim=backbone.dim, narrowed=narrowed)
    except _NOT_FUSED:
        return graph
    given = {name: tensor.cpu().numpy() for name, tensor in backbone.tokens(_PROBES).items()}
    apart = float(np.abs(run_onnx(made, given)[0] - run_onnx(graph, given)[0]).max())
    return made if apart <= _ATOL * 10 else graph


def export(backbone: Backbone, folder: Path, *, int8: bool) -> None:
    """Write the folder; see :func:`inkling.encoders.exported.export_backbone`."""
    if int8:
        write_export(backbone, folder, Form(lambda graph: quantized(fused_graph(backbone, graph)), "int8 by rows"))
    else:
        write_export(backbone, folder, Form(plain, "none", atol=_ATOL * 10))


def write_export(backbone: Backbone, folder: Path, form: Form) -> None:
    """Write graph, tokenizer and card in one form, read them back and compare with torch, whole or not at all."""
    tokenizer = _fast_tokenizer(backbone)
    expected = _vectors(backbone, form.probes)
    graph = _trimmed(_graph(backbone), backbone)
    contents = {"model.onnx": form.make(graph), "tokenizer.json": tokenizer.encode()}

    def fill(place: Path) -> None:
        for name, content in contents.items():
            (place / name).write_bytes(content)
        card = _card(backbone, {n: hashlib.sha256(c).hexdigest() for n, c in contents.items()}, form.named)
        (place / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2))
        _compare(ExportedEncoder(place).encode(form.probes), expected, form)

    write_whole(folder, fill, marks=(CARD,))


def _fast_tokenizer(backbone: Backbone) -> str:
    if not getattr(backbone.tokenizer, "is_fast", False):
        raise ConfigError(
            f"The tokenizer {type(backbone.tokenizer).__name__} cannot be written as tokenizer.json.",
            hint="Load the model with a fast tokenizer, or serve it with the encoder 'backbone'.",
        )
    text: str = settled(backbone.tokenizer).backend_tokenizer.to_str()
    return text


def _card(backbone: Backbone, sha256: dict[str, str], quantisation: str) -> ExportCard:
    card = backbone.card
    return ExportCard(
        format=FORMAT,
        architecture=backbone.kind,
        dim=backbone.dim,
        max_tokens=card.max_tokens,
        pooling=card.pooling,
        prefix=card.prefix,
        query_prefix=card.query_prefix,
        pad_id=int(backbone.tokenizer.pad_token_id),
        quantisation=quantisation,
        learned=card.learned,
        sha256=sha256,
    )


def _graph(backbone: Backbone) -> bytes:
    """Trace with eager attention, whose graph has free sizes; the network is afterwards as it was."""
    model: Any = backbone.model
    attention, training = model.config._attn_implementation, model.training
    free = {name: {0: "n", 1: "t"} for name in ("input_ids", "attention_mask")} | {"vectors": {0: "n"}}
    try:
        with quiet():
            model.set_attn_implementation("eager")
        model.eval()
        batch = backbone.tokens(_PROBES[:2])
        return to_onnx(_Vectors(backbone).eval(), batch, ["vectors"], free=free, atol=_ATOL)
    except (RuntimeError, ValueError, TypeError) as error:
        raise InklingError(
            f"The {backbone.kind} could not be exported: {str(error).splitlines()[0][:300]}",
            hint="Serve it with the encoder 'backbone', which needs torch.",
        ) from error
    finally:
        model.set_attn_implementation(attention)
        model.train(training)


def _trimmed(graph: bytes, backbone: Backbone) -> bytes:
    """Return the graph without the places that no text reaches, where places are counted from the first row."""
    most = backbone.card.max_tokens
    model = onnx.load_from_string(graph)
    for tensor in model.graph.initializer:
        if tensor.name.endswith(_PLACES) and backbone.kind in _SEGMENTED and tensor.dims[0] > most:
            tensor.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(tensor)[:most], tensor.name))
    return bytes(model.SerializeToString())


def _vectors(backbone: Backbone, texts: Sequence[str]) -> F32:
    """Return torch's own vectors of the texts, one at a time, of length one."""
    training = backbone.model.training
    backbone.model.eval()
    with torch.no_grad():
        rows = [backbone.vectors(backbone.tokens([text])) for text in texts]
    backbone.model.train(training)
    found: F32 = nn.functional.normalize(torch.cat(rows), dim=-1).cpu().numpy()
    return found


def _compare(found: F32, expected: F32, form: Form) -> None:
    """Check the folder as it will be served, tokenizer included, on lengths that the trace has not seen."""
    apart = float(np.abs(found - expected).max())
    cosine = float((found * expected).sum(axis=1).min())
    if not form.atol and not cosine >= _LEAST_COSINE:
        raise InklingError(
            f"The {form.named.split()[0]} graph has a cosine of {cosine:.3f} with torch's vectors, "
            f"at least {_LEAST_COSINE} is expected.",
            hint="Export with int8=False.",
        )
    if form.atol and not apart <= form.atol:
        raise InklingError(
            f"The exported folder is {apart:.2g} off torch's vectors, at most {form.atol:.2g} is allowed.",
            hint="Serve it with the encoder 'backbone', which needs torch.",
        )
