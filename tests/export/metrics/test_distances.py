"""Blocked distances and neighbours against SciPy's, which has all of them at once."""

import numpy as np
import pytest
import scipy.spatial.distance

from export.metrics import distances


@pytest.mark.parametrize("k, chunk, same", [(1, 512, False), (9, 7, False), (2, 11, True), (1, 5, True)])
def test_neighbours_are_those_of_the_whole_matrix(k, chunk, same):
    rng = np.random.default_rng(0)
    y = 50.0 + rng.normal(size=(343, 5))
    x = y if same else 50.0 + rng.normal(size=(30, 5))
    matrix = scipy.spatial.distance.cdist(x, y)
    if same:
        np.fill_diagonal(matrix, np.inf)
    order = np.argsort(matrix, axis=1)[:, :k]
    squared, indices = distances.nearest(*distances.centred(x, y), k, chunk, same)
    np.testing.assert_array_equal(indices, order)
    np.testing.assert_allclose(np.sqrt(squared), np.take_along_axis(matrix, order, 1), rtol=1e-9)


def test_copies_are_at_distance_0_and_far_sets_lose_nothing():
    points = 1e6 + np.random.default_rng(1).normal(size=(20, 3))
    squared, indices = distances.nearest(*distances.centred(points[::-1], points))
    assert not squared.any()
    np.testing.assert_array_equal(indices[:, 0], np.arange(20)[::-1])


def test_wrong_sets_are_refused():
    points = np.zeros((3, 2))
    with pytest.raises(ValueError, match="3 points: expected more than k = 3"):
        distances.nearest(points, points, 3, same=True)
    with pytest.raises(ValueError, match=r"shapes \(3, 2\) and \(3, 4\)"):
        distances.centred(points, np.zeros((3, 4)))
    with pytest.raises(ValueError, match="not finite"):
        distances.centred(points, np.full((3, 2), np.nan))


def test_the_nearest_of_many_are_scipys():
    rng = np.random.default_rng(0)
    samples, real = rng.normal(size=(50, 5)).astype(np.float32), rng.normal(size=(70, 5)).astype(np.float32)
    samples[7] = real[3]
    found, places = distances.nearest_of_many(samples, real, chunk=16)
    expected = scipy.spatial.distance.cdist(samples.astype(np.float64), real.astype(np.float64))
    np.testing.assert_allclose(found, expected.min(1), rtol=1e-6)
    np.testing.assert_array_equal(places, expected.argmin(1))
    assert found[7] == 0.0
