"""Other libraries, measured by the same code on the same files, split and cores, each in an environment of its own.

``NAME.txt`` pins an environment, built once under ``out/peers/NAME``; ``NAME.py`` runs inside it and answers over a
pipe. This package imports nothing, since it is imported in there too.
"""
