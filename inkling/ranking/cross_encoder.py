"""A language model reads a person's text with an item's text and says one number."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, I32, I64, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space
from inkling.language.templates import Around, Template, describe, template_of
from inkling.ranking._cross_pairs import PairReader, Shelf
from inkling.ranking._features import feature_names
from inkling.ranking._numbers import Numbers
from inkling.ranking.base import RankingSet
from inkling.training.extra import need_torch

if TYPE_CHECKING:
    from onnxruntime import InferenceSession

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Whole0 = Annotated[int, msgspec.Meta(ge=0)]
NotNegative = Annotated[float, msgspec.Meta(ge=0)]
Share0 = Annotated[float, msgspec.Meta(ge=0, lt=1)]

INCOMING, PLACE = "cross.score", "cross.place"
_TOKENS_PER_BATCH = 2048
_STEP = np.float32(1e-3)  # between candidates below those that are read


class CrossEncoderConfig(Config, frozen=True, kw_only=True):
    """Settings of ``cross_encoder``."""

    source: str = "minilm"
    """The language model: a folder, a name on the hub, or minilm."""
    template: str | Template = "titles"
    """How a person is told: a ready template's name (en, zh, titles), or one of your own."""
    max_tokens: Annotated[int, msgspec.Meta(ge=8)] = 80
    """Tokens of person and item together; the longer of the two is cut first."""
    max_item_characters: AtLeastOne = 120
    """So much of an item's text is read."""
    top: Whole0 = 50
    """So many of the first candidates are read, the rest stay below in their order; 0 reads all."""
    loss: Literal["listwise", "pointwise"] = "listwise"
    """Softmax over a person's candidates, or log loss of each alone."""
    left_each: AtLeastOne = 7
    """So many of the items that a person left are learned from in each pass, drawn at random."""
    epochs: AtLeastOne = 2
    """At most so many passes over the people."""
    patience: Whole0 = 1
    """Stops after so many passes without a gain on people who are held out; 0 does not stop."""
    lists: AtLeastOne = 8
    """People in a step."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 5e-5
    """Step size of AdamW in the language model."""
    weight_decay: NotNegative = 0.01
    """Decoupled decay of all weights (AdamW)."""
    dropout: Share0 = 0.1
    """Share of hidden values that are left out in training."""
    max_seconds: NotNegative = 0.0
    """Stops training after so long; 0 is no limit."""
    priors: bool = True
    """Whether the incoming score, the place and feature columns are read beside the text, linearly."""
    features: tuple[str, ...] = ()
    """Columns that are; empty takes all."""
    int8: bool = False
    """Whether the network is served in int8: faster, and a little off."""
    n_threads: AtLeastOne = 1
    """Threads inside the served network."""


class CrossEncoder:
    """BERT as a ranker (Nogueira and Cho 2019): one sequence of person and item, one logit; or a causal model's last.

    Too slow for a catalogue: it reads the first ``top`` candidates only, or teaches a fast ranker offline
    (:func:`inkling.ranking.teach`). The text's logit is added to a linear prior on the incoming score, the place and
    the columns, so that it begins at the order that it was given. ``read`` gives it the items' texts, before ``fit``.
    Fitted by torch; served by ONNX Runtime.
    """

    name = "cross_encoder"
    Config = CrossEncoderConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"loss": "pointwise"})
    space: ClassVar[Space] = {
        "learning_rate": Real(1e-5, 5e-4, log=True),
        "left_each": Choice((3, 7, 15)),
        "loss": Choice(("listwise", "pointwise")),
    }

    def __init__(self, config: CrossEncoderConfig | None = None) -> None:
        self.config = config or CrossEncoderConfig()
        self._shelf = Shelf()
        self._numbers = Numbers.learn(Candidates.empty(0), (), "log")
        self._prior: F32 = np.zeros(0, dtype=np.float32)  # (D,)
        self._pairs: PairReader | None = None
        self._graph = b""

    def read(self, item_rows: I32, titles: Sequence[str], texts: Sequence[str]) -> None:
        """Take in items, new or changed: the title stands in a person's history, the text is a candidate's."""
        self._shelf.put(item_rows, titles, texts)

    @cached_property
    def template(self) -> Template:
        """Return how a person is told."""
        said = self.config.template
        return said if isinstance(said, Template) else template_of(said)

    def people(self, query: Query) -> list[str]:
        """Return each person's text; "" of one of whom nothing is known."""
        return describe(query.history, self._shelf.titles, self.template, Around.of(query))

    def items(self, item_rows: I32) -> list[str]:
        """Return the items' texts, as far as they are read."""
        return [text[: self.config.max_item_characters] for text in self._shelf.of(item_rows)]

    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self:
        """Train until people who are held out (or ``validation``) gain no more. The same seed and data, the same model.

        Raises:
            DataError: All labels are the same, or a feature is not there.
            MissingExtraError: torch or transformers is not installed.
        """
        feature_names(_with_places(data), self.config.features, name=self.name)
        need_torch("Fitting 'cross_encoder'")
        from inkling.encoders._backbone_folder import need_transformers

        need_transformers("Fitting 'cross_encoder'")
        from inkling.ranking._cross_fit import fit

        vars(self).pop("_session", None)
        self._numbers = self._learned_numbers(data)
        learned = fit(self, data, run, validation)
        self._prior, self._pairs, self._graph = learned.prior, learned.pairs, learned.graph
        return self

    def _learned_numbers(self, data: RankingSet) -> Numbers:
        if not self.config.priors:
            return Numbers.learn(Candidates.empty(0), (), "log")
        items = _with_places(data).candidates
        names = self.config.features or tuple(sorted(items.fields))
        return Numbers.learn(items, tuple(dict.fromkeys((*names, INCOMING, PLACE))), "log")

    def numbers(self, data: RankingSet) -> F32:
        """Return what the prior reads (N, D)."""
        return self._numbers.read(_with_places(data).candidates)

    def score(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates, those that are read by their logits, the rest below them as they were."""
        if self._pairs is None or not len(items.item_rows):
            return items
        read = self._read_mask(items)
        places = _with_places(RankingSet(query, items, items.scores)).candidates
        logits = np.einsum("nd,d->n", self._numbers.read(places)[read], self._prior)
        logits += self._logits(query, items.keep(read))
        scores = np.empty(len(items.item_rows), dtype=np.float32)
        scores[read] = logits
        below = np.full(len(items), np.inf, dtype=np.float32)
        np.minimum.at(below, items.segment_rows[read], scores[read])
        rest = ~read
        scores[rest] = below[items.segment_rows[rest]] - _STEP * (1 + _places(items.offsets)[rest])
        return items.with_scores(scores)

    def _read_mask(self, items: Candidates) -> Array:
        if not self.config.top:
            return np.ones(len(items.item_rows), dtype=np.bool_)
        return _places(items.offsets) < self.config.top

    def _logits(self, query: Query, items: Candidates) -> F32:
        """Return the text's logits (N,), texts of alike length together."""
        from inkling.encoders._backbone_batches import length_batches

        reader = self._pairs
        out = np.zeros(len(items.item_rows), dtype=np.float32)
        if reader is None:
            return out
        people, texts = self.people(query), self.items(items.item_rows)
        pairs = reader.read([people[row] for row in items.segment_rows.tolist()], texts)
        for rows in length_batches([len(ids) for ids, _ in pairs], _TOKENS_PER_BATCH):
            given = reader.padded([pairs[row] for row in rows])
            out[rows] = self._session.run(None, {name: given[name] for name in self._asked})[0]
        return out

    @cached_property
    def _session(self) -> InferenceSession:
        import onnxruntime

        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = self.config.n_threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        return onnxruntime.InferenceSession(self._graph, options, providers=["CPUExecutionProvider"])

    @property
    def _asked(self) -> list[str]:
        return [given.name for given in self._session.get_inputs()]

    def state(self) -> Mapping[str, Array]:
        """Return the network, the tokenizer, the items' texts and the prior."""
        own: dict[str, Array] = {"prior": self._prior, "graph": np.frombuffer(self._graph, dtype=np.uint8)}
        pairs = {} if self._pairs is None else self._pairs.state()
        return {**own, **self._shelf.state(), **self._numbers.state(), **pairs}

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        vars(self).pop("_session", None)
        self._prior, self._graph = np.array(state["prior"]), np.array(state["graph"]).tobytes()
        self._shelf, self._numbers = Shelf.of_state(state), Numbers.of_state(state)
        self._pairs = PairReader.of_state(state) if "tokenizer" in state else None
        return self


def _places(offsets: I64) -> I64:
    """Return each candidate's place in its list, from 0."""
    return np.arange(int(offsets[-1])) - np.repeat(offsets[:-1], np.diff(offsets))


def _with_places(data: RankingSet) -> RankingSet:
    """Return the set with the incoming score and place as columns."""
    items = data.candidates
    columns = {INCOMING: items.scores, PLACE: np.log1p(_places(items.offsets)).astype(np.float32)}
    return RankingSet(data.query, items.with_fields(columns), data.labels, data.weights, data.further, data.positions)
