# ruff: noqa: E402 - the number of threads must be set before numpy is imported
"""How good ours are beside tuned baselines and peers, by the protocol: ``python -m bench quality [--tasks A,B]``.

Without words: ``default`` and its baselines on the bundled shop, with what people had kept and with it dropped: the
README's numbers. ``--tasks all --models all --peers all --seeds 0,1,2`` is everything. Each task and model is
measured in a process of its own and kept seed by seed, so a command that was ended goes on where it stopped
(``--fresh`` measures again). Settings are chosen on validation by one code for ours and for peers, each of which lives
in an environment of its own, built on demand. Fits may use all cores, answers are timed on one.
"""

from __future__ import annotations

from bench._kept import one_thread

one_thread()

from bench.quality._command import main

__all__ = ["main"]
