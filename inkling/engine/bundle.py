"""A bundle: a fitted pipeline and what it was fitted on, as a folder of plain data."""

from __future__ import annotations

import io
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec
import numpy as np

from inkling.core.arrays import Array
from inkling.core.config import parse, to_dict
from inkling.core.dataset import Dataset, Interactions
from inkling.core.errors import BundleError
from inkling.core.scenario import Scenario
from inkling.core.tables import Items, Links, People
from inkling.core.vocabulary import Vocabulary
from inkling.engine.people import remember_people
from inkling.engine.pipeline import PIPELINES, Pipeline, PipelineState
from inkling.stores.artifacts import ArtifactBox, Artifacts
from inkling.stores.base import ChangeLog, Changes

if TYPE_CHECKING:
    import polars as pl

_BOX = ArtifactBox("bundle")
_COLUMNS = ("user_rows", "item_rows", "ts", "weights", "positive", "events", "values", "session_rows")
_ENCODER = "encoder/"
ERASED = "\x1ferased"
LINEAGE = "made_of"
"""The name, in a pipeline's settings, of the ids of the bundles that this one was made from: their logs are its own."""


@dataclass
class Bundle:
    """What a fit left: settings and arrays of the pipeline, the data that histories start from, what was measured.

    ``quality`` is NDCG@10 on the validation windows, of the pipeline and of its members alone.

    ``state_version`` is the position of the engine's own log that ``base`` already reflects; 0 where it was fitted on
    other data.
    """

    id: str
    pipeline_name: str
    scenario: Scenario
    state: PipelineState
    base: Dataset
    state_version: int = 0
    quality: Mapping[str, float] = field(default_factory=dict)
    path: Path | None = None

    @classmethod
    def of(cls, pipeline: Pipeline, base: Dataset, scenario: Scenario, *, reflects: int) -> Bundle:
        """Return a fitted pipeline as a bundle."""
        report = pipeline.report()
        quality = {member.name: member.alone for member in report.members}
        if report.chosen in report.validation:
            quality[pipeline.name] = report.validation[report.chosen]
        return cls(new_id(), pipeline.name, scenario, pipeline.save(), base, reflects, quality)

    def pipeline(self) -> Pipeline:
        """Return the pipeline, ready to answer."""
        kind = PIPELINES.get(self.pipeline_name)
        config = parse(kind.Config, dict(self.state.settings["config"]), where="bundle")
        try:
            made: Pipeline = kind(config, self.scenario).load(self.state)
        except (KeyError, ValueError, TypeError, IndexError) as error:
            raise BundleError(
                f"The bundle {self.id} does not fit this version: {type(error).__name__}: {error}.",
                hint="Fit it again.",
            ) from error
        remember_people(made)
        return made

    def reflects(self, log: ChangeLog) -> int:
        """Return the position of ``log`` that the bundle already reflects: 0 unless the log itself says so."""
        if not self.state_version:
            return 0
        own = {self.id, *self.state.settings.get(LINEAGE, ())}
        known = any(row.get("bundle") in own for block in log.scan() if block.kind == "bundle" for row in block.rows)
        return self.state_version if known else 0

    def note(self, log: ChangeLog) -> None:
        """Leave a note in the log that this bundle was made from it."""
        log.append(self.noted())

    def noted(self) -> Changes:
        """Return the note that this bundle was made from a log."""
        row = {"bundle": self.id, "reflects": self.state_version, "trained_until": self.base.until}
        return Changes("bundle", (row,))

    def write(self, folder: Path) -> None:
        """Write the folder, whole or not at all; a bundle that is there is replaced.

        Raises:
            BundleError: The place is taken by something else, or the disk refuses.
        """
        files: dict[str, Any] = {
            f"pipeline/{name}.safetensors": _plain(arrays) for name, arrays in self.state.arrays.items()
        }
        files["history/interactions.safetensors"] = _interaction_arrays(self.base.interactions)
        files["history/known_items.npy"] = self.base.known_items
        files["history/users.json"] = msgspec.json.encode(self.base.user_ids.ids())
        files["history/item_ids.json"] = msgspec.json.encode(self.base.item_ids.ids())
        for name, table in (("items", self.base.items), ("users", self.base.people), ("links", self.base.links)):
            if table is not None:
                files[f"catalogue/{name}.parquet"] = _parquet(table.frame)
        files |= {_ENCODER + name: _content(path) for name, path in self.state.files.items()}
        _BOX.write(folder, files, about=self._about(), replace=folder.exists())
        carried = {name: folder / _ENCODER / name for name in self.state.files}
        self.state, self.path = replace(self.state, files=carried), folder

    def _about(self) -> dict[str, Any]:
        events = self.base.interactions
        return {
            "id": self.id,
            "pipeline": self.pipeline_name,
            "scenario": to_dict(self.scenario),
            "settings": dict(self.state.settings),
            "components": sorted(self.state.arrays),
            "event_names": list(events.event_names),
            "context_values": {name: list(values) for name, values in events.context_values.items()},
            "trained_until": self.base.until,
            "train_fingerprint": self.base.fingerprint,
            "state_version": self.state_version,
            "quality": dict(self.quality),
            "n_events": len(events),
            "n_users": self.base.n_users,
            "n_items": self.base.n_items,
        }

    @classmethod
    def read(cls, folder: Path) -> Bundle:
        """Read a folder, checking every file against its checksum.

        Raises:
            BundleError: A file is missing, truncated, altered or unknown, or this is no bundle.
        """
        found = _BOX.read(folder)
        about = found.about
        scenario = parse(Scenario, about["scenario"], where="bundle scenario")
        arrays = {name: found.tensors(f"pipeline/{name}.safetensors") for name in about["components"]}
        return cls(
            id=about["id"],
            pipeline_name=about["pipeline"],
            scenario=scenario,
            state=PipelineState(about["settings"], arrays, _carried(found, folder)),
            base=_base(found, scenario),
            state_version=about["state_version"],
            quality=about["quality"],
            path=folder,
        )

    def erase(self, user_id: str) -> int:
        """Forget a person in the snapshot, in memory and on disk; return how many events and rows went."""
        row = self.base.user_ids.row_of(user_id)
        if row < 0:
            return 0
        events = self.base.interactions
        keep = events.user_rows != row
        removed = int((~keep).sum()) + 1
        ids = self.base.user_ids.ids()
        ids[row] = f"{ERASED}{row}"  # rows of other people must not move
        people = None if self.base.people is None else People(_without(self.base.people.frame, "user_id", user_id))
        links = self.base.links
        if links is not None:
            links = Links(_without(_without(links.frame, "user_id", user_id), "friend_id", user_id))
        self.base = replace(
            self.base, interactions=events.select(keep), user_ids=Vocabulary(ids), people=people, links=links
        )
        if self.path is not None:
            self.write(self.path)
        return removed


def new_id() -> str:
    """Return an id for a bundle."""
    return uuid.uuid4().hex[:12]


def _plain(arrays: Mapping[str, Array]) -> dict[str, Array]:
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise BundleError(
            f"The encoder's file {path} cannot be read: {error.strerror}.",
            hint="It is needed until the bundle is saved.",
        ) from error


def _carried(found: Artifacts, folder: Path) -> dict[str, Path]:
    """Return the files of the encoder inside a bundle, which were checked like all others."""
    return {name.removeprefix(_ENCODER): folder / name for name in found.files if name.startswith(_ENCODER)}


def _interaction_arrays(events: Interactions) -> dict[str, Array]:
    columns = {name: getattr(events, name) for name in _COLUMNS}
    return _plain(columns | {f"context.{name}": codes for name, codes in events.context.items()})


def _parquet(frame: pl.DataFrame) -> bytes:
    buffer = io.BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    return buffer.getvalue()


def _without(frame: pl.DataFrame, column: str, value: str) -> pl.DataFrame:
    import polars as pl

    return frame.filter(pl.col(column).ne_missing(value)) if column in frame.columns else frame


def _base(found: Artifacts, scenario: Scenario) -> Dataset:
    import polars as pl

    def table(name: str) -> pl.DataFrame | None:
        key = f"catalogue/{name}.parquet"
        return pl.read_parquet(io.BytesIO(found.content(key))) if key in found.files else None

    about, arrays = found.about, found.tensors("history/interactions.safetensors")
    events = Interactions(
        **{name: arrays[name] for name in _COLUMNS},
        event_names=tuple(about["event_names"]),
        context={k.removeprefix("context."): v for k, v in arrays.items() if k.startswith("context.")},
        context_values={name: tuple(values) for name, values in about["context_values"].items()},
    )
    items, people, links = table("items"), table("users"), table("links")
    return Dataset(
        interactions=events,
        user_ids=Vocabulary(msgspec.json.decode(found.content("history/users.json"), type=list[str])),
        item_ids=Vocabulary(msgspec.json.decode(found.content("history/item_ids.json"), type=list[str])),
        scenario=scenario,
        items=Items(items if items is not None else pl.DataFrame(schema={"item_id": pl.String})),
        people=People(people) if people is not None else None,
        links=Links(links) if links is not None else None,
        known_items=found.array("history/known_items.npy").astype(np.bool_),
        until=about["trained_until"],
        fingerprint=about["train_fingerprint"],
    )
