"""Pure functions that measure; the file's name is the metric's name.

The ranking metrics take what :func:`judge` returns and a k, and :func:`compute` takes their names. The others are
imported from their own files, as in ``from inkling.metrics.auc import auc``.
"""

from inkling.metrics.base import Judged, judge
from inkling.metrics.catalog import RANKING, compute, parse

__all__ = ["RANKING", "Judged", "compute", "judge", "parse"]
