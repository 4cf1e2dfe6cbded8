"""What the next event may be, from the order of the last ones: how sequence models are fitted, kept and asked.

Training needs torch. Answering does not: the network is ONNX, run by onnxruntime on one thread; items are a matrix.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Any, ClassVar, Self

import numpy as np

from inkling.core.arrays import F32, I32, I64, Array, Bool
from inkling.core.candidates import Candidates
from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError, DataError
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.vocabulary import Vocabulary
from inkling.kernels.similarity import normalize_rows
from inkling.kernels.topk import topk
from inkling.retrieval._dense import gather, retrieve
from inkling.retrieval._matrix import signals
from inkling.retrieval._nearest import NearestItems
from inkling.retrieval._sequence_config import SequenceConfig
from inkling.training.extra import need_torch

Watch = Callable[[str, int, float], None]
# exp(-80) is the least score of an item that the model knows: above 0, which says that it knows nothing.
_FLOOR = np.float32(-80.0)
_MS = 1000
_TEXT_SHARE = 0.7  # as in training/nets/table.py, which needs torch; a test holds them together
WEIGHTS = "weights."
_NOBODY = np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)


class SequenceModel(ABC):
    """The part that all sequence models share; what differs is the network (``body``) and its task (``batch``).

    Scores are exp(logit - the person's largest logit), so the favourite has 1: softmax probabilities over their best.
    People without a usable event have no scores. Times reach the network in seconds where they are real, else as 0.
    """

    name: str
    Config: ClassVar[type[SequenceConfig]]
    shortest: ClassVar[int] = 2  # sequences of fewer events teach nothing
    room: ClassVar[int] = 0  # so many of ``length`` places are no events when it is asked

    def __init__(self, config: Any = None, *, encoder: Any = None) -> None:
        """Take settings, and the encoder itself where the caller already holds one.

        Raises:
            ConfigError: The heads do not divide the dimension.
        """
        self.config: Any = config or self.Config()
        if self.config.dim % self.config.heads:
            raise ConfigError(
                f"{self.name}: {self.config.heads} heads do not divide {self.config.dim} dimensions.",
                hint="Choose a dim that is a multiple of heads.",
            )
        self.watch: Watch | None = None
        self._encoder = encoder
        self._earlier: tuple[Mapping[str, Array], Sequence[str]] | None = None
        self._take({"ids": np.zeros((0, self.config.dim), dtype=np.float16), "known": np.zeros(0, dtype=np.bool_)})

    @abstractmethod
    def body(self) -> Any:
        """Return the untrained network (a torch module with ``last``); imports torch."""

    def batch(self, sequences: Any, index: I64, rng: np.random.Generator) -> Any:
        """Return a packed batch of the sequences ``index``: by default each event predicts the one after it."""
        from inkling.training.sequences import next_items

        return next_items(sequences, index)

    def _take(self, state: Mapping[str, Array]) -> None:
        self._ids = np.array(state["ids"], dtype=np.float16)  # (n, d)
        said = state.get("said")
        self._said = None if said is None else np.array(said, dtype=np.float16)  # (n, d) what texts add
        self._known = np.array(state["known"], dtype=np.bool_)  # (n,)
        self._weights = {key: np.array(value) for key, value in state.items() if key.startswith(WEIGHTS)}
        self._graph = np.array(state.get("graph", np.empty(0)), dtype=np.uint8).tobytes()
        self._mean = np.array(state.get("mean", np.empty(0)), dtype=np.float32)  # (t,) of the texts' vectors
        self._timed = bool(state["timed"][0]) if "timed" in state else False
        self._items = self._compared(np.arange(len(self._ids)))
        self._index = NearestItems()
        self.__dict__.pop("_session", None)

    def _compared(self, rows: I64 | I32) -> F32:
        """Return item vectors (len(rows), d) as the network reads them and as people are compared with them."""
        vectors = self._ids[rows].astype(np.float32)
        if self._said is not None:
            vectors += self._said[rows]
        return normalize_rows(vectors) if self.config.compare == "cosine" else vectors

    def fit(self, data: Dataset, run: Run) -> Self:
        """Train on the events in their order; after :meth:`carry`, on from the earlier model's weights.

        Raises:
            DataError: No person has two positive events.
            MissingExtraError: torch is not installed.
        """
        need_torch(f"Fitting '{self.name}'")
        from inkling.retrieval._sequence_fit import fit_sequences

        events = signals(data, name=self.name)
        begun, self._earlier = self._earlier, None
        earlier = None if begun is None else (begun[0], Vocabulary(begun[1]).rows(data.item_ids))
        texts = self._texts(data, run)
        mean = self._mean
        self._take({**fit_sequences(self, data, events, run, texts=texts, earlier=earlier), "mean": mean})
        return self

    def _texts(self, data: Dataset, run: Run) -> F32 | None:
        """Return language vectors (n_items, t); zeros where there is no text."""
        if self.config.text == "off":
            return None
        texts = data.items.texts()
        distinct = list(dict.fromkeys(text for text in texts if text))
        if not distinct:
            return None
        encoder = self._encoder
        if encoder is None:
            from inkling.encoders import fitted_encoder

            encoder = fitted_encoder(self.config.encoder, distinct, run)
        read = np.asarray(encoder.encode(distinct), dtype=np.float32)
        # What all texts have in common tells no item from another.
        self._mean = read.mean(axis=0)
        read = normalize_rows(read - self._mean)
        place = {text: row for row, text in enumerate(distinct)}
        out = np.zeros((len(texts), read.shape[1]), dtype=np.float32)
        rows = np.array([row for row, text in enumerate(texts) if text])
        out[rows] = read[[place[text] for text in texts if text]]
        return out

    def carry(self, state: Mapping[str, Array], item_ids: Sequence[str]) -> Self:
        """Let the next ``fit`` start from an earlier model's weights and train a share of the epochs (``warm``).

        Items of the same id begin as they were; without any, what was learned of order and of texts is carried over.

        Args:
            state: Of a model of the same kind and shape; what does not fit starts anew.
            item_ids: That model's items by row.
        """
        self._earlier = (state, tuple(item_ids))
        return self

    def put_items(self, item_rows: I32, vectors: F32) -> None:
        """Take in language vectors (n, t) of new or changed items; without texts in the model they change nothing.

        Raises:
            DataError: The vectors have another dimension than those that it was fitted with.
        """
        project = self._weights.get(WEIGHTS + "table.project.weight")
        if project is None or self._said is None or not len(item_rows):
            return
        if vectors.shape[1] != project.shape[1]:
            raise DataError(
                f"'{self.name}' reads vectors of {project.shape[1]} numbers and was given {vectors.shape[1]}.",
                hint=f"Encode items with '{self.config.encoder}', as when it was fitted.",
            )
        more = int(item_rows.max()) + 1 - len(self._ids)
        if more > 0:
            grown = np.zeros((more, self.config.dim), dtype=np.float16)
            self._ids, self._said = np.concatenate([self._ids, grown]), np.concatenate([self._said, grown])
            self._items = np.concatenate([self._items, grown.astype(np.float32)])
            self._known = np.concatenate([self._known, np.zeros(more, dtype=np.bool_)])
        told = normalize_rows(vectors.astype(np.float32) - self._mean) @ project.T
        self._said[item_rows] = _TEXT_SHARE * normalize_rows(told)
        self._items[item_rows] = self._compared(item_rows)
        self._known[item_rows] = self._items[item_rows].any(axis=1)
        self._index.put(item_rows, self._items[item_rows])

    @cached_property
    def _session(self) -> Any:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])

    def people(self, query: Query) -> tuple[F32, Bool]:
        """Return people's vectors (B, d) and whose history says anything (B,)."""
        flat, lengths = self._usable(query)
        starts = np.cumsum(lengths) - lengths
        out = np.zeros((len(query), self.config.dim), dtype=np.float32)
        # People with as many events are asked about together, so that nothing is padded and one answers as many do.
        for length in np.unique(lengths[lengths > 0]).tolist() if self._graph else ():
            who = np.flatnonzero(lengths == length)
            events = flat[starts[who][:, None] + np.arange(length)]
            out[who] = self._asked(query.history.item_rows[events], query.history.ts[events])
        return out, (lengths > 0) & bool(self._graph)

    def _asked(self, rows: I32, ts: I64) -> F32:
        times = seconds(ts) if self._timed else np.zeros(rows.shape, dtype=np.int64)
        given = {"vectors": self._items[rows], "times": times, "lengths": np.full(len(rows), rows.shape[1])}
        vectors: F32 = self._session.run(None, given)[0]
        return vectors

    def _usable(self, query: Query) -> tuple[I64, I64]:
        """Return the positions of the last events that the model knows, and how many each person has (B,)."""
        history = query.history
        rows = history.item_rows
        good = (history.weights > 0) & (rows >= 0) & (rows < len(self._known))
        good[good] = self._known[rows[good]]
        flat = np.flatnonzero(good)
        edges = np.searchsorted(flat, history.offsets)
        begin = np.maximum(edges[:-1], edges[1:] - (self.config.length - self.room))
        kept = np.arange(len(flat)) >= np.repeat(begin, np.diff(edges))
        return flat[kept], edges[1:] - begin

    def scores(self, query: Query) -> F32:
        """Return (B, n_items): how likely each item is the next, over the likeliest; 0 is an item it does not know."""
        vectors, says = self.people(query)
        width = min(len(self._items), query.n_items)
        out = np.zeros((len(query), query.n_items), dtype=np.float32)
        if not self._known[:width].any():
            return out
        np.matmul(vectors, self._items[:width].T, out=out[:, :width])
        known, absent = out[:, :width], np.flatnonzero(~self._known[:width])
        known[:, absent] = -np.inf
        known -= known.max(axis=1, keepdims=True)
        np.exp(np.maximum(known, _FLOOR, out=known), out=known)
        known[:, absent] = 0.0
        out[~says] = 0.0
        return out

    @property
    def vectors(self) -> F32:
        """Return the items' vectors (n, d); zeros where nothing is known of one."""
        return self._items

    def place(self, query: Query) -> F32:
        """Return people's vectors (B, d): the larger the product with an item's, the better; zeros: nothing known."""
        return self.people(query)[0]

    def nearest(self, query: Query, k: int) -> list[tuple[I32, F32]] | None:
        """Return the same as ``retrieve`` by an index, where there are many items; None where there are not."""
        if query.n_items < self._index.index_from or query.candidates is not None:
            return None
        vectors, says = self.people(query)
        found = self._index.top(self._items, vectors, query, k)
        if found is None:
            return None
        # The favourite has 1, also where it may not be answered.
        free = query.allowed is None and query.exclude is None
        most = None if free else self._index.best(self._items, vectors)
        return [
            self._likely(rows, logits, None if most is None else float(most[at])) if says[at] else _NOBODY
            for at, (rows, logits) in enumerate(found)
        ]

    def _likely(self, rows: I32, logits: F32, most: float | None) -> tuple[I32, F32]:
        known = self._known[rows]
        rows, logits = (rows, logits) if known.all() else (rows[known], logits[known])
        best = logits.max(initial=-np.inf) if most is None else np.float32(most)
        return rows, np.exp(np.clip(logits - best, _FLOOR, 0, dtype=np.float32))

    def retrieve(self, query: Query, k: int) -> Candidates:
        """Return the k items that are likeliest to come next."""
        return retrieve(self, query, k)

    def similar(self, item_rows: I32, k: int) -> Candidates:
        """Return the k items whose vectors point the way of each item's most."""
        unit = self._items if self.config.compare == "cosine" else normalize_rows(self._items)
        return gather([self._similar(unit, int(row), k) for row in item_rows], source=self.name)

    def _similar(self, unit: F32, row: int, k: int) -> tuple[I32, F32]:
        if not 0 <= row < len(self._known) or not self._known[row]:
            return np.empty(0, dtype=np.int32), np.empty(0, dtype=np.float32)
        near = unit @ unit[row]
        mask = self._known & (near > 0)
        mask[row] = False
        return topk(near, k, mask=mask)

    def state(self) -> Mapping[str, Array]:
        """Return the network as ONNX, the items' vectors in half precision, and the weights to start again from."""
        texts: dict[str, Array] = {} if self._said is None else {"said": self._said, "mean": self._mean}
        graph = np.frombuffer(self._graph, dtype=np.uint8)
        return {
            "graph": graph, "ids": self._ids, "known": self._known, "timed": np.array([self._timed]),
            **texts, **self._weights,
        }  # fmt: skip

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._take(state)
        return self


def seconds(ts: I64) -> I64:
    """Return epoch milliseconds as whole seconds."""
    return (ts // _MS).astype(np.int64)
