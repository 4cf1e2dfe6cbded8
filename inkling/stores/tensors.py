"""Named arrays as one file, in the safetensors format: a JSON header, then the raw bytes. Nothing in it is executable.

The file is ``<u64 length of header><header><data>``, all little endian. The header maps a name to ``dtype``, ``shape``
and ``data_offsets``; ``__metadata__`` maps texts to texts. https://github.com/huggingface/safetensors#format
"""

from __future__ import annotations

import json
import math
import struct
from collections.abc import Mapping
from typing import Any

import numpy as np

from inkling.core.arrays import Array
from inkling.core.errors import BundleError

_CODES = {
    **{f"{letter}{bits}": f"<{letter.lower()}{bits // 8}" for letter in "IU" for bits in (8, 16, 32, 64)},
    **{f"F{bits}": f"<f{bits // 8}" for bits in (16, 32, 64)},
    "BOOL": "|b1",
}
_NAMES = {np.dtype(code): name for name, code in _CODES.items()}
_LARGEST_HEADER = 100 << 20
_METADATA = "__metadata__"


def write_tensors(arrays: Mapping[str, Array], metadata: Mapping[str, str] | None = None) -> bytes:
    """Return arrays as the bytes of a safetensors file; the widest types come first, then by name, so all is aligned.

    Raises:
        BundleError: An array is of a type that the format has not.
    """
    plain = {name: _plain(name, array) for name, array in arrays.items()}
    order = sorted(plain, key=lambda name: (-plain[name].dtype.itemsize, name))
    header: dict[str, Any] = {_METADATA: dict(metadata)} if metadata else {}
    end = 0
    for name in order:
        array = plain[name]
        begin, end = end, end + array.nbytes
        header[name] = {"dtype": _NAMES[array.dtype], "shape": list(array.shape), "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    return b"".join([struct.pack("<Q", len(text)), text, *(plain[name].tobytes() for name in order)])


def _plain(name: str, array: Array) -> Array:
    little = np.asarray(array)
    little = little.astype(little.dtype.newbyteorder("<"), order="C", copy=False)
    if name == _METADATA or little.dtype not in _NAMES:
        raise BundleError(
            f"The array '{name}' ({little.dtype}) cannot be written.", hint=f"Types: {', '.join(sorted(_CODES))}."
        )
    return little


def read_tensors(data: bytes, *, where: str = "the file") -> dict[str, Array]:
    """Return the arrays of a safetensors file, read only and without a copy.

    Raises:
        BundleError: The bytes are cut, altered or of another format.
    """
    header, begin = _header(data, where)
    size, end = len(data) - begin, 0
    arrays: dict[str, Array] = {}
    try:
        entries = sorted(
            ((name, entry) for name, entry in header.items() if name != _METADATA), key=lambda e: e[1]["data_offsets"]
        )
        for name, entry in entries:
            dtype, shape, (first, last) = np.dtype(_CODES[entry["dtype"]]), tuple(entry["shape"]), entry["data_offsets"]
            if first != end or last - first != dtype.itemsize * math.prod(shape) or min(shape, default=0) < 0:
                raise BundleError(f"{where}: the place of '{name}' does not fit its shape.", hint="Write it again.")
            if last > size:
                raise BundleError(
                    f"{where} is cut: '{name}' ends at {last}, the data at {size}.", hint="Copy it again."
                )
            arrays[name] = np.frombuffer(data, dtype, math.prod(shape), begin + first).reshape(shape)
            end = last
    except (KeyError, TypeError, ValueError) as error:
        raise BundleError(f"{where} is no safetensors file: bad entry ({error}).", hint="Write it again.") from error
    if end != size:
        raise BundleError(f"{where} has {size - end} bytes that belong to no array.", hint="Copy it again.")
    return arrays


def read_metadata(data: bytes, *, where: str = "the file") -> dict[str, str]:
    """Return the texts of a file's header.

    Raises:
        BundleError: The bytes are cut, altered or of another format.
    """
    found = _header(data, where)[0].get(_METADATA, {})
    if not isinstance(found, dict):
        raise BundleError(f"{where} is no safetensors file: its metadata is no object.", hint="Write it again.")
    return {str(key): str(value) for key, value in found.items()}


def _header(data: bytes, where: str) -> tuple[dict[str, Any], int]:
    size = struct.unpack_from("<Q", data)[0] if len(data) >= 8 else -1
    if not 2 <= size <= min(_LARGEST_HEADER, len(data) - 8):
        raise BundleError(f"{where} is cut or no safetensors file ({len(data)} bytes).", hint="Copy it again.")
    try:
        header = json.loads(data[8 : 8 + size])
    except (ValueError, RecursionError) as error:
        raise BundleError(f"{where} is no safetensors file: {error}.", hint="Copy it again.") from error
    if not isinstance(header, dict):
        raise BundleError(f"{where} is no safetensors file: its header is no object.", hint="Copy it again.")
    return header, 8 + size
