"""Measures of points with a known distribution against closed forms and linear programming."""

import math

import numpy as np
import pytest
import scipy.optimize
import scipy.stats

from export.metrics import toy

_ANGLES = 2.0 * np.pi * np.arange(8) / 8
_RING = np.stack([np.cos(_ANGLES), np.sin(_ANGLES)], axis=1)
_STD = 0.02


def _ring_samples(n, modes=range(8), seed=0):
    rng = np.random.default_rng(seed)
    return _RING[rng.choice(list(modes), size=n)] + _STD * rng.normal(size=(n, 2))


def test_samples_of_the_density_find_all_modes():
    found = toy.mode_counts(_ring_samples(20_000), _RING, _STD)
    assert found.modes_found == 8
    # P(χ²₂ ≤ 9) within four standard errors.
    assert found.high_quality_share == pytest.approx(1.0 - math.exp(-4.5), abs=4 * math.sqrt(0.0111 * 0.9889 / 20_000))
    assert found.kl_to_uniform < 0.002
    assert found.histogram.sum() == pytest.approx(1.0)


def test_collapse_is_counted_exactly():
    samples = np.concatenate([np.tile(_RING[2], (6, 1)), np.tile(_RING[5], (2, 1)), [[0.0, 0.1], [0.5, 0.5]]])
    found = toy.mode_counts(samples, _RING, _STD)
    np.testing.assert_array_equal(found.counts, [0, 0, 6, 0, 0, 2, 0, 0])
    assert (found.modes_found, found.high_quality_share) == (2, 0.8)
    expected = 0.75 * math.log(0.75 * 8) + 0.25 * math.log(0.25 * 8)
    assert found.kl_to_uniform == pytest.approx(expected, rel=1e-14)
    one = toy.mode_counts(np.tile(_RING[0], (5, 1)), _RING, _STD)
    assert one.kl_to_uniform == pytest.approx(math.log(8), rel=1e-14)


def test_a_mode_counts_from_its_share_of_samples_on():
    samples = np.concatenate([np.tile(_RING[0], (15_992, 1)), np.tile(_RING[1], (8, 1))])
    strict = toy.mode_counts(samples, _RING, _STD)
    assert (strict.min_count, strict.modes_found) == (20, 1)
    enough = np.concatenate([samples[:15_980], np.tile(_RING[1], (20, 1))])
    assert toy.mode_counts(enough, _RING, _STD).modes_found == 2
    papers = toy.mode_counts(samples, _RING, _STD, min_share=0.0)
    assert (papers.min_count, papers.modes_found) == (1, 2)
    assert toy.mode_counts(np.zeros((2500, 2)), np.zeros((25, 2)), 1.0).min_count == 1
    # A part of a sample over the share counts as one more: 1.04 samples are 2.
    assert toy.mode_counts(np.zeros((2600, 2)), np.zeros((25, 2)), 1.0).min_count == 2


def test_each_mode_may_have_its_own_std():
    found = toy.mode_counts([[0.25], [10.25]], [[0.0], [10.0]], [0.1, 0.05])
    np.testing.assert_array_equal(found.high_quality, [True, False])
    # Within three standard deviations, the bound included.
    np.testing.assert_array_equal(toy.mode_counts([[0.75], [0.76]], [[0.0]], 0.25).high_quality, [True, False])
    nothing = toy.mode_counts([[5.0]], [[0.0], [10.0]], 0.1)
    assert nothing.modes_found == 0 and math.isnan(nothing.kl_to_uniform)


def test_log_likelihood():
    points = np.random.default_rng(1).normal(size=(50_000, 2))

    def log_density(x):
        return scipy.stats.multivariate_normal.logpdf(x, np.zeros(2))

    found = toy.log_likelihood(points, log_density)
    assert found.mean == pytest.approx(-math.log(2.0 * math.pi) - 1.0, abs=4.0 / math.sqrt(50_000))  # -entropy
    assert found.share_in_support == 1.0
    square = toy.log_likelihood([[0.5], [0.2], [3.0]], lambda x: np.where(x[:, 0] < 2.0, -math.log(2.0), -np.inf))
    assert square.mean == -math.inf
    assert square.share_in_support == pytest.approx(2 / 3)
    assert square.mean_in_support == pytest.approx(-math.log(2.0))


@pytest.mark.parametrize("p", [1, 2])
def test_exact_wasserstein_of_numbers_is_that_of_sorted_numbers(p):
    rng = np.random.default_rng(2)
    x, y = rng.normal(size=(100, 1)), 1.0 + 2.0 * rng.normal(size=(100, 1))
    expected = np.mean(np.abs(np.sort(x[:, 0]) - np.sort(y[:, 0])) ** p) ** (1 / p)
    np.testing.assert_allclose(toy.exact_wasserstein(x, y, p), expected, rtol=1e-12)
    # In one dimension every direction is ±1.
    np.testing.assert_allclose(toy.sliced_wasserstein(x, y, p, num_projections=3), expected, rtol=1e-12)


@pytest.mark.parametrize("p", [1, 2])
def test_exact_wasserstein_matches_linear_programming(p):
    rng = np.random.default_rng(3)
    n = 9
    x, y = rng.normal(size=(n, 3)), rng.uniform(size=(n, 3))
    cost = np.array([[math.dist(a, b) ** p for b in y] for a in x])
    marginals = np.concatenate([np.kron(np.eye(n), np.ones(n)), np.kron(np.ones(n), np.eye(n))])
    plan = scipy.optimize.linprog(cost.ravel(), A_eq=marginals, b_eq=np.full(2 * n, 1 / n), method="highs")
    # HiGHS solves to 1e-7 feasibility, in practice to a vertex and its rounding.
    np.testing.assert_allclose(toy.exact_wasserstein(x, y, p), plan.fun ** (1 / p), rtol=1e-9)


def test_sliced_wasserstein_of_unequal_sizes_matches_scipy():
    rng = np.random.default_rng(4)
    x, y = rng.normal(size=(37, 1)), 0.3 + rng.normal(size=(50, 1))
    expected = scipy.stats.wasserstein_distance(x[:, 0], y[:, 0])
    np.testing.assert_allclose(toy.sliced_wasserstein(x, y, 1), expected, rtol=1e-12)
    # Repeating every point changes no distribution.
    np.testing.assert_allclose(
        toy.sliced_wasserstein(x, y, 2), toy.sliced_wasserstein(np.repeat(x, 3, axis=0), y, 2), rtol=1e-12
    )


def test_sliced_wasserstein_of_a_shift_has_its_known_value():
    x = np.random.default_rng(5).normal(size=(60, 2))
    shift = np.array([3.0, -4.0])
    # The mean of (θ·s)² over the sphere is ‖s‖² / d; 20,000 directions know it to 0.5 % or so.
    assert toy.sliced_wasserstein(x, x + shift, 2, num_projections=20_000) == pytest.approx(
        5.0 / math.sqrt(2.0), rel=0.02
    )
    assert toy.sliced_wasserstein(x, x + shift, seed=1) == toy.sliced_wasserstein(x, x + shift, seed=1)
    assert toy.sliced_wasserstein(x, x) == 0.0
    assert toy.exact_wasserstein(x, x + shift, 2) == pytest.approx(5.0, rel=1e-12)


def test_wrong_points_are_refused():
    with pytest.raises(ValueError, match="equal sizes"):
        toy.exact_wasserstein(np.zeros((3, 2)), np.zeros((4, 2)))
    with pytest.raises(ValueError, match="samples have shape"):
        toy.mode_counts(np.full((3, 2), np.nan), _RING, _STD)
    with pytest.raises(ValueError, match="expected"):
        toy.mode_counts(np.zeros((3, 3)), _RING, _STD)
