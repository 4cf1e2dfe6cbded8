"""Vectors kept by what their text says, so that no text is read twice. Not an encoder's name: it wraps one."""

from __future__ import annotations

from inkling.encoders.cache.cached import CachedEncoder

__all__ = ["CachedEncoder"]
