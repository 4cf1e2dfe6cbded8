"""A bundle made smaller: every change gives a new bundle, and the one that it was made from stays as it was.

None of them needs to know what people took: an encoder reads the catalogue anew (``reencoding``), trees are cut off or
a network is taught by the answers of the bundle that it replaces (``taught``), members are not asked. So what was tried
on a bundle of the past is done to today's the same way.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from importlib.resources import files
from pathlib import Path
from typing import cast

import msgspec

from inkling.core.errors import BundleError, ConfigError
from inkling.engine.bundle import LINEAGE, Bundle, new_id
from inkling.engine.pipelines.default import Default
from inkling.engine.weights import Weights

PIPELINE = "default"
_SHIPPED = {"auto": "minilm", "sentence": "minilm", "exported": "minilm", "static": "static"}


def pipeline_of(bundle: Bundle) -> Default:
    """Return the bundle's pipeline.

    Raises:
        ConfigError: It is of another kind, whose parts cannot be changed one by one.
    """
    if bundle.pipeline_name != PIPELINE:
        raise ConfigError(
            f"The bundle's pipeline is '{bundle.pipeline_name}'; only '{PIPELINE}' can be made smaller.",
            hint=f"Fit with the pipeline '{PIPELINE}'.",
        )
    return cast("Default", bundle.pipeline())


def changed(bundle: Bundle, pipeline: Default) -> Bundle:
    """Return a bundle of its own with a changed pipeline; it reflects of a log what the one before does."""
    state = pipeline.save()
    lineage = [*bundle.state.settings.get(LINEAGE, ()), bundle.id]
    state = replace(state, settings={**state.settings, LINEAGE: lineage})
    return replace(bundle, id=new_id(), state=state, path=None)


def without_members(bundle: Bundle, names: Sequence[str]) -> Bundle:
    """Return the bundle without some members of its recall; the ranker sees their opinions as missing.

    Raises:
        ConfigError: A name is none of its members, or no member would be left.
    """
    pipeline = pipeline_of(bundle)
    members = pipeline._recall.members
    unknown = [name for name in names if name not in members]
    if unknown or len(names) >= len(members):
        raise ConfigError(
            f"Members to leave out: {', '.join(names)}; the bundle has {', '.join(members)}.",
            hint="At least one of them has to stay.",
        )
    pipeline._recall.keep_only([name for name in members if name not in names])
    weights = pipeline._choice.weights
    pipeline._choice = replace(
        pipeline._choice,
        weights=Weights(_rest(weights.everyone, names), tuple(_rest(one, names) for one in weights.by_length)),
    )
    left_out = (*pipeline.config.leave_out, *names)
    pipeline.config = msgspec.structs.replace(pipeline.config, leave_out=left_out)
    report = pipeline.report()
    kept = tuple(member for member in report.members if member.name not in names)
    pipeline._report = msgspec.structs.replace(report, members=kept)
    return changed(bundle, pipeline)


def _rest(weights: Mapping[str, float], names: Sequence[str]) -> dict[str, float]:
    """Return the weights of the others; where none of them had one, all count alike."""
    rest = {name: weight for name, weight in weights.items() if name not in names}
    return rest if any(rest.values()) else dict.fromkeys(rest, 1.0)


def with_candidates(bundle: Bundle, n: int) -> Bundle:
    """Return the bundle with ``n`` candidates to rank for a person."""
    pipeline = pipeline_of(bundle)
    pipeline.config = msgspec.structs.replace(pipeline.config, n_candidates=n)
    return changed(bundle, pipeline)


def without_rereading(bundle: Bundle) -> Bundle:
    """Return the bundle without the language model that reads the first candidates again."""
    pipeline = pipeline_of(bundle)
    pipeline._rereader = None
    return changed(bundle, pipeline)


def size_bytes(bundle: Bundle) -> int:
    """Return the size of a written bundle on disk, and of its encoder where that lies elsewhere.

    Raises:
        BundleError: It was not written.
    """
    if bundle.path is None:
        raise BundleError("The bundle was not written, so nobody knows its size.", hint="Write it first.")
    elsewhere = 0 if bundle.state.files else encoder_bytes(str(bundle.state.settings["config"]["encoder"]))
    return folder_bytes(bundle.path) + elsewhere


def encoder_bytes(source: str) -> int:
    """Return the size on disk of an encoder that a bundle does not carry; 0 for one that needs no file."""
    if Path(source).is_dir():
        return folder_bytes(Path(source))
    if source not in _SHIPPED:
        return 0
    place = files("inkling.encoders") / "data" / _SHIPPED[source]
    return sum(len(one.read_bytes()) for one in place.iterdir() if one.is_file())


def folder_bytes(folder: Path) -> int:
    """Return the size of all files of a folder."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
