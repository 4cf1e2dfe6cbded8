"""A language model learns from behaviour: what the same people chose comes to read alike."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import msgspec
import numpy as np

from inkling.core.arrays import F32
from inkling.core.dataset import Dataset
from inkling.core.errors import ConfigError, MissingExtraError
from inkling.core.run import Run
from inkling.encoders.backbone import MINILM, Backbone, load_backbone
from inkling.language._adapt_config import OBJECTIVES, RATES, AdaptConfig
from inkling.language._adapt_lessons import Lessons, learn_lessons
from inkling.protocol.leaks import Provenance
from inkling.training.extra import need_torch

if TYPE_CHECKING:
    from inkling.language._adapt_fit import Outcome

__all__ = ["OBJECTIVES", "RATES", "AdaptConfig", "AdaptReport", "Adapted", "adapt"]
REPORT = "adapted.json"


class AdaptReport(msgspec.Struct, frozen=True, kw_only=True):
    """How an adaptation went.

    Attributes:
        method: What moved.
        n_trained: Parameters of the language model that moved.
        n_parameters: Parameters of the language model.
        n_texts: Distinct texts.
        n_examples: Examples that were learned from.
        n_held_out: People whose last choice told when to stop.
        before: NDCG@10 of those, before; None where nobody is held out.
        after: NDCG@10 of those, with the weights that were kept.
        losses: Objective -> its mean over the first pass, and over the last.
        epochs: Passes.
        stopped: Why it ended: "epochs", "patience" or "seconds".
        seconds: All in all.
        trained_until: The last instant that was seen.
        fingerprint: Of the events that were seen.
    """

    method: str
    n_trained: int
    n_parameters: int
    n_texts: int
    n_examples: int
    n_held_out: int
    before: float | None
    after: float | None
    losses: dict[str, tuple[float, float]]
    epochs: int
    stopped: str
    seconds: float
    trained_until: int
    fingerprint: str


@dataclass(frozen=True)
class Adapted:
    """An adapted language model, merged: a plain network of the same architecture."""

    backbone: Backbone
    config: AdaptConfig
    report: AdaptReport

    @property
    def provenance(self) -> Provenance:
        """Return what it was made from, as ``evaluate`` asks."""
        return self.backbone.card.learned[-1]

    def encode(self, texts: Sequence[str], *, n_threads: int = 1) -> F32:  # (N, dim)
        """Return rows of length one, in torch; zeros for a text without tokens."""
        import torch

        from inkling.language._adapt_net import read_texts

        threads = torch.get_num_threads()
        torch.set_num_threads(n_threads)
        try:
            return read_texts(self.backbone, texts)
        finally:
            torch.set_num_threads(threads)

    def save(self, folder: str | Path) -> None:
        """Write a folder that :func:`load_backbone` loads and ``inkling adapt --from`` goes on from.

        Raises:
            BundleError: The place holds something else, or the disk refuses.
        """
        self.backbone.save(folder)
        said = {"report": self.report, "settings": self.config}
        (Path(folder) / REPORT).write_bytes(msgspec.json.format(msgspec.json.encode(said), indent=2))

    def export(self, folder: str | Path, *, int8: bool = False) -> None:
        """Write a folder that the encoder ``exported`` serves without torch.

        Raises:
            BundleError: The place holds something else, or the disk refuses.
            InklingError: The graph disagrees with torch.
        """
        from inkling.encoders.exported import export_backbone

        export_backbone(self.backbone, folder, int8=int8)


def adapt(
    data: Dataset,
    source: str | Path | Backbone = MINILM,
    config: AdaptConfig | None = None,
    run: Run | None = None,
    *,
    start: F32 | None = None,
) -> Adapted:
    """Teach a language model what people do with the items that it reads.

    A step reads some texts, each once, and looks at examples around them: the person is the fading mean of what they
    chose before; texts that are not read in the step stand in a bank as they were last read (Wang et al. 2020, "Cross-
    batch memory"). So a text's own gradient speaks for many examples. ``sequence`` is the softmax of the next choice
    against the bank (InfoNCE, van den Oord et al. 2018, with the logQ correction of the draw and without what the
    person chose), with mined negatives among the texts that are read; ``behaviour`` the log loss of chosen or not;
    ``rating`` the squared error of the value; ``similarity`` nearness by people; ``category`` the first category.
    Only events in ``data`` and texts of items that existed are looked at.

    Args:
        data: A training part.
        source: A folder, a name on the hub, ``minilm``; or a loaded model, which is trained in place.
        config: Settings.
        run: Seed, threads, progress.
        start: (n_items, dim) vectors of the items under ``source``, where the caller has them: a pass less to wait for.

    Raises:
        ConfigError: The model cannot be tuned in this way, or ``start`` does not fit.
        DataError: There are too few texts or choices, or what an objective needs is not there.
        MissingExtraError: torch, transformers or peft is not installed.
    """
    config, run = config or AdaptConfig(), run or Run()
    _need(config)
    lessons = learn_lessons(data, config, run)
    backbone = source if isinstance(source, Backbone) else load_backbone(source)
    from inkling.language._adapt_fit import fit

    outcome = fit(backbone, lessons, config, run, _first_vectors(start, lessons, data, backbone.dim))
    learned = Provenance(name="adapt", trained_until=data.until, fingerprint=data.fingerprint)
    limit = min(config.max_tokens, backbone.card.max_tokens)
    card = msgspec.structs.replace(backbone.card, max_tokens=limit, learned=(*backbone.card.learned, learned))
    adapted = Backbone(backbone.model, backbone.tokenizer, card)
    return Adapted(adapted, config, _report(config, lessons, outcome, learned))


def _need(config: AdaptConfig) -> None:
    need_torch("Adapting a language model")
    if config.method == "full":
        return
    try:
        import peft  # noqa: F401 - it takes long to import, and full does without
    except ImportError as error:
        raise MissingExtraError(
            f"Adapting with '{config.method}' needs peft, which is not installed.",
            hint="Run: pip install 'inkling[train]', or use method = 'full'.",
        ) from error


def _first_vectors(start: F32 | None, lessons: Lessons, data: Dataset, dim: int) -> F32 | None:
    """Return the vectors of the distinct texts out of those of the items."""
    if start is None:
        return None
    if start.shape != (data.n_items, dim):
        raise ConfigError(
            f"adapt: start has the shape {start.shape}, expected {(data.n_items, dim)}.",
            hint="Give one vector of the model that is adapted for each item.",
        )
    has = lessons.text_of >= 0
    found = np.zeros((lessons.n_texts, dim), dtype=np.float32)
    found[lessons.text_of[has]] = start[has]
    return found


def _report(config: AdaptConfig, lessons: Lessons, outcome: Outcome, learned: Provenance) -> AdaptReport:
    return AdaptReport(
        method=config.method,
        n_trained=outcome.n_trained,
        n_parameters=outcome.n_parameters,
        n_texts=lessons.n_texts,
        n_examples=len(lessons.pairs),
        n_held_out=len(lessons.held),
        before=_number(outcome.before),
        after=_number(outcome.after),
        losses=outcome.losses,
        epochs=outcome.trained.epochs,
        stopped=outcome.trained.stopped,
        seconds=outcome.seconds,
        trained_until=learned.trained_until or 0,
        fingerprint=learned.fingerprint,
    )


def _number(value: float) -> float | None:
    return value if np.isfinite(value) else None
