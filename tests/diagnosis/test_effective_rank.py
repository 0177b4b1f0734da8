"""The effective rank, compared with NumPy's singular values."""

import numpy as np
import pytest

from lamina.diagnosis.effective_rank import effective_rank, largest_rank


def by_singular_values(matrix):
    squares = np.linalg.svd(matrix.astype("float64"), compute_uv=False) ** 2
    return squares.sum() ** 2 / (squares**2).sum()


@pytest.mark.parametrize("shape", [(20, 6), (6, 20), (3, 3, 4, 5)])
def test_it_is_the_participation_ratio_of_the_singular_values(rng, shape):
    kernel = rng.normal(size=shape).astype("float32")
    expected = by_singular_values(kernel.reshape(-1, shape[-1]))
    assert float(effective_rank(kernel)) == pytest.approx(expected, rel=1e-4)


def test_the_scale_of_a_kernel_does_not_matter(rng):
    kernel = rng.normal(size=(8, 4)).astype("float32")
    small, large = (float(effective_rank(kernel * scale)) for scale in (1e-15, 1e15))
    assert small == pytest.approx(large, rel=1e-4)


def test_a_kernel_of_zeros_has_rank_0():
    assert float(effective_rank(np.zeros((3, 3)))) == 0


@pytest.mark.parametrize(
    ("shape", "largest"), [((784, 64), 64), ((5,), None), ((9, 1), None), ((30_000, 4096), None)]
)
def test_vectors_and_very_large_kernels_have_none(shape, largest):
    assert largest_rank(np.broadcast_to(0, shape)) == largest
