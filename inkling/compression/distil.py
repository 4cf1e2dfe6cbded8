"""A large model teaches a small one what the recommender needs: who is near whom, and what is chosen next."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.compression._distil_config import DistilConfig, StaticConfig, TeachConfig
from inkling.compression._distil_lessons import Lessons, read_lessons
from inkling.compression.base import Step
from inkling.core.arrays import F32, I64
from inkling.core.config import to_dict
from inkling.core.run import Run
from inkling.encoders.backbone import Backbone
from inkling.encoders.base import Encoder
from inkling.encoders.table import TableEncoder, table_files, write_table
from inkling.protocol.leaks import Provenance
from inkling.training.extra import need_torch

if TYPE_CHECKING:
    from torch import Tensor

    from inkling.compression._distil_net import Taught

__all__ = [
    "DistilConfig", "Lessons", "StaticConfig", "StaticTable", "TeachConfig", "distil", "distil_static", "read_lessons",
]  # fmt: skip
_TOGETHER = 32  # texts that are padded to one length


def distil(
    teacher: Backbone,
    lessons: Lessons,
    config: DistilConfig | None = None,
    *,
    n_layers: int = 3,
    run: Run | None = None,
) -> tuple[Backbone, Step]:
    """Return a shallower model that begins as some of the teacher's layers and learns what the teacher knows.

    Layers as in Sanh et al. 2019 (DistilBERT); the neighbourhoods are those of Tung and Mori 2019 ("Similarity-
    preserving knowledge distillation") as a softmax, over the whole catalogue instead of a batch.

    Args:
        teacher: Whose layers it begins as; it stays as it is.
        lessons: Texts, the vectors that are to be met (of this teacher, or of another), and events.
        config: Settings.
        n_layers: Layers of the student, where ``config.layers`` names none.
        run: Seed, threads, progress.

    Raises:
        ConfigError: The teacher has not so many layers.
        DataError: There are too few texts or choices.
        MissingExtraError: torch or transformers is not installed.
    """
    need_torch("Distilling")
    from inkling.compression._prune_layout import copied, keep_blocks, spread

    config, run = config or DistilConfig(), run or Run()
    student = copied(teacher)
    layers = config.layers or spread(student.model, n_layers)
    keep_blocks(student.model, layers)
    if config.narrow:
        from inkling.compression.prune import cut

        cut(student, config.narrow, lessons.texts, run)
    taught = taught_backbone(student, lessons, config, run)
    student.card = _card(student, lessons)
    said = {**to_dict(config), "n_layers": len(layers), "layers": list(layers)}
    return student, _step("student", said, student.model, taught)


def taught_backbone(
    student: Backbone, lessons: Lessons, config: TeachConfig, run: Run, stage: str = "distil"
) -> Taught:
    """Teach a backbone in place."""
    import torch

    from inkling.compression._distil_net import Student, main_directions, teach

    targets = lessons.vectors
    if targets.shape[1] > student.dim:
        mean, axes = main_directions(targets, student.dim)
        targets = ((targets - mean) @ axes).astype(np.float32)
    elif targets.shape[1] < student.dim:
        targets = np.pad(targets, ((0, 0), (0, student.dim - targets.shape[1])))
    unit = torch.nn.functional.normalize(torch.from_numpy(targets).float(), dim=-1).to(run.device)
    student.model.to(run.device)
    read = _reader(student, lessons.texts, config.max_tokens)
    taught = teach(Student(student.model, read, lessons, config, unit).to(run.device), lessons, run, stage=stage)
    student.model.eval()
    return taught


def _reader(backbone: Backbone, texts: Sequence[str], max_tokens: int) -> Callable[[I64], Tensor]:
    """Return what reads rows of texts; those of alike length are padded together."""
    import torch

    ids = backbone.token_ids(texts, min(max_tokens, backbone.card.max_tokens))

    def read(rows: I64) -> Tensor:
        order = np.argsort([len(ids[row]) for row in rows.tolist()], kind="stable")
        parts = [order[at : at + _TOGETHER] for at in range(0, len(order), _TOGETHER)]
        found = [backbone.vectors(backbone.padded([ids[row] for row in rows[part].tolist()])) for part in parts]
        back = torch.from_numpy(np.argsort(order, kind="stable")).to(found[0].device)
        return torch.nn.functional.normalize(torch.cat(found).float(), dim=-1)[back]

    return read


def _card(student: Backbone, lessons: Lessons) -> Any:
    return msgspec.structs.replace(student.card, learned=(*student.card.learned, *lessons.learned))


def _step(method: str, settings: dict[str, Any], model: Any, taught: Taught) -> Step:
    n = sum(p.numel() for p in model.parameters())
    return Step(method=method, settings=settings, parameters=n, bytes=4 * n, quality=None, note=said_of(taught))


def said_of(taught: Taught) -> str:
    """Return in a sentence how the lessons went."""
    trained = taught.trained
    went = f"{trained.epochs} passes in {trained.seconds:.0f} s (stopped by {trained.stopped})"
    if np.isfinite(taught.after):
        went += f"; {taught.measure} {taught.before:.3f} -> {taught.after:.3f}"
    return went


@dataclass(frozen=True)
class StaticTable:
    """A distilled table of tokens: an encoder as it stands, and a folder when saved.

    Attributes:
        table: (n_tokens, dim) float32.
        tokenizer: The content of ``tokenizer.json``.
        max_tokens: Tokens of a text that are read.
        learned: What events it saw, and until when.
    """

    table: F32
    tokenizer: str
    max_tokens: int
    learned: tuple[Provenance, ...] = ()
    name = "table"

    @cached_property
    def files(self) -> dict[str, bytes]:
        """Return the content of each file that is saved; vectors are rounded to int8."""
        return table_files(self.table, self.tokenizer, max_tokens=self.max_tokens, learned=self.learned)

    @cached_property
    def served(self) -> TableEncoder:
        """Return what the saved folder will be as an encoder."""
        return TableEncoder(self.files)

    @property
    def dim(self) -> int:
        """Return the length of a vector."""
        return int(self.table.shape[1])

    @property
    def fingerprint(self) -> str:
        """Return what decides the vectors; the saved folder's is the same."""
        return self.served.fingerprint

    def encode(self, texts: Sequence[str]) -> F32:  # (N, dim)
        """Return rows of length one, as the saved folder will.

        Raises:
            RequestError: ``texts`` is one string, or holds something that is not a string.
        """
        return self.served.encode(texts)

    def save(self, folder: str | Path) -> None:
        """Write a folder that ``open_encoder`` opens.

        Raises:
            BundleError: The place holds something else, or the disk refuses.
        """
        write_table(folder, self.files)


def distil_static(
    teacher: Backbone | Encoder, lessons: Lessons, config: StaticConfig | None = None, *, run: Run | None = None
) -> tuple[StaticTable, Step]:
    """Return a table of token vectors that serves without torch and without a graph.

    It begins as model2vec (Tulkens and van Dongen 2024) does: every token is read alone by the teacher, the vectors
    are cut to the directions along which the catalogue differs most, and weighed by rarity, as this catalogue has it
    (SIF, Arora et al. 2017). Then it learns from the catalogue's texts: the teacher's vectors and neighbourhoods, and
    choices. Tokens that the catalogue has not stay as they began, so a new text is still read.

    Args:
        teacher: Reads the tokens; its tokenizer becomes the table's (an encoder without one: MiniLM's).
        lessons: Texts, the vectors that are to be met, and events.
        config: Settings.
        run: Seed, threads, progress.

    Raises:
        DataError: There are too few texts or choices.
        MissingExtraError: torch is not installed.
    """
    need_torch("Distilling")
    from inkling.compression._distil_static import fit_static

    config, run = config or StaticConfig(), run or Run()
    found, taught = fit_static(teacher, lessons, config, run)
    made = StaticTable(found.table, found.tokenizer, config.max_tokens, lessons.learned)
    n = int(np.any(made.table != 0, axis=1).sum()) * made.dim
    size, said = sum(map(len, made.files.values())), to_dict(config)
    return made, Step(method="static", settings=said, parameters=n, bytes=size, quality=None, note=said_of(taught))
