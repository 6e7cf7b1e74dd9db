"""The kernel distance against a double loop and TF-GAN."""

import math

import numpy as np
import pytest
import scipy.stats
import tensorflow as tf

from export.metrics import kernel


def _sets(n=23, m=17, dim=5):
    rng = np.random.default_rng(0)
    return rng.normal(size=(n, dim)), 0.4 + 1.3 * rng.normal(size=(m, dim))


def test_estimate_matches_the_double_loop():
    x, y = _sets()

    def k(a, b):
        return (math.fsum(p * q for p, q in zip(a, b)) / 5 + 1.0) ** 3

    n, m = len(x), len(y)
    expected = (
        math.fsum(k(x[i], x[j]) for i in range(n) for j in range(n) if i != j) / (n * (n - 1))
        + math.fsum(k(y[i], y[j]) for i in range(m) for j in range(m) if i != j) / (m * (m - 1))
        - 2.0 * math.fsum(k(a, b) for a in x for b in y) / (n * m)
    )
    # float64 sums of some hundred terms; the chunk of 7 cuts the diagonal.
    np.testing.assert_allclose(kernel.mmd2_unbiased(x, y, chunk=7), expected, rtol=1e-12)


@pytest.mark.parametrize("block_size", [1000, 100])
def test_blocks_match_tfgan(tfgan, block_size):
    x, y = _sets(300, 300)
    value, error = tfgan.eval.kernel_classifier_distance_and_std_from_activations(
        tf.constant(x), tf.constant(y), max_block_size=block_size
    )
    found = kernel.kernel_distance(x, y, block_size=block_size, seed=None)
    # Both in float64.
    np.testing.assert_allclose(found.value, float(value), rtol=1e-9)
    if block_size == 100:
        assert len(found.block_estimates) == 3
        np.testing.assert_allclose(found.standard_error, float(error), rtol=1e-9)
    else:
        assert math.isnan(found.standard_error)


@pytest.mark.parametrize("kind", ["plain", "fewer samples than features", "far", "copies", "tiny"])
def test_blocks_of_float32_features_match_the_whole_matrices(tfgan, kind):
    n, dim = {"fewer samples than features": (60, 200), "tiny": (4, 3)}.get(kind, (90, 12))
    x, y = _sets(n, n, dim)
    x, y = np.float32(x), np.float32(y)
    if kind == "far":
        x, y = x + np.float32(30.0), y + np.float32(30.0)
    if kind == "copies":
        x[1::2], y[:30] = x[::2], x[:30]
    size = n // 2
    found = kernel.kernel_distance(x, y, block_size=size, seed=None)
    by_hand = [kernel.mmd2_unbiased(x[part], y[part]) for part in (slice(0, size), slice(size, n))]
    # The sums of the kernel, at most 2e9 where features are far, carry 1e-16 of themselves.
    np.testing.assert_allclose(found.block_estimates, by_hand, rtol=1e-9)
    theirs = tfgan.eval.kernel_classifier_distance_from_activations(
        tf.constant(x, tf.float64), tf.constant(y, tf.float64), max_block_size=size
    )
    np.testing.assert_allclose(found.value, float(theirs), rtol=1e-6)


def test_large_blocks_are_computed_side_by_side_with_the_same_results(monkeypatch):
    x, y = _sets(600, 570, 64)
    one_by_one = kernel.kernel_distance(x, y, block_size=100)
    monkeypatch.setattr(kernel, "_MANY", 0)
    found = kernel.kernel_distance(x, y, block_size=100)
    np.testing.assert_allclose(found.block_estimates, one_by_one.block_estimates, rtol=1e-12)
    assert found.null_variance == pytest.approx(one_by_one.null_variance, rel=1e-12)


def test_same_distribution_is_zero_within_the_standard_error():
    rng = np.random.default_rng(1)
    found = kernel.kernel_distance(rng.normal(size=(4000, 8)), rng.normal(size=(4000, 8)), block_size=200)
    assert len(found.block_estimates) == 20
    assert abs(found.value) < 4.0 * found.standard_error


def test_the_interval_holds_what_lies_within_the_spread_that_there_would_be():
    rng = np.random.default_rng(1)
    near = 0
    for shift in (0.0, 0.0, 0.0, 0.1, 0.7):
        found = kernel.kernel_distance(rng.normal(size=(400, 8)), shift + rng.normal(size=(400, 8)), block_size=100)
        interval = found.interval(0.9)
        square = scipy.stats.t.ppf(0.95, 8) ** 2
        slope = found.linear_variance / max(found.value, math.sqrt(found.null_variance))
        for end in (interval.low, interval.high):
            spread = square * (found.null_variance + slope * max(end, 0.0))
            assert (found.value - end) ** 2 == pytest.approx(spread, rel=1e-9)  # float64 both
        assert interval.low < found.value < interval.high
        near += found.linear_variance > 0.0 and found.value < math.sqrt(found.null_variance)
    assert near


@pytest.mark.parametrize("shift", [0.0, 0.5])
def test_both_parts_of_the_variance_are_those_of_new_draws(shift):
    rng = np.random.default_rng(3)

    def draw():
        return kernel.kernel_distance(rng.normal(size=(90, 4)), shift + rng.normal(size=(60, 4)), block_size=30)

    found = [draw() for _ in range(300)]
    # 300 draws tell a variance to a twelfth.
    expected = np.var([one.value for one in found], ddof=1)
    null, linear = (np.mean([getattr(one, f"{part}_variance") for one in found]) for part in ("null", "linear"))
    if shift == 0.0:
        assert null == pytest.approx(expected, rel=0.25) and linear < 0.3 * null
    else:
        assert null + linear == pytest.approx(expected, rel=0.25) and linear > null


def test_one_block_has_no_interval():
    x, y = _sets(300, 300)
    interval = kernel.kernel_distance(x, y).interval()
    assert (interval.low, interval.high, interval.level) == (None, None, None)
    assert interval.reason == "there is one block only"


def test_blocks_are_the_fewest_that_are_small_enough():
    x, y = _sets(250, 230)
    found = kernel.kernel_distance(x, y, block_size=100)
    assert (len(found.block_estimates), found.block_size) == (3, 84)


def test_shuffling_makes_sorted_sets_comparable():
    x = np.sort(np.random.default_rng(2).normal(size=(1000, 1)), axis=0)
    y = x[::-1]
    assert abs(kernel.kernel_distance(x, y, block_size=100).value) < 1.0
    assert kernel.kernel_distance(x, y, block_size=100, seed=None).value > 1.0


def test_too_few_samples_are_refused():
    with pytest.raises(ValueError, match="cannot fill 5 blocks"):
        kernel.kernel_distance(np.zeros((50, 2)), np.zeros((9, 2)), block_size=10)
    with pytest.raises(ValueError, match="expected"):
        kernel.kernel_distance(np.zeros((50, 2)), np.zeros((50, 3)))
