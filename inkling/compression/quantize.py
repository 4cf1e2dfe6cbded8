"""Text encoders in fewer bits: half precision, int8 by row, int8 with steps measured on the user's own texts.

Smaller vectors are in :mod:`inkling.compression._quantize_vectors`, and are imported from here.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import numpy as np

from inkling.compression._quantize_vectors import (
    BinaryVectors,
    ExactVectors,
    Int8Vectors,
    QuantizedVectors,
    TruncatedVectors,
    quantize_vectors,
)
from inkling.core.arrays import I64
from inkling.core.errors import ConfigError, nearest
from inkling.encoders._backbone_batches import length_batches
from inkling.encoders.exported import ExportedEncoder

if TYPE_CHECKING:
    from inkling.encoders._backbone_export import Form
    from inkling.encoders.backbone import Backbone

__all__ = [
    "METHODS",
    "BinaryVectors",
    "ExactVectors",
    "Int8Vectors",
    "Method",
    "QuantizedVectors",
    "TruncatedVectors",
    "quantize",
    "quantize_vectors",
]
Method = Literal["float32", "float16", "dynamic", "static"]
METHODS: tuple[Method, ...] = ("float32", "float16", "dynamic", "static")
"""In the order of their size. All but float32 are smaller; all four are fused where the architecture is known."""
TOLERANCE = 2.0
"""A product whose error with a step known beforehand is more than so many times that by row stays by row."""
_TEXTS, _HELD_OUT, _FEWEST = 512, 8, 32
_TOKENS_PER_BATCH = 1024


def quantize(
    backbone: Backbone,
    folder: str | Path,
    *,
    method: str = "dynamic",
    texts: Sequence[str] = (),
    tolerance: float = TOLERANCE,
    n_threads: int = 1,
    seed: int = 0,
) -> ExportedEncoder:
    """Write a smaller form of a language model that is served without torch, and return it opened.

    A text's vector hangs on that text alone, whatever the method. Weights are int8 with a scale for each column, the
    vectors of tokens with one for each token. The folder is compared with torch before it takes its place.

    Args:
        backbone: What is quantised; it stays as it was.
        folder: Where; an older export is replaced.
        method: ``float32`` changes no number, ``float16`` halves the weights. ``dynamic`` is int8 with a step for each
            row of activations; ``static`` measures steps on ``texts`` beforehand: faster, and nearer to the original.
        texts: The domain's own, at least 32 for ``static``; some 500 of them are read.
        tolerance: ``static``: a product stays by row where a step known beforehand has more than so many times its
            error. 0 is ``dynamic``.
        n_threads: Threads of the encoder that is returned.
        seed: Of which texts are read.

    Raises:
        ConfigError: There is no such method, or too few texts to calibrate on.
        InklingError: What came out is too far from the original.
        BundleError: The place holds something else, or the disk refuses.
        MissingExtraError: torch, transformers or onnx is not installed.
    """
    if method not in METHODS:
        raise ConfigError(f"There is no way to quantise named '{method}'.", hint=nearest(method, METHODS))
    if tolerance < 0:
        raise ConfigError(f"quantize: tolerance is {tolerance}, expected at least 0.")
    from inkling.encoders._backbone_folder import need_transformers

    need_transformers("Quantising a language model")
    from inkling.encoders._backbone_export import write_export

    write_export(backbone, Path(folder), _FORMS[method](backbone, texts, tolerance, seed))
    return ExportedEncoder(folder, n_threads=n_threads)


def _float32(backbone: Backbone, texts: Sequence[str], tolerance: float, seed: int) -> Form:
    from inkling.encoders._backbone_export import Form, fused_graph

    return Form(lambda graph: fused_graph(backbone, graph), "none", atol=1e-3)


def _float16(backbone: Backbone, texts: Sequence[str], tolerance: float, seed: int) -> Form:
    from inkling.compression._quantize_half import halved
    from inkling.encoders._backbone_export import Form, fused_graph

    return Form(lambda graph: halved(fused_graph(backbone, graph)), "float16 weights", atol=5e-3)


def _dynamic(backbone: Backbone, texts: Sequence[str], tolerance: float, seed: int) -> Form:
    from inkling.encoders._backbone_export import Form, fused_graph
    from inkling.encoders._backbone_int8 import quantized

    return Form(lambda graph: quantized(fused_graph(backbone, graph)), "int8 by rows")


def _static(backbone: Backbone, texts: Sequence[str], tolerance: float, seed: int) -> Form:
    """Calibrate on most of the texts; the rest is what the folder is compared on."""
    from inkling.compression._quantize_calibrate import calibrate, chosen
    from inkling.encoders._backbone_export import Form, fused_graph
    from inkling.encoders._backbone_int8 import quantized

    drawn = _drawn(texts, seed)
    if len(drawn) < _FEWEST:
        raise ConfigError(
            f"Only {len(drawn)} different texts were given to calibrate on, at least {_FEWEST} are needed.",
            hint="Give texts of the catalogue, or use method='dynamic', which needs none.",
        )
    batches = _batches(backbone, drawn[_HELD_OUT:])

    def make(graph: bytes) -> bytes:
        whole = fused_graph(backbone, graph)
        return quantized(whole, fixed=chosen(calibrate(whole, batches, seed=seed), tolerance=tolerance))

    return Form(make, "int8 calibrated", probes=tuple(drawn[:_HELD_OUT]))


_FORMS: dict[str, Callable[[Backbone, Sequence[str], float, int], Form]] = {
    "float32": _float32,
    "float16": _float16,
    "dynamic": _dynamic,
    "static": _static,
}


def _drawn(texts: Sequence[str], seed: int) -> list[str]:
    distinct = [text for text in dict.fromkeys(texts) if text.strip()]
    return [distinct[row] for row in np.random.default_rng(seed).permutation(len(distinct))[:_TEXTS].tolist()]


def _batches(backbone: Backbone, texts: Sequence[str]) -> list[dict[str, I64]]:
    """Return texts as the graph takes them, those of alike length together."""
    ids = backbone.token_ids(texts)
    groups = length_batches([len(row) for row in ids], _TOKENS_PER_BATCH)
    padded = (backbone.padded([ids[row] for row in rows]) for rows in groups)
    return [{name: tensor.cpu().numpy() for name, tensor in batch.items()} for batch in padded]
