"""Gradient-boosted trees that learn an order; grown by LightGBM, scored without it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, ClassVar, Literal, Self

import msgspec
import numpy as np

from inkling.core.arrays import F32, F64, I32, Array
from inkling.core.candidates import Candidates
from inkling.core.config import Config
from inkling.core.query import Query
from inkling.core.run import Run
from inkling.core.space import Choice, Real, Space, Whole
from inkling.kernels.lightgbm_text import from_lightgbm_text
from inkling.kernels.trees import MAX_LEAVES, TreeEnsemble, score_columns
from inkling.ranking._features import decode_names, encode_names, feature_names, people_with_both, table
from inkling.ranking._position import corrected
from inkling.ranking.base import RankingSet

AtLeastOne = Annotated[int, msgspec.Meta(ge=1)]
Share = Annotated[float, msgspec.Meta(gt=0, le=1)]


class GbdtConfig(Config, frozen=True, kw_only=True):
    """Settings of ``gbdt``."""

    objective: Literal["lambdarank", "rank_xendcg", "binary"] = "lambdarank"
    """LambdaMART on NDCG, its cross-entropy relative, or the log loss of each item alone."""
    trees: AtLeastOne = 300
    """At most so many trees."""
    learning_rate: Annotated[float, msgspec.Meta(gt=0)] = 0.05
    """What each tree adds."""
    leaves: Annotated[int, msgspec.Meta(ge=2, le=MAX_LEAVES)] = 15
    """Leaves of a tree."""
    min_examples: AtLeastOne = 50
    """Examples that a leaf must hold."""
    feature_share: Share = 0.7
    """Share of the features that each tree may use."""
    row_share: Share = 0.8
    """Share of the examples that each tree sees."""
    l2: Annotated[float, msgspec.Meta(ge=0)] = 5.0
    """Regularisation of a leaf's value."""
    truncation: AtLeastOne = 20
    """lambdarank: pairs count where at least one is in the first so many places."""
    at: AtLeastOne = 10
    """NDCG at this place decides when to stop."""
    patience: AtLeastOne = 40
    """Stops after so many trees without a gain on validation, where there is one."""
    prune_share: Annotated[float, msgspec.Meta(ge=0, lt=1)] = 0.0
    """Trees grow again without columns whose share of the gain is below this: fewer columns, faster answers."""
    position: Literal["ignore", "inverse"] = "ignore"
    """What is done about places: nothing, or clicks weigh by inverse propensity."""
    grades: Annotated[int, msgspec.Meta(ge=1, le=20)] = 1
    """Steps of the labels: 1 is taken or not; more tells apart what a teacher graded, for the ranking objectives."""
    features: tuple[str, ...] = ()
    """Columns to learn from; empty takes all."""


class Gbdt:
    """LambdaMART (Burges 2010) by LightGBM (Ke et al. 2017); scored as in QuickScorer (Lucchese et al. 2015).

    Missing features (NaN) go where the data sent them. Contributions follow each item's path (Saabas 2014).
    """

    name = "gbdt"
    Config = GbdtConfig
    grid: ClassVar[tuple[Mapping[str, Any], ...]] = ({}, {"trees": 60, "learning_rate": 0.1}, {"objective": "binary"})
    space: ClassVar[Space] = {
        "trees": Whole(20, 500, log=True),
        "learning_rate": Real(0.01, 0.3, log=True),
        "leaves": Whole(4, 63, log=True),
        "min_examples": Whole(5, 500, log=True),
        "feature_share": Real(0.3, 1.0),
        "l2": Real(0.1, 50.0, log=True),
        "objective": Choice(("lambdarank", "rank_xendcg", "binary")),
    }

    def __init__(self, config: GbdtConfig | None = None) -> None:
        self.config = config or GbdtConfig()
        self._names: tuple[str, ...] = ()
        self._trees: TreeEnsemble | None = None
        self._used: tuple[str, ...] = ()
        self._asks: frozenset[str] = frozenset()
        self._node_values = np.zeros((0, 0))  # (T, L - 1)
        self._gains = np.zeros(0)  # (F,)

    def fit(self, data: RankingSet, run: Run, *, validation: RankingSet | None = None) -> Self:
        """Grow trees, and stop early where ``validation`` says so. The same seed and data give the same trees.

        Raises:
            DataError: All labels are the same, a feature is not there, or places are needed and not told.
            MissingExtraError: LightGBM is not installed.
        """
        lightgbm = _lightgbm()
        self._names = feature_names(data, self.config.features, name=self.name)
        data = corrected(data, self.config.position)
        self._grow(lightgbm, data, run, validation)
        if self.config.prune_share > 0:
            kept = [
                name for name, gain in zip(self._names, self._gains, strict=True) if gain >= self.config.prune_share
            ]
            if 0 < len(kept) < len(self._names):
                self._names = tuple(kept)
                self._grow(lightgbm, data, run, validation)
        return self

    def _grow(self, lightgbm: Any, data: RankingSet, run: Run, validation: RankingSet | None) -> None:
        training = self._dataset(lightgbm, data)
        watched = [] if validation is None else [self._dataset(lightgbm, validation, reference=training)]
        stop = [lightgbm.early_stopping(self.config.patience, verbose=False)] if watched else []
        booster = lightgbm.train(
            self._parameters(run), training, num_boost_round=self.config.trees, valid_sets=watched, callbacks=stop
        )
        text = booster.model_to_string(num_iteration=booster.best_iteration)
        trees = from_lightgbm_text(text)
        self._take(trees)
        self._node_values = _node_values(text, trees)
        gains = booster.feature_importance(importance_type="gain", iteration=booster.best_iteration)
        self._gains = gains / max(float(gains.sum()), 1e-12)

    def _take(self, trees: TreeEnsemble) -> None:
        self._trees = trees
        self._used = tuple(self._names[at] for at in np.unique(trees.feature[trees.feature >= 0]).tolist())
        self._asks = frozenset(self._used)

    def _dataset(self, lightgbm: Any, data: RankingSet, reference: Any = None) -> Any:
        """Return LightGBM's view of the people who took some and left some; by item, of everyone."""
        items, labels, weights = data.candidates, data.labels, data.weights
        if self.config.objective != "binary":
            own = np.isin(items.segment_rows, people_with_both(data))
            items, labels = items.keep(own), labels[own]
            weights = None if weights is None else weights[own]
        lengths = np.diff(items.offsets)
        group = None if self.config.objective == "binary" else lengths[lengths > 0]
        x = table(items, self._names)
        return lightgbm.Dataset(x, self._graded(labels), weight=weights, group=group, reference=reference)

    def _graded(self, labels: F32) -> I32:
        """Return the labels (N,) as LightGBM takes them: whole numbers."""
        if self.config.grades == 1 or self.config.objective == "binary":
            return (labels > 0).astype(np.int32)
        return np.rint(np.clip(labels, 0, 1) * self.config.grades).astype(np.int32)

    def _parameters(self, run: Run) -> dict[str, Any]:
        config = self.config
        metric = (
            {"metric": "binary_logloss"} if config.objective == "binary" else {"metric": "ndcg", "eval_at": [config.at]}
        )
        return {
            "objective": config.objective,
            **metric,
            "learning_rate": config.learning_rate,
            "num_leaves": config.leaves,
            "min_data_in_leaf": config.min_examples,
            "feature_fraction": config.feature_share,
            "bagging_fraction": config.row_share,
            "bagging_freq": 1,
            "lambda_l2": config.l2,
            "lambdarank_truncation_level": config.truncation,
            "seed": run.seed,
            "num_threads": run.n_threads,
            "deterministic": True,
            "force_row_wise": True,
            "verbosity": -1,
        }

    def score(self, query: Query, items: Candidates) -> Candidates:
        """Return the candidates by the sum of the leaves that they reach."""
        x = table(items, self._names)
        return items if self._trees is None or not len(x) else items.with_scores(self._trees.score(x))

    def scores(self, query: Query, items: Candidates) -> F32:
        """Return the scores (N,) in the order of ``items``."""
        return self.flat(items)

    def flat(self, items: Candidates) -> F32:
        """Return the scores (N,) in the order of ``items``, reading only the columns that some tree asks about."""
        n = len(items.item_rows)
        if self._trees is None or not n:
            return items.scores
        fields = items.fields
        missing = self._asks.difference(fields)
        if missing:
            fields = {**fields, **dict.fromkeys(missing, np.broadcast_to(np.float32(np.nan), (n,)))}
        columns = [fields[name] for name in self._used]
        return score_columns(self._trees, columns, n)

    def asks(self) -> frozenset[str]:
        """Return the names of the columns that some tree asks about."""
        return self._asks

    @property
    def base(self) -> float:
        """Return the score before any feature is looked at."""
        roots = self._node_values[:, 0] if self._node_values.size else np.zeros(1)
        return float(roots.sum())

    def contributions(self, items: Candidates) -> Mapping[str, F32]:
        """Return what each feature adds to each score (N,) along the paths; with ``base`` they add up to it."""
        x = table(items, self._names)
        total = np.zeros((len(self._names), len(x)))
        if self._trees is not None:
            for tree in range(self._trees.n_trees):
                _follow(self._trees, self._node_values, tree, x, total)
        return {name: row.astype(np.float32) for name, row in zip(self._names, total, strict=True)}

    def importances(self) -> Mapping[str, float]:
        """Return each feature's share of the gain of all splits."""
        return dict(zip(self._names, self._gains.tolist(), strict=True))

    def state(self) -> Mapping[str, Array]:
        """Return names and trees."""
        trees = {} if self._trees is None else {f"trees.{k}": v for k, v in self._trees.to_arrays().items()}
        return {
            "names": encode_names(self._names),
            "node_values": self._node_values,
            "gains": self._gains,
            **trees,
        }

    def load_state(self, state: Mapping[str, Array]) -> Self:
        """Take over what :meth:`state` returned."""
        self._names = decode_names(state)
        trees = {key.removeprefix("trees."): value for key, value in state.items() if key.startswith("trees.")}
        if trees:
            self._take(TreeEnsemble.from_arrays(trees))
        self._node_values, self._gains = np.array(state["node_values"]), np.array(state["gains"])
        return self


def _lightgbm() -> Any:
    try:
        import lightgbm
    except ImportError as error:
        from inkling.core.errors import MissingExtraError

        raise MissingExtraError("'gbdt' is fitted by LightGBM.", hint="Install it: pip install lightgbm.") from error
    return lightgbm


def _node_values(text: str, trees: TreeEnsemble) -> F64:
    """Return the mean value (T, L - 1) below each inner node, as LightGBM wrote it; a lone leaf's comes first."""
    values = np.zeros((trees.n_trees, max(trees.leaf_value.shape[1] - 1, 1)))
    lines = [line for line in text.splitlines() if line.startswith("internal_value=")]
    for tree, line in enumerate(lines):
        own = np.array(line.removeprefix("internal_value=").split(), dtype=np.float64)
        values[tree, : len(own)] = own
        if not len(own):
            values[tree, 0] = trees.leaf_value[tree, 0]
    return values


def _follow(trees: TreeEnsemble, node_values: F64, tree: int, x: F32, total: F64) -> None:
    """Add to ``total`` (F, N) what each split of one tree changes for each example on its way down."""
    node = np.zeros(len(x), dtype=np.int64)
    alive = np.arange(len(x)) if trees.feature.shape[1] and trees.feature[tree, 0] >= 0 else np.empty(0, dtype=np.int64)
    while len(alive):
        here = node[alive]
        feature = trees.feature[tree, here]
        value = x[alive, feature]
        goes_left = np.where(np.isnan(value), trees.nan_left[tree, here], value <= trees.threshold[tree, here])
        after = np.where(goes_left, trees.left[tree, here], trees.right[tree, here]).astype(np.int64)
        inner = after >= 0
        reached = np.where(
            inner, node_values[tree, np.maximum(after, 0)], trees.leaf_value[tree, np.maximum(-after - 1, 0)]
        )
        total[feature, alive] += reached - node_values[tree, here]
        node[alive] = after
        alive = alive[inner]
