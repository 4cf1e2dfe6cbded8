"""What reading and cleaning did, in numbers: nothing is left out without a line here."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from pathlib import Path

import msgspec


class Reject(msgspec.Struct, frozen=True):
    """One row that could not be read. ``line`` counts from 1: the physical line, or the row of a parquet file."""

    file: str
    line: int
    reason: str
    raw: str


class FileReport(msgspec.Struct, frozen=True, kw_only=True):
    """What one file gave."""

    file: str
    rows: int
    rejected: int = 0
    reasons: dict[str, int] = {}
    duplicate_ids: int = 0
    ignored_columns: tuple[str, ...] = ()


class LoadReport(msgspec.Struct, frozen=True, kw_only=True):
    """What loading a folder did. ``guesses`` are sentences for what nobody said."""

    files: tuple[FileReport, ...] = ()
    guesses: tuple[str, ...] = ()
    rejects: tuple[Reject, ...] = ()

    @property
    def n_rejects(self) -> int:
        """Return how many rows were put aside in all files."""
        return len(self.rejects)

    def lines(self, *, n_rejects: int = 5) -> list[str]:
        """Return the report as lines of text, with the first few rejects of each reason."""
        out = [_file_line(file) for file in self.files]
        out += list(self.guesses)
        shown: Counter[tuple[str, str]] = Counter()
        for reject in self.rejects:
            shown[reject.file, reject.reason] += 1
            if shown[reject.file, reject.reason] <= n_rejects:
                out.append(f"{reject.file}:{reject.line}: {reject.reason}: {reject.raw[:120]}")
        return out


class RuleReport(msgspec.Struct, frozen=True, kw_only=True):
    """One rule of cleaning: how many rows it left out and how many it changed."""

    rule: str
    removed: int = 0
    changed: int = 0


class CleaningReport(msgspec.Struct, frozen=True, kw_only=True):
    """What a stage of cleaning did, rule by rule, in the order in which the rules ran."""

    before: int
    after: int
    rules: tuple[RuleReport, ...] = ()

    def removed(self, rule: str) -> int:
        """Return how many rows a rule left out; 0 for a rule that is off."""
        return sum(done.removed for done in self.rules if done.rule == rule)

    def changed(self, rule: str) -> int:
        """Return how many rows a rule changed; 0 for a rule that is off."""
        return sum(done.changed for done in self.rules if done.rule == rule)


def count_reasons(rejects: Iterable[Reject]) -> dict[str, int]:
    """Return reason -> how often, the most frequent first."""
    return dict(Counter(reject.reason for reject in rejects).most_common())


def write_rejects(rejects: Sequence[Reject], path: Path) -> int:
    """Write rejects as JSON lines (file, line, reason, raw) and return how many there were.

    An empty list writes no file, so that a rejects file always means that something was put aside.
    """
    if rejects:
        path.write_bytes(msgspec.json.Encoder().encode_lines(rejects))
    return len(rejects)


def _file_line(file: FileReport) -> str:
    notes = [f"{file.rows:,} rows"]
    if file.rejected:
        notes.append(f"{file.rejected:,} put aside ({', '.join(f'{n:,} {why}' for why, n in file.reasons.items())})")
    if file.duplicate_ids:
        notes.append(f"{file.duplicate_ids:,} duplicate ids, the last row of each was kept")
    if file.ignored_columns:
        notes.append(f"columns without a meaning: {', '.join(file.ignored_columns)}")
    return f"{file.file}: {'; '.join(notes)}"
