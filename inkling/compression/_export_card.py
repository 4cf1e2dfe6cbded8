"""What is known of an exported model besides its network."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

MODEL = "model.onnx"
FORMAT = 1


class ModelCard(msgspec.Struct, frozen=True, kw_only=True):
    """The ``card.json`` beside an exported recommender's network.

    Attributes:
        kind: ``sequence``, ``towers``, ``trees`` or ``ranker``.
        name: The registered name of the model.
        inputs: Name -> type of what goes in.
        outputs: Name -> type of what comes out.
        columns: trees: the columns of ``x`` in their order.
        settings: The model's, as it was fitted.
        largest_difference: Between its scores and the model's own, when it was written.
        sha256: Checksum of each other file.
        format: Of the folder.
    """

    kind: str
    name: str
    inputs: dict[str, str]
    outputs: dict[str, str]
    columns: tuple[str, ...]
    settings: dict[str, Any]
    largest_difference: float
    sha256: dict[str, str]
    format: int


def read_card(folder: Path) -> ModelCard | None:
    """Return the card of a folder; None where there is none, or one of something else."""
    path = folder / "card.json"
    if not path.is_file():
        return None
    try:
        return msgspec.json.decode(path.read_bytes(), type=ModelCard)
    except msgspec.MsgspecError:
        return None
