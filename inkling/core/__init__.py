"""Nouns and ground rules: what every other folder speaks."""
