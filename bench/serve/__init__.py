"""What a running server withstands and how fast it is, subject by subject: ``python -m bench serve SUBJECT [options]``.

A file is a subject; without a word they are listed. Results are kept under ``out/bench`` as they come.
"""
