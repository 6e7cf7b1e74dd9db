"""Near-duplicate pairs against loops, and the support size against distributions whose size is known."""

import itertools
import math

import numpy as np
import pytest
import scipy.stats

from export.metrics import birthday


def test_pairs_are_those_of_the_loops():
    points = np.random.default_rng(0).normal(size=(60, 2))
    pairs = sorted((math.dist(points[i], points[j]), i, j) for i, j in itertools.combinations(range(60), 2))
    threshold = (pairs[24][0] + pairs[25][0]) / 2
    found = birthday.duplicate_pairs(points, threshold, closest=30, chunk=7)
    assert found.count == 25 and found.support_size == 60 * 59 / 2 / 25
    degrees = np.bincount(np.ravel([pair[1:] for pair in pairs[:25]]), minlength=60)
    np.testing.assert_array_equal(found.degrees, degrees)
    np.testing.assert_array_equal(found.closest, [pair[1:] for pair in pairs[:30]])
    np.testing.assert_allclose(found.closest_distances, [pair[0] for pair in pairs[:30]], rtol=1e-9)


def test_the_threshold_is_what_one_example_in_a_hundred_falls_below():
    points = np.random.default_rng(1).normal(size=(200, 3))
    nearest = [min(math.dist(x, y) for j, y in enumerate(points) if i != j) for i, x in enumerate(points)]
    assert birthday.duplicate_threshold(points) == pytest.approx(np.quantile(nearest, 0.01), rel=1e-9)


def test_the_size_of_an_even_support_is_found():
    rng = np.random.default_rng(2)
    atoms = rng.normal(size=(2000, 3))
    shares = [1.0 / birthday.duplicate_pairs(atoms[rng.integers(2000, size=400)], 1e-9).support_size for _ in range(60)]
    # Each batch has 40 pairs on average: four standard errors of the mean are 8 %.
    assert np.mean(shares) == pytest.approx(1 / 2000, rel=0.08)


def test_the_interval_of_an_even_count_is_garwoods():
    # Every point has one duplicate at most, so the count is Poisson's but for its finite number of pairs.
    points = np.repeat(np.arange(50.0), 2)[:, None]
    points[60:] += 1000.0 + 10.0 * np.arange(40)[:, None]
    found = birthday.duplicate_pairs(points, 0.5)
    assert found.count == 30
    pairs = 100 * 99 / 2
    low, high = scipy.stats.chi2.ppf(0.025, 60) / 2, scipy.stats.chi2.ppf(0.975, 62) / 2
    interval = found.interval()
    np.testing.assert_allclose([interval.low, interval.high], [pairs / high, pairs / low], rtol=0.01)
    assert interval.value == pairs / 30 and interval.method == "garwood"


def test_without_duplicates_the_size_is_unknown_but_large():
    found = birthday.duplicate_pairs(np.arange(100.0)[:, None], 0.5)
    assert found.support_size == math.inf and found.interval().low is None
    # 4,950 pairs; no event of a Poisson count is seen with probability 2.5 % at a mean of 3.69.
    assert "no two of 100" in found.interval().reason and "more than 1.34e+03" in found.interval().reason
    same = birthday.duplicate_pairs(np.zeros((5, 2)), 0.0)
    assert same.support_size == 1.0 and same.interval().reason == "all samples are near-duplicates of one another"
    assert len(birthday.duplicate_pairs(np.zeros((2, 1)), 0.0, closest=8).closest) == 1
