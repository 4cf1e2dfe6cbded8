"""What compressing keeps and gains, and what one answer costs: ``python -m bench latency SUBJECT [options]``.

A file is a subject; without a word they are listed. Results are kept under ``out/bench`` as they come.
"""
