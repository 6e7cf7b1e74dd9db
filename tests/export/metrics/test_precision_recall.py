"""Precision, recall, density and coverage against loops over all pairs and against known values."""

import math

import numpy as np
import pytest

from export.metrics import precision_recall


def _loops(real, samples, k_first, k_second):
    """The papers' equations, pair by pair."""

    def radius(points, index, k):
        return sorted(math.dist(points[index], other) for j, other in enumerate(points) if j != index)[k - 1]

    real_first = [radius(real, i, k_first) for i in range(len(real))]
    real_second = [radius(real, i, k_second) for i in range(len(real))]
    samples_first = [radius(samples, j, k_first) for j in range(len(samples))]
    distance = [[math.dist(x, y) for y in samples] for x in real]
    n, m = len(real), len(samples)
    return (
        [any(distance[i][j] <= real_first[i] for i in range(n)) for j in range(m)],
        [any(distance[i][j] <= samples_first[j] for j in range(m)) for i in range(n)],
        [sum(distance[i][j] <= real_second[i] for i in range(n)) / k_second for j in range(m)],
        [any(distance[i][j] <= real_second[i] for j in range(m)) for i in range(n)],
    )


@pytest.mark.parametrize("k_first, k_second, chunk", [(3, 5, 512), (5, 2, 7)])
def test_indicators_match_the_loops(k_first, k_second, chunk):
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(80, 6)), 0.5 + 0.8 * rng.normal(size=(60, 6))
    found = precision_recall.manifold_metrics(real, samples, k_first, k_second, chunk=chunk)
    expected = _loops(real, samples, k_first, k_second)
    # Exact: random distances are never so close that the formula decides.
    np.testing.assert_array_equal(found.sample_in_data, expected[0])
    np.testing.assert_array_equal(found.data_in_samples, expected[1])
    np.testing.assert_array_equal(found.sample_density, expected[2])
    np.testing.assert_array_equal(found.data_covered, expected[3])
    assert 0.0 < found.precision < 1.0 and 0.0 < found.recall < 1.0 and 0.0 < found.coverage < 1.0
    assert found.precision == np.mean(expected[0]) and found.density == np.mean(expected[2])
    assert (found.neighbours_precision_recall, found.neighbours_density_coverage) == (k_first, k_second)


def test_identical_sets():
    points = np.random.default_rng(1).normal(size=(200, 4))
    found = precision_recall.manifold_metrics(points, points.copy())
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)
    # Every ball holds its centre and the k nearest others: k + 1 of the same points.
    assert found.density == pytest.approx(6 / 5, rel=1e-14)


def test_far_sets():
    rng = np.random.default_rng(2)
    found = precision_recall.manifold_metrics(rng.normal(size=(50, 3)), 100.0 + rng.normal(size=(50, 3)))
    assert (found.precision, found.recall, found.density, found.coverage) == (0.0, 0.0, 0.0, 0.0)


def test_collapse_shows_in_recall_and_coverage_only():
    rng = np.random.default_rng(3)
    real = rng.normal(size=(500, 2))
    found = precision_recall.manifold_metrics(real, 0.01 * rng.normal(size=(500, 2)))
    assert found.precision == 1.0
    assert found.recall < 0.1 and found.coverage < 0.1


def test_same_distribution_reaches_the_expected_density_and_coverage():
    rng = np.random.default_rng(4)
    n = m = 1500
    found = precision_recall.manifold_metrics(rng.normal(size=(n, 3)), rng.normal(size=(m, 3)))
    # Naeem et al. 2020, lemma 1 and appendix: E density = 1, E coverage as in the docstring (0.969 here).
    misses = math.prod((n - i) / (m + n - i) for i in range(1, 6))
    assert found.density == pytest.approx(1.0, abs=0.05)
    assert found.coverage == pytest.approx(1.0 - misses, abs=0.02)


def test_copies_of_points_lie_in_balls_of_radius_zero():
    # Far from the centre the inner-product formula leaves a rounding error where the distance is 0.
    points = np.repeat(1e3 * np.random.default_rng(5).normal(size=(40, 16)), 8, axis=0)
    found = precision_recall.manifold_metrics(points, points[::-1])
    assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_intervals_hold_the_values():
    rng = np.random.default_rng(6)
    found = precision_recall.manifold_metrics(rng.normal(size=(200, 8)), 0.5 + rng.normal(size=(200, 8)))
    intervals = found.intervals(resamples=200)
    for name in ("precision", "recall", "density", "coverage"):
        assert intervals[name].value == pytest.approx(getattr(found, name), rel=1e-14)
        assert intervals[name].low <= intervals[name].value <= intervals[name].high


def test_wrong_sets_are_refused():
    with pytest.raises(ValueError, match="more than k = 5 and 5"):
        precision_recall.manifold_metrics(np.zeros((5, 2)), np.zeros((50, 2)))
    with pytest.raises(ValueError, match="expected"):
        precision_recall.manifold_metrics(np.zeros((50, 2)), np.zeros((50, 3)))
    with pytest.raises(ValueError, match="not finite"):
        precision_recall.manifold_metrics(np.full((50, 2), np.inf), np.zeros((50, 2)))
