"""Model files inside the package, read once and checked against the card that came with them."""

from __future__ import annotations

import hashlib
from importlib.resources import files
from importlib.resources.abc import Traversable

import msgspec

from inkling.core.errors import BundleError


class Card(msgspec.Struct, frozen=True):
    """What the encoders need of a ``card.json``; the rest of it is for people.

    Attributes:
        dim: Length of a vector.
        max_tokens: Tokens of a text that are read.
        sha256: Checksum of each file of the folder.
    """

    dim: int
    max_tokens: int
    sha256: dict[str, str]

    @property
    def digest(self) -> str:
        """Return one short name for all files together."""
        lines = "".join(f"{name}={digest};" for name, digest in sorted(self.sha256.items()))
        return hashlib.sha256(lines.encode()).hexdigest()[:16]


def shipped(name: str) -> Traversable:
    """Return the folder of the shipped model ``name``."""
    return files("inkling.encoders") / "data" / name


def read_card(folder: Traversable) -> Card:
    """Read the folder's card.

    Raises:
        BundleError: It is missing or of another form.
    """
    try:
        return msgspec.json.decode((folder / "card.json").read_bytes(), type=Card)
    except (OSError, msgspec.MsgspecError) as error:
        raise BundleError(f"The model in {folder.name} has no valid card.json: {error}.", hint=_AGAIN) from error


def read_checked(folder: Traversable, name: str) -> bytes:
    """Return the content of a model file.

    Raises:
        BundleError: The file is missing, or it is not the one that the card describes.
    """
    expected = read_card(folder).sha256.get(name)
    try:
        content = (folder / name).read_bytes()
    except OSError as error:
        raise BundleError(f"The model in {folder.name} lacks {name}.", hint=_AGAIN) from error
    seen = hashlib.sha256(content).hexdigest()
    if seen != expected:
        raise BundleError(
            f"{folder.name}/{name} was altered: its sha256 is {seen[:16]}..., the card says {str(expected)[:16]}....",
            hint=_AGAIN,
        )
    return content


_AGAIN = "Install the package again."
