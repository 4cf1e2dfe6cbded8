"""What happened: read, validate, clean, split, sessions."""

from __future__ import annotations

from inkling.events.build import build_dataset, event_weights, positive_mask
from inkling.events.clean import clean_items, clean_part, clean_people, clean_rows
from inkling.events.fingerprint import fingerprint_rows
from inkling.events.folder import Folder, load_folder
from inkling.events.report import CleaningReport, LoadReport, Reject, write_rejects
from inkling.events.schema import DatasetInfo, apply_info

__all__ = [
    "CleaningReport",
    "DatasetInfo",
    "Folder",
    "LoadReport",
    "Reject",
    "apply_info",
    "build_dataset",
    "clean_items",
    "clean_part",
    "clean_people",
    "clean_rows",
    "event_weights",
    "fingerprint_rows",
    "load_folder",
    "positive_mask",
    "write_rejects",
]
