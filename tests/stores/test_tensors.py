from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.numpy import load, save

from inkling.core.errors import BundleError
from inkling.stores.tensors import read_metadata, read_tensors, write_tensors

TYPES = ["f2", "f4", "f8", "i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", "?"]
shapes = st.lists(st.integers(0, 3), max_size=3).map(tuple)
tables = st.dictionaries(
    st.text(min_size=1, max_size=5).filter(lambda n: n != "__metadata__"),
    st.tuples(st.sampled_from(TYPES), shapes),
    max_size=5,
)


def arrays_of(table, seed=0):
    rng = np.random.default_rng(seed)
    return {name: np.asarray(rng.random(shape) * 2).astype(kind) for name, (kind, shape) in table.items()}


@settings(max_examples=80, deadline=None)
@given(tables, st.dictionaries(st.text(max_size=3), st.text(max_size=3), max_size=1))
def test_parity_with_the_safetensors_package(table, metadata):
    arrays = arrays_of(table)
    mine = write_tensors(arrays, metadata)
    assert read_metadata(mine) == metadata
    for read in (load(mine), read_tensors(mine), read_tensors(save(arrays, metadata or None))):
        assert set(read) == set(arrays)
        for name, array in arrays.items():
            assert (read[name].dtype, read[name].shape) == (array.dtype, array.shape)
            np.testing.assert_array_equal(read[name], array)


def test_the_same_bytes_as_the_package():
    arrays = arrays_of({"weights": ("f4", (3, 2)), "ids": ("i8", (5,)), "flags": ("?", (3,)), "bias": ("f4", (2,))})
    assert write_tensors(arrays, {"by": "inkling"}) == save(arrays, {"by": "inkling"})


def test_odd_memory_layouts():
    arrays = {
        "t": np.arange(6, dtype=np.int32).reshape(2, 3).T,
        "big": np.arange(4, dtype=">i4"),
        "view": np.arange(9)[::2],
    }
    read = read_tensors(write_tensors(arrays))
    for name, array in arrays.items():
        np.testing.assert_array_equal(read[name], array)
    with pytest.raises(ValueError, match="read-only"):
        read["t"][0, 0] = 1


@pytest.mark.parametrize("array", [np.array(["a"]), np.array([None]), np.array([1j]), np.zeros(1, dtype="M8[s]")])
def test_types_that_the_format_has_not(array):
    with pytest.raises(BundleError, match=r"'x' .* cannot be written. Types: BOOL"):
        write_tensors({"x": array})


def test_a_reserved_name():
    with pytest.raises(BundleError, match=r"'__metadata__' .* cannot be written"):
        write_tensors({"__metadata__": np.zeros(1)})


def made(header, data=b"", *, size=None):
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    return struct.pack("<Q", len(text) if size is None else size) + text + data


def entry(dtype="F32", shape=(1,), offsets=(0, 4)):
    return {"a": {"dtype": dtype, "shape": list(shape), "data_offsets": list(offsets)}}


@pytest.mark.parametrize(
    ("data", "said"),
    [
        (b"", "is cut or no safetensors file"),
        (b"1234567", "is cut or no safetensors file"),
        (made(b"{}", size=2**60), "is cut or no safetensors file"),
        (made(b"{}", size=3), "is cut or no safetensors file"),
        (made(b"{x"), "no safetensors file"),
        (made(b"\xff\xff"), "no safetensors file"),
        (made(b"[]"), "header is no object"),
        (made(b"[" * 100_000), "no safetensors file"),
        (made(entry(), b"123"), "is cut: 'a' ends at 4, the data at 3"),
        (made(entry(), b"12345"), "1 bytes that belong to no array"),
        (made(entry(offsets=(4, 8)), b"12345678"), "does not fit its shape"),
        (made(entry(shape=(2,)), b"1234"), "does not fit its shape"),
        (made(entry(shape=(-1, -1)), b"1234"), "does not fit its shape"),
        (made(entry(dtype="Q4"), b"1234"), "bad entry"),
        (made(entry(offsets=(0,)), b"1234"), "bad entry"),
        (made({"a": 3}), "bad entry"),
        (made({"a": {}}), "bad entry"),
        (made(entry(shape=("x",)), b"1234"), "does not fit its shape"),
    ],
)
def test_damage(data, said):
    with pytest.raises(BundleError, match=said):
        read_tensors(data, where="model")


def test_metadata_that_is_none():
    with pytest.raises(BundleError, match="metadata is no object"):
        read_metadata(made({"__metadata__": 3}))


@settings(max_examples=100, deadline=None)
@given(st.binary(max_size=80), st.integers(0, 200))
def test_any_bytes_are_arrays_or_an_error(noise, at):
    good = write_tensors({"a": np.arange(3, dtype=np.int32), "b": np.ones((2, 2), dtype=np.float32)})
    for data in (noise, good[:at], good[:at] + noise + good[at + len(noise) :]):
        try:
            arrays = read_tensors(data)
        except BundleError:
            continue
        assert all(isinstance(array, np.ndarray) for array in arrays.values())
