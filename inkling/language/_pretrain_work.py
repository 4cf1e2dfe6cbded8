"""One pretraining from its beginning, or from where it was interrupted, to its report."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import msgspec

from inkling.core.config import to_dict
from inkling.core.errors import ConfigError, StoreError
from inkling.core.run import Run
from inkling.encoders._backbone_card import max_length
from inkling.encoders._backbone_folder import model_folder
from inkling.encoders.backbone import Backbone, load_backbone
from inkling.language._pretrain_heads import make_heads
from inkling.language._pretrain_run import Batch, Epoch, Learner, Reading, held_losses, readings, yardsticks
from inkling.language._pretrain_start import FreshConfig, fresh_backbone
from inkling.language._pretrain_text import Corpus
from inkling.language.pretrain import STATE, Keeping, Measured, PretrainConfig, Pretrained, PretrainReport
from inkling.protocol.leaks import Provenance
from inkling.training.loop import Around, Plan, Trained, seeded, train
from inkling.training.optim import Optim

_START = "start"
_FRESH_RATE, _ONWARD_RATE = 5e-4, 5e-5
_FRESH = ("kind", "dim", "n_layers", "n_heads", "n_tokens", "max_tokens", "dropout")


class _State(msgspec.Struct, frozen=True):
    """What an interrupted pretraining must find again."""

    key: str
    before: dict[str, float]


class Work:
    """One pretraining: the parts that share its model, its texts and its settings."""

    def __init__(
        self, corpus: Corpus, source: str | Path | None, config: PretrainConfig, run: Run, keeping: Keeping | None
    ) -> None:
        self.corpus, self.source, self.config, self.run, self.keeping = corpus, source, config, run, keeping
        self.state = self._begun()

    def do(self, learned: Provenance | None) -> Pretrained:
        """Train and measure; ``learned`` goes on the model's card."""
        backbone = self._start()
        backbone.model.to(self.run.device)
        with seeded(self.run, "pretrain", "heads"):
            folder = None if self.source is None else model_folder(self.source)
            heads, brought = make_heads(backbone, self.config.objectives, folder)
        reading, held = readings(backbone, self.corpus, self.config, self.run)
        learner = Learner(backbone, heads).to(self.run.device)
        before = self._before(learner, held)
        trained = self._train(learner, reading, held)
        after, guess = held_losses(learner, held), yardsticks(reading, held)
        measured = tuple(
            Measured(
                objective=name,
                before=before[name],
                after=after[name],
                guess=guess[name],
                head="model" if name in brought else "new",
            )
            for name in self.config.objectives
        )
        backbone.model.eval()
        if learned is not None:
            backbone.card = msgspec.structs.replace(backbone.card, learned=(*backbone.card.learned, learned))
        return Pretrained(backbone, self._report(trained, measured), heads)

    @cached_property
    def _key(self) -> str:
        """Return what a pretraining must share with the one that takes it up: all but the time that it may take."""
        said = {name: value for name, value in to_dict(self.config).items() if name != "max_seconds"}
        line = f"{self.corpus.fingerprint};{self.source or ''};{sorted(said.items())};{self.run.seed}"
        return hashlib.sha256(line.encode()).hexdigest()[:16]

    def _begun(self) -> _State | None:
        if self.keeping is None or not self.keeping.begun:
            return None
        folder = self.keeping.folder
        if not self.keeping.resume:
            raise ConfigError(f"A pretraining was interrupted in {folder}.", hint="Resume it, or remove that folder.")
        try:
            state = msgspec.json.decode((folder / STATE).read_bytes(), type=_State)
        except msgspec.MsgspecError as error:
            raise StoreError(f"{folder / STATE} is damaged: {error}.", hint="Remove that folder.") from error
        if state.key != self._key:
            raise ConfigError(
                f"The pretraining in {folder} is of other texts, another source, seed or settings.",
                hint="Resume it with the same ones, or remove that folder.",
            )
        return state

    def _start(self) -> Backbone:
        """Return the model to begin from; a tokenizer that was trained is kept, for it decides what tokens mean."""
        if self.source is not None:
            backbone = load_backbone(self.source)
            config: Any = backbone.model.config
            limit = max_length(config.to_dict())
            if limit and self.config.max_tokens > limit:
                raise ConfigError(f"max_tokens is {self.config.max_tokens}, but the model has positions for {limit}.")
            return backbone
        if self.keeping is not None and self.state is not None:
            return load_backbone(self.keeping.folder / _START)
        fresh = FreshConfig(**{name: getattr(self.config, name) for name in _FRESH})
        seed = int(self.run.rng("pretrain", "start").integers(2**31))
        backbone = fresh_backbone(self.corpus.train, fresh, seed=seed)
        if self.keeping is not None:
            backbone.save(self.keeping.folder / _START)
        return backbone

    def _before(self, learner: Learner, held: list[Batch]) -> dict[str, float]:
        """Return the losses at the beginning: measured there once, and kept with the checkpoint."""
        if self.state is not None:
            return self.state.before
        before = held_losses(learner, held)
        if self.keeping is not None:
            self.keeping.folder.mkdir(parents=True, exist_ok=True)
            (self.keeping.folder / STATE).write_bytes(msgspec.json.encode(_State(self._key, before)))
        return before

    def _train(self, learner: Learner, reading: Reading, held: list[Batch]) -> Trained:
        config = self.config
        rate = config.lr or (_FRESH_RATE if self.source is None else _ONWARD_RATE)
        plan = Plan(
            epochs=config.epochs,
            optim=Optim(lr=rate, weight_decay=config.weight_decay),
            shape="linear",
            warmup=config.warmup,
            patience=config.patience,
            max_seconds=config.max_seconds,
            clip=config.clip,
            bf16=config.bf16,
        )
        around = Around(
            measure=lambda: -sum(held_losses(learner, held).values()),
            watch=self.run.watch,
            checkpoint=None if self.keeping is None else self.keeping.folder,
            stage="pretraining",
        )
        return train(learner, self._epochs(reading), learner.loss, plan, self.run, around)

    def _epochs(self, reading: Reading) -> Callable[[int], Epoch]:
        def epoch(number: int) -> Epoch:
            tell = partial(self.run.progress, f"epoch {number + 1}")
            return reading.epoch(self.run.rng("pretrain", "epoch", str(number)), tell)

        return epoch

    def _report(self, trained: Trained, measured: tuple[Measured, ...]) -> PretrainReport:
        return PretrainReport(
            measured=measured,
            n_texts=len(self.corpus.train),
            n_held=len(self.corpus.held),
            epochs=trained.epochs,
            best_epoch=trained.best_epoch,
            stopped=trained.stopped,
            seconds=trained.seconds,
            settings=to_dict(self.config),
            source="" if self.source is None else str(self.source),
        )
