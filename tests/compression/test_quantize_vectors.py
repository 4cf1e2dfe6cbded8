from __future__ import annotations

import numpy as np
import pytest

from inkling.compression._quantize_vectors import (
    BinaryVectors,
    ExactVectors,
    Int8Vectors,
    TruncatedVectors,
    main_directions,
    quantize_vectors,
)
from inkling.core.errors import ConfigError, RequestError

N, DIM, K = 3000, 64, 10


@pytest.fixture(scope="module")
def world():
    """Vectors of which a few directions hold most, as those of texts; and queries near to some of them."""
    rng = np.random.default_rng(0)
    spread = (0.9 ** np.arange(DIM)).astype(np.float32)
    turned, _ = np.linalg.qr(rng.normal(size=(DIM, DIM)))
    vectors = (rng.normal(size=(N, DIM)) * spread) @ turned
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    queries = vectors[::60] + 0.05 * rng.normal(size=(N // 60, DIM))
    return vectors.astype(np.float32), queries.astype(np.float32)


def recall(found, expected):
    return float(np.mean([len(set(a) & set(b)) / K for a, b in zip(found.tolist(), expected.tolist(), strict=True)]))


def test_exact_search_is_the_sorted_products(world):
    vectors, queries = world
    rows, scores = ExactVectors(vectors).search(queries, K)
    products = queries @ vectors.T
    slow = np.argsort(-products, axis=1, kind="stable")[:, :K]
    assert np.array_equal(rows, slow)
    np.testing.assert_allclose(scores, np.take_along_axis(products, slow, axis=1), rtol=1e-5)


@pytest.mark.parametrize(
    ("made", "share", "least"),
    [
        (Int8Vectors, 0.27, 0.97),
        (BinaryVectors, 1 / 32 + 0.01, 0.2),
        (lambda v: BinaryVectors(v, exact=Int8Vectors(v)), 0.31, 0.85),
        (lambda v: BinaryVectors(v, exact=ExactVectors(v), rescore=20), 1.04, 0.95),
        (lambda v: TruncatedVectors(v, 16), 0.1, 0.4),
        (lambda v: TruncatedVectors(v, 16, exact=Int8Vectors(v)), 0.37, 0.9),
        (lambda v: TruncatedVectors(v, 32, exact=ExactVectors(v)), 1.16, 0.99),
    ],
)
def test_recall_and_memory(made, share, least, world):
    vectors, queries = world
    expected, _ = ExactVectors(vectors).search(queries, K)
    small = made(vectors)
    assert len(small) == N
    assert small.dim == DIM
    assert small.nbytes < share * vectors.nbytes
    rows, scores = small.search(queries, K)
    assert rows.dtype == np.int32
    assert recall(rows, expected) >= least
    assert (np.diff(scores, axis=1) <= 0).all()


def test_rescoring_finds_more(world):
    vectors, queries = world
    expected, _ = ExactVectors(vectors).search(queries, K)
    plain, _ = BinaryVectors(vectors).search(queries, K)
    again, scores = BinaryVectors(vectors, exact=ExactVectors(vectors)).search(queries, K)
    assert recall(again, expected) > recall(plain, expected) + 0.2
    np.testing.assert_allclose(scores[:, 0], np.einsum("ij,ij->i", queries, vectors[again[:, 0]]), rtol=1e-5)


def test_turned_vectors_lose_less_when_cut_than_plain_ones(world):
    vectors, queries = world
    expected, _ = ExactVectors(vectors).search(queries, K)
    turned, _ = TruncatedVectors(vectors, 16).search(queries, K)
    plain, _ = TruncatedVectors(vectors, 16, turn=False).search(queries, K)
    assert recall(turned, expected) > recall(plain, expected) + 0.1


def test_plain_cuts_are_the_first_numbers(world):
    vectors, _ = world
    assert np.array_equal(TruncatedVectors(vectors, 5, turn=False).axes, np.eye(DIM, 5))


def test_axes_are_orthonormal_and_all_of_them_keep_every_product(world):
    vectors, queries = world
    axes = main_directions(vectors, DIM)
    np.testing.assert_allclose(axes.T @ axes, np.eye(DIM), atol=1e-5)
    np.testing.assert_allclose((queries @ axes) @ (vectors @ axes).T, queries @ vectors.T, atol=1e-4)


def test_one_query_is_answered_as_among_many_over_several_blocks(monkeypatch, world):
    from inkling.compression import _quantize_vectors

    vectors, queries = world
    for kind in ("float32", "int8", "binary", "truncated"):
        many = quantize_vectors(vectors, kind)
        rows, _ = many.search(queries, K)
        monkeypatch.setattr(_quantize_vectors, "_BLOCK", 700)
        monkeypatch.setattr(_quantize_vectors, "_QUERIES", 7)
        again, _ = many.search(queries, K)
        alone, _ = many.search(queries[3:4], K)
        monkeypatch.undo()
        assert np.array_equal(rows, again)
        assert np.array_equal(rows[3:4], alone)


@pytest.mark.parametrize("kind", ["float32", "int8", "binary", "truncated"])
def test_fewer_vectors_than_asked_for_are_padded(kind):
    vectors = np.eye(3, 8, dtype=np.float32)
    rows, scores = quantize_vectors(vectors, kind).search(vectors[:1], 5)
    assert sorted(rows[0].tolist()) == [-1, -1, 0, 1, 2]
    assert np.isneginf(scores[0, 3:]).all()
    none, _ = quantize_vectors(np.zeros((0, 8), np.float32), "int8").search(vectors[:1], 2)
    assert none.tolist() == [[-1, -1]]


def test_what_is_not_possible_says_so(world):
    vectors, queries = world
    with pytest.raises(ConfigError, match=r"no form of vectors named 'int4'.*Allowed"):
        quantize_vectors(vectors, "int4")
    with pytest.raises(ConfigError, match="cannot be rescored by 'int9'"):
        quantize_vectors(vectors, "binary", rescored="int9")
    with pytest.raises(ConfigError, match="Vectors of 64 numbers cannot be cut to 65"):
        TruncatedVectors(vectors, 65)
    with pytest.raises(ConfigError, match="rescore is 0, expected at least 1"):
        BinaryVectors(vectors, rescore=0)
    with pytest.raises(RequestError, match=r"Queries have shape \(50, 3\), expected \(Q, 64\)"):
        Int8Vectors(vectors).search(queries[:, :3], 5)
    with pytest.raises(RequestError, match=r"Vectors have shape \(64,\), expected"):
        ExactVectors(vectors[0])
