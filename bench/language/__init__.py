"""What the language model's part is worth, subject by subject: ``python -m bench language SUBJECT [options]``.

A file is a subject; without a word they are listed. Results are kept under ``out/bench`` as they come.
"""
