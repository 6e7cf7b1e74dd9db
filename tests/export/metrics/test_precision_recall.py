"""Precision, recall, density and coverage, clipped and not, against loops over all pairs and against known values."""

import math

import numpy as np
import prdc
import pytest
import scipy.stats

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
    # Salvy et al. 2025: balls no larger than the median one, contributions of at most 1.
    clipped = np.minimum(real_second, np.median(real_second))
    within = [[math.dist(x, y) for y in real] for x in real]
    return (
        [any(distance[i][j] <= real_first[i] for i in range(n)) for j in range(m)],
        [any(distance[i][j] <= samples_first[j] for j in range(m)) for i in range(n)],
        [sum(distance[i][j] <= real_second[i] for i in range(n)) / k_second for j in range(m)],
        [any(distance[i][j] <= real_second[i] for j in range(m)) for i in range(n)],
        [min(1, sum(distance[i][j] <= clipped[i] for i in range(n)) / k_second) for j in range(m)],
        [min(1, sum(within[i][j] <= clipped[i] for i in range(n) if i != j) / k_second) for j in range(n)],
        [min(1, sum(distance[i][j] <= real_second[i] for j in range(m)) / k_second) for i in range(n)],
    )


@pytest.mark.parametrize("k_first, k_second", [(3, 5), (5, 2)])
def test_indicators_match_the_loops(k_first, k_second):
    rng = np.random.default_rng(0)
    real, samples = rng.normal(size=(80, 6)), 0.5 + 0.8 * rng.normal(size=(60, 6))
    found = precision_recall.manifold_metrics(real, samples, k_first, k_second)
    expected = _loops(real, samples, k_first, k_second)
    # Exact: random distances are never so close that the formula decides.
    np.testing.assert_array_equal(found.sample_in_data, expected[0])
    np.testing.assert_array_equal(found.data_in_samples, expected[1])
    np.testing.assert_array_equal(found.sample_density, expected[2])
    np.testing.assert_array_equal(found.data_covered, expected[3])
    np.testing.assert_array_equal(found.sample_clipped_density, expected[4])
    np.testing.assert_array_equal(found.data_clipped_density, expected[5])
    np.testing.assert_array_equal(found.data_clipped_coverage, expected[6])
    assert found.unclipped_density == pytest.approx(np.mean(expected[4]) / np.mean(expected[5]), rel=1e-14)
    assert found.clipped_density == min(1.0, found.unclipped_density) and 0.0 < found.clipped_coverage < 1.0
    assert 0.0 < found.precision < 1.0 and 0.0 < found.recall < 1.0 and 0.0 < found.coverage < 1.0
    assert found.precision == np.mean(expected[0]) and found.density == np.mean(expected[2])
    assert (found.neighbours_precision_recall, found.neighbours_density_coverage) == (k_first, k_second)


def test_the_reference_implementation_agrees():
    rng = np.random.default_rng(11)
    real, samples = rng.normal(size=(150, 12)), 0.3 + rng.normal(size=(130, 12))
    found = precision_recall.manifold_metrics(real, samples).values()
    # Both count the same points: equal to rounding.
    for name, value in prdc.compute_prdc(real, samples, nearest_k=5).items():
        assert found[name] == pytest.approx(value, rel=1e-12), name


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


@pytest.mark.parametrize("n, m, k", [(60, 40, 5), (12, 90, 3), (7, 5, 6)])
def test_the_calibration_of_coverage_is_the_beta_binomial_mean(n, m, k):
    expected = [
        np.minimum(np.arange(j + 1), k) @ scipy.stats.betabinom(j, k, n - k).pmf(np.arange(j + 1)) / k
        for j in range(m + 1)
    ]
    # Probabilities from log-gamma functions on both sides: 1e-12.
    np.testing.assert_allclose(precision_recall.expected_clipped_coverage(n, m, k), expected, rtol=1e-11, atol=1e-14)


def test_clipped_density_and_coverage_are_linear_in_the_share_of_bad_samples():
    rng = np.random.default_rng(8)
    n, real = 1500, rng.normal(size=(1500, 8))
    # Bad samples are far from the data; half of them lie beside outliers of the data, whose balls are huge.
    real[:3] = 30.0 + 20.0 * rng.normal(size=(3, 8))
    coverage = []
    for bad in (0.0, 0.2, 0.4, 0.6, 0.8, 1.0):
        wrong = round(bad * n)
        far = np.where(np.arange(wrong)[:, None] % 2, 30.0, -60.0) + rng.normal(size=(wrong, 8))
        found = precision_recall.manifold_metrics(real, np.concatenate([rng.normal(size=(n - wrong, 8)), far]))
        assert found.clipped_density == pytest.approx(1.0 - bad, abs=0.04)
        assert found.clipped_coverage == pytest.approx(1.0 - bad, abs=0.04)
        coverage.append(found.coverage)
    # Coverage itself barely notices 40 % of bad samples.
    assert coverage[2] > 0.85


def test_where_the_distributions_agree_the_uncut_values_are_around_1():
    found = [
        precision_recall.manifold_metrics(*np.random.default_rng((9, draw)).normal(size=(2, 150, 4)))
        for draw in range(100)
    ]
    for name in ("unclipped_density", "unclipped_coverage"):
        values = [getattr(one, name) for one in found]
        # Six standard errors of the mean of the draws.
        assert np.mean(values) == pytest.approx(1.0, abs=0.04) and 0.01 < np.std(values) < 0.1
    assert all(one.clipped_coverage == min(1.0, one.unclipped_coverage) for one in found)


def test_copies_of_points_lie_in_balls_of_radius_zero():
    # Far from the centre the inner-product formula leaves a rounding error where the distance is 0.
    points = np.repeat(1e3 * np.random.default_rng(5).normal(size=(40, 16)), 8, axis=0)
    for samples in (points[::-1], points[::-1][5:-2]):
        found = precision_recall.manifold_metrics(points, samples)
        assert (found.precision, found.recall, found.coverage) == (1.0, 1.0, 1.0)


def test_intervals_come_from_halves_of_both_sets():
    rng = np.random.default_rng(6)
    real, samples = rng.normal(size=(90, 8)), 0.5 + rng.normal(size=(60, 8))
    found = precision_recall.manifold_metrics(real, samples)
    by_hand = {name: [] for name in precision_recall.NAMES}
    for split in range(3):
        stream = np.random.default_rng((4, split))
        cuts = np.split(stream.permutation(90), 2), np.split(stream.permutation(60), 2)
        pair = [precision_recall.manifold_metrics(real[x], samples[y]) for x, y in zip(*cuts)]
        for name, values in by_hand.items():
            one, two = (getattr(half, name.replace("clipped", "unclipped")) for half in pair)
            if name == "density":
                one, two = np.log([one, two])
            elif not name.startswith("clipped"):
                one, two = np.arcsin(np.sqrt([one, two]))
            values.append((one - two) ** 2 / 4)
    intervals = precision_recall.manifold_intervals(real, samples, splits=3, seed=4)
    quantile = scipy.stats.t.ppf(0.975, 3)
    for name, interval in intervals.items():
        assert interval.value == getattr(found, name)
        if name == "density":
            factor = math.exp(quantile * math.sqrt(np.mean(by_hand[name])))
            expected = [interval.value / factor, interval.value * factor]
        elif name.startswith("clipped"):
            middle, half = getattr(found, f"un{name}"), quantile * math.sqrt(np.mean(by_hand[name]))
            expected = np.clip([middle - half, middle + half], 0.0, 1.0)
        else:
            # The roots p of (p̂ - p)² = q² p (1 - p) / n define Wilson's interval.
            count = min(60 if name == "precision" else 90, 1 / (4 * np.mean(by_hand[name])))
            p, q = interval.value, quantile**2 / count
            expected = np.sort(np.roots([1 + q, -2 * p - q, p * p]))
        np.testing.assert_allclose([interval.low, interval.high], expected, rtol=1e-9)


def test_an_interval_needs_two_halves_of_twenty():
    few, enough = np.random.default_rng(7).normal(size=(2, 40, 2))
    for interval in precision_recall.manifold_intervals(few[:39], enough).values():
        assert interval.low is None and interval.reason == "fewer than 40 examples"
    far = precision_recall.manifold_intervals(few, 100.0 + enough)
    # All values on halves are 0: Wilson's interval still has an upper end, density has no logarithm.
    assert far["precision"].low == 0.0 < far["precision"].high < 0.2
    assert far["density"].reason == "the value is 0 on half of the examples"
    assert far["clipped_coverage"].value == 0.0 and far["clipped_coverage"].reason == "no spread was seen"


def test_an_interval_of_a_clipped_value_does_not_lie_above_1():
    rng = np.random.default_rng(10)
    found = precision_recall.manifold_intervals(rng.normal(size=(400, 2)), 0.5 * rng.normal(size=(400, 2)))
    assert found["clipped_density"].value == 1.0 and found["clipped_density"].low is None
    assert "above 1" in found["clipped_density"].reason
    assert 0.0 < found["clipped_coverage"].low < found["clipped_coverage"].high < 1.0


def test_wrong_sets_are_refused():
    with pytest.raises(ValueError, match="more than k = 5 and 5"):
        precision_recall.manifold_metrics(np.zeros((5, 2)), np.zeros((50, 2)))
    with pytest.raises(ValueError, match="expected"):
        precision_recall.manifold_metrics(np.zeros((50, 2)), np.zeros((50, 3)))
    with pytest.raises(ValueError, match="not finite"):
        precision_recall.manifold_metrics(np.full((50, 2), np.inf), np.zeros((50, 2)))
