"""Text to vector. The folder is the catalogue: a file is an encoder's name."""

from __future__ import annotations

from inkling.core.registry import Registry
from inkling.encoders._opening import fitted_encoder, open_encoder

ENCODERS = Registry("inkling.encoders", kind="encoder")

__all__ = ["ENCODERS", "fitted_encoder", "open_encoder"]
