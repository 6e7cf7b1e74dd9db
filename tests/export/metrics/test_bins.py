"""Statistically different bins against SciPy's test of a 2×2 table and its Jensen-Shannon distance."""

import numpy as np
import pytest
import scipy.spatial.distance
import scipy.stats

from export.metrics import bins


def _labels(shares, count, seed):
    return np.random.default_rng(seed).choice(len(shares), size=count, p=shares)


def test_the_test_of_each_bin_is_that_of_its_table():
    shares = np.random.default_rng(0).dirichlet(np.full(30, 3.0))
    others = 0.3 * shares + 0.7 * np.roll(shares, 1)
    labels, reference = _labels(others, 400, 1), _labels(shares, 3000, 2)
    found = bins.different_bins(labels, reference, 31)
    # The square of the two-proportion z is the chi-squared statistic of the table, without continuity correction.
    for label in range(30):
        table = [[(each == label).sum(), (each != label).sum()] for each in (labels, reference)]
        assert found[label] == (scipy.stats.chi2_contingency(table, correction=False).pvalue < 0.05), label
    assert 0 < found.sum() < 30 and not found[30]  # a bin without examples of either side is not different


def test_one_bin_in_twenty_differs_by_chance():
    shares = np.full(50, 0.02)
    found = [bins.different_bins(_labels(shares, 2000, (3, i)), _labels(shares, 2000, (4, i)), 50) for i in range(80)]
    # Four standard errors of 4,000 tests, nearly independent.
    assert np.mean(found) == pytest.approx(0.05, abs=4 * (0.05 * 0.95 / 4000) ** 0.5)


def test_the_divergence_is_scipys():
    labels, reference = _labels([0.5, 0.3, 0.2], 100, 5), _labels([0.2, 0.8], 150, 6)
    p, q = (np.bincount(each, minlength=4) / len(each) for each in (labels, reference))
    expected = scipy.spatial.distance.jensenshannon(p, q) ** 2
    assert bins.bin_divergence(labels, reference, 4) == pytest.approx(expected, rel=1e-12)
    assert bins.bin_divergence(np.zeros(5, int), np.ones(7, int), 2) == pytest.approx(np.log(2))
    assert bins.bin_divergence(labels, labels, 4) == 0.0
    interval = bins.bin_divergence_interval(labels, reference, 4)
    assert interval.low < interval.value == bins.bin_divergence(labels, reference, 4) < interval.high


def test_bins_are_clusters_and_a_dropped_one_is_seen():
    rng = np.random.default_rng(7)
    centres = 20.0 * rng.normal(size=(5, 4))
    training = centres[rng.integers(5, size=100)] + rng.normal(size=(100, 4))
    found = bins.Bins.of(training)
    assert len(found.centres) == 5  # 100 / 20
    np.testing.assert_array_equal(found.labels, found.of_points(training))
    np.testing.assert_array_equal(found.labels, bins.Bins.of(training).labels)
    distance = scipy.spatial.distance.cdist(training, found.centres)
    np.testing.assert_array_equal(found.labels, distance.argmin(axis=1))
    samples = centres[rng.integers(4, size=400)] + rng.normal(size=(400, 4))  # without the last cluster
    different = bins.different_bins(found.of_points(samples), found.labels, 5)
    assert different[found.of_points(centres[4:])[0]]
    assert len(bins.Bins.of(rng.normal(size=(2100, 2))).centres) == 100
    assert len(bins.Bins.of(rng.normal(size=(20, 2))).centres) == 2
    with pytest.raises(ValueError, match="n ≥ 4"):
        bins.Bins.of(training[:3])
