"""Rules as pure functions at the door: consent, redaction, pseudonyms, retention."""

from __future__ import annotations

from inkling.privacy.consent import Consent, may
from inkling.privacy.door import Privacy, PrivacyDoor
from inkling.privacy.pseudonym import pseudonym, pseudonyms
from inkling.privacy.redact import redact
from inkling.privacy.retention import kept

__all__ = ["Consent", "Privacy", "PrivacyDoor", "kept", "may", "pseudonym", "pseudonyms", "redact"]
