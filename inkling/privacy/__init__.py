"""Consent, redaction, pseudonyms, retention: rules as pure functions."""
