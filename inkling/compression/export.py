"""Models as ONNX: opened from anywhere through one door, taken in as encoders, and written for others to serve."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from inkling.compression._export_card import FORMAT, MODEL, ModelCard, read_card
from inkling.compression._export_inputs import inputs_of
from inkling.compression._export_take import take_in
from inkling.core.arrays import Array
from inkling.core.candidates import Candidates
from inkling.core.errors import BundleError, ConfigError, InklingError, MissingExtraError, RequestError
from inkling.core.query import Query
from inkling.encoders._backbone_folder import write_whole
from inkling.encoders._onnx import CPU, open_session

__all__ = ["OnnxModel", "Port", "export_model", "inputs_of", "open_model", "take_in"]
CARD = "card.json"
_TYPES = {
    "tensor(float)": np.float32, "tensor(float16)": np.float16, "tensor(double)": np.float64,
    "tensor(int64)": np.int64, "tensor(int32)": np.int32, "tensor(int8)": np.int8, "tensor(uint8)": np.uint8,
    "tensor(bool)": np.bool_,
}  # fmt: skip
_ATOL = 1e-4


@dataclass(frozen=True)
class Port:
    """What goes into a network, or comes out.

    Attributes:
        name: As the network calls it.
        type: As ONNX Runtime writes it, such as ``tensor(float)``.
        shape: Sizes; None where a size is free.
    """

    name: str
    type: str
    shape: tuple[int | None, ...]


class OnnxModel:
    """An ONNX network, whoever made it: named arrays in, named arrays out.

    Attributes:
        inputs: What must be given.
        outputs: What comes back.
        providers: Where it runs.
        card: What its folder says of it; None for a file of somebody else's.
    """

    def __init__(self, session: Any, card: ModelCard | None) -> None:
        """Wrap a session; :func:`open_model` is the way to get one."""
        self._session, self.card = session, card
        self.inputs = tuple(_port(each) for each in session.get_inputs())
        self.outputs = tuple(_port(each) for each in session.get_outputs())
        self.providers: tuple[str, ...] = tuple(session.get_providers())

    def run(self, inputs: Mapping[str, Array]) -> dict[str, Array]:
        """Return every output by its name.

        Args:
            inputs: Name -> array; numbers are converted to the type that the network reads.

        Raises:
            RequestError: A name is missing or unknown, or the network refuses the shapes.
        """
        names = [port.name for port in self.inputs]
        if set(inputs) != set(names):
            raise RequestError(
                f"The network was given {', '.join(sorted(inputs)) or 'nothing'}; it reads {', '.join(names)}."
            )
        given = {port.name: _typed(inputs[port.name], port) for port in self.inputs}
        try:
            found = self._session.run(None, given)
        except Exception as error:  # ONNX Runtime's errors share no class of their own
            shapes = ", ".join(f"{name} {value.shape}" for name, value in given.items())
            raise RequestError(f"The network cannot read {shapes}: {str(error).splitlines()[0][:300]}") from error
        return {port.name: np.asarray(value) for port, value in zip(self.outputs, found, strict=True)}


def open_model(source: str | Path | bytes, *, providers: Sequence[str] = CPU, n_threads: int = 1) -> OnnxModel:
    """Return an ONNX network ready to run, from wherever it came.

    Args:
        source: A file, a folder with ``model.onnx`` in it (one that :func:`export_model` wrote is checked against its
            card), or the network itself.
        providers: Execution providers of ONNX Runtime in the order of preference, such as
            ``("CUDAExecutionProvider", "CPUExecutionProvider")``.
        n_threads: Threads inside the network.

    Raises:
        ConfigError: A provider is not there; the message names those that are.
        BundleError: There is no such file, it was altered, or ONNX Runtime cannot run it.
    """
    if isinstance(source, bytes):
        return OnnxModel(open_session(source, providers=providers, n_threads=n_threads), None)
    path = _file_of(Path(source).expanduser())
    card = read_card(path.parent) if path.name == MODEL else None
    if card is not None:
        _check(path, card)
    # By path, since weights of large networks lie in further files beside it.
    session = open_session(str(path), providers=providers, n_threads=n_threads, where=str(path))
    return OnnxModel(session, card)


def export_model(
    model: Any, folder: str | Path, *, query: Query, candidates: Candidates | None = None, atol: float = _ATOL
) -> OnnxModel:
    """Write a fitted model as ``model.onnx`` and ``card.json``, compared with the model's own answers first.

    Sequence models, ``two_tower``, the deep rankers and ``gbdt`` are known. Sizes are free: any number of people,
    events and candidates. What goes in is what :func:`inputs_of` makes of a question. Serving needs no torch.

    Args:
        model: A fitted retriever or ranker.
        folder: Where; an older export is replaced.
        query: A question that both answer, so that they can be compared.
        candidates: What is ranked, with its features; rankers need it, retrievers take none.
        atol: Largest difference that may remain between the scores of both.

    Raises:
        ConfigError: The model is of a kind that is not exported, or was not fitted.
        RequestError: A ranker was given no candidates.
        InklingError: The network's answers are off the model's own.
        MissingExtraError: onnx (or, for a deep ranker, torch) is not installed.
        BundleError: The place holds something else, or the disk refuses.
    """
    graph, kind, expected = _made(model, query, candidates)
    given = inputs_of(model, query, candidates)
    found = open_model(graph).run(given)["scores"]
    apart = float(np.abs(found.astype(np.float64) - expected).max(initial=0.0))
    if found.shape != expected.shape or not apart <= atol:
        raise InklingError(
            f"The network of '{model.name}' is {apart:.2g} off the model's own scores, at most {atol:.2g} is allowed.",
            hint="Serve the model itself, or raise atol where its scores are large.",
        )
    _write(Path(folder), graph, _card(model, kind, graph, apart))
    return open_model(folder)


def _made(model: Any, query: Query, candidates: Candidates | None) -> tuple[bytes, str, Array]:
    """Return the network, its kind, and the model's own scores."""
    from inkling.ranking._deep import Deep
    from inkling.ranking.gbdt import Gbdt
    from inkling.retrieval._sequence import SequenceModel
    from inkling.retrieval.two_tower import TwoTower

    if not isinstance(model, Deep | Gbdt | SequenceModel | TwoTower):
        name = getattr(model, "name", type(model).__name__)
        raise ConfigError(
            f"'{name}' is not exported to ONNX.",
            hint="Sequence models, two_tower, the deep rankers and gbdt are; the others need no network to be served.",
        )
    _need_onnx()
    from inkling.compression import _export_graphs

    if isinstance(model, SequenceModel):
        return _export_graphs.sequence_graph(model), "sequence", model.scores(query)
    if isinstance(model, TwoTower):
        return _export_graphs.towers_graph(model), "towers", model.scores(query)
    if candidates is None:
        raise RequestError(f"'{model.name}' is a ranker: it is compared on candidates, and none were given.")
    expected = model.scores(query, candidates)
    if isinstance(model, Gbdt):
        return _export_graphs.trees_graph(model), "trees", expected
    from inkling.training.extra import need_torch

    need_torch(f"Exporting '{model.name}'")
    from inkling.compression._export_rankers import ranker_graph

    return ranker_graph(model), "ranker", expected


def _need_onnx() -> None:
    try:
        import onnx  # noqa: F401
    except ImportError as error:
        raise MissingExtraError(
            "Exporting needs onnx, which is not installed.", hint="Run: pip install 'inkling[train]'"
        ) from error


def _card(model: Any, kind: str, graph: bytes, apart: float) -> ModelCard:
    from inkling.core.config import to_dict

    opened = open_model(graph)
    return ModelCard(
        kind=kind,
        name=model.name,
        inputs={port.name: port.type for port in opened.inputs},
        outputs={port.name: port.type for port in opened.outputs},
        columns=tuple(getattr(model, "_names", ())) if kind == "trees" else (),
        settings=to_dict(model.config),
        largest_difference=apart,
        sha256={MODEL: hashlib.sha256(graph).hexdigest()},
        format=FORMAT,
    )


def _write(folder: Path, graph: bytes, card: ModelCard) -> None:
    def fill(place: Path) -> None:
        (place / MODEL).write_bytes(graph)
        (place / CARD).write_bytes(msgspec.json.format(msgspec.json.encode(card), indent=2))

    write_whole(folder, fill, marks=(CARD,))


def _file_of(path: Path) -> Path:
    """Return the file that a path names; in a folder, ``model.onnx`` or the only network there."""
    if path.is_file():
        return path
    if not path.is_dir():
        raise BundleError(f"There is no ONNX network at {path}.", hint="Name a file, or a folder with model.onnx.")
    found = (
        [path / MODEL] if (path / MODEL).is_file() else sorted(path.glob("*.onnx")) + sorted(path.glob("onnx/*.onnx"))
    )
    if len(found) != 1:
        names = ", ".join(each.name for each in found) or "none"
        raise BundleError(f"{path} holds not one ONNX network but {names}.", hint="Name the file itself.")
    return found[0]


def _check(path: Path, card: ModelCard) -> None:
    seen = hashlib.sha256(path.read_bytes()).hexdigest()
    if seen != card.sha256.get(MODEL):
        raise BundleError(f"{path} was altered: it is not the file that its card describes.", hint="Export it again.")


def _port(each: Any) -> Port:
    return Port(each.name, each.type, tuple(size if isinstance(size, int) else None for size in each.shape))


def _typed(value: Array, port: Port) -> Array:
    wanted = _TYPES.get(port.type)
    return np.ascontiguousarray(value if wanted is None else np.asarray(value).astype(wanted, copy=False))
