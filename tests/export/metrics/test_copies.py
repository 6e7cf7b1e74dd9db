"""Copy detection against loops, on copies, on new examples of the data, and on data that repeats itself."""

import math

import numpy as np
import pytest
import scipy.spatial.distance

from export.metrics import copies


def _detection(samples, held_out, training):
    return copies.CopyDetection(*(copies.nearest_examples(points, training)[0] for points in (samples, held_out)))


def test_nearest_examples_are_those_of_all_distances():
    rng = np.random.default_rng(0)
    points, training = rng.normal(size=(40, 6)), rng.normal(size=(90, 6))
    matrix = scipy.spatial.distance.cdist(points, training)
    found, index = copies.nearest_examples(points, training)
    np.testing.assert_allclose(found, matrix.min(axis=1), rtol=1e-10)
    np.testing.assert_array_equal(index, matrix.argmin(axis=1))


def test_new_examples_are_copied_as_often_as_is_said_and_copies_always():
    rng = np.random.default_rng(1)
    draws = []
    for _ in range(100):
        training, held_out, samples = rng.normal(size=(3, 250, 4))
        found = _detection(samples, held_out, training)
        assert found.honest_share == 2 / 251
        draws.append(found.copied_share)
    # Four standard errors of the mean of the draws, each with a standard deviation of about √(2 · 0.008 / 250).
    assert np.mean(draws) == pytest.approx(2 / 251, abs=4 * math.sqrt(2 * 0.008 / 250 / 100))
    memorised = training[rng.integers(20, size=250)] + 1e-3 * rng.normal(size=(250, 4))
    found = _detection(np.concatenate([memorised[:100], samples[:150]]), held_out, training)
    assert found.copied[:100].all() and found.copied_share == pytest.approx(0.4, abs=0.03)
    assert _detection(memorised, held_out, training).distance_ratio < 0.01
    assert _detection(samples, held_out, training).distance_ratio == pytest.approx(1.0, abs=0.1)


def test_the_threshold_is_the_kth_smallest_distance():
    of_held_out = np.random.default_rng(2).permutation(np.arange(1.0, 300.0))  # 299: k = 3
    found = copies.CopyDetection(np.array([0.5, 3.0, 3.1, 500.0]), of_held_out)
    assert found.threshold == 3.0 and found.honest_share == 3 / 300
    np.testing.assert_array_equal(found.copied, [True, True, False, False])
    assert found.distance_ratio == pytest.approx(np.mean(found.of_samples) / 150.0)
    few = copies.CopyDetection(np.ones(3), np.array([2.0, 1.5]))
    assert few.threshold == 1.5 and few.honest_share == 1 / 3


def test_held_out_examples_that_are_copies_themselves_raise_what_is_expected():
    found = copies.CopyDetection(np.array([0.0, 1.0]), np.array([0.0] * 10 + [1.0] * 90))
    assert found.threshold == 0.0 and found.honest_share == 10 / 101 and found.copied_share == 0.5
    assert copies.CopyDetection(np.ones(2), np.zeros(5)).distance_ratio == math.inf


def test_reasons_for_no_interval():
    few = copies.CopyDetection(np.ones(39), np.ones(60))
    assert few.share_interval().reason == "fewer than 40 examples" and few.share_interval().value == 1.0
    assert copies.CopyDetection(np.zeros(50), np.ones(50)).ratio_interval().reason == "the value is 0"
    assert copies.CopyDetection(np.ones(50), np.zeros(50)).ratio_interval().reason == "the value is not finite"
    assert copies.CopyDetection(np.ones(1), np.ones(5)).ratio_interval().reason == "there is one example only"


@pytest.mark.parametrize("copied", [0.0, 0.3, 1.0])
def test_the_share_of_copies_is_estimated_without_bias(copied):
    """The expectation over draws; training examples outnumber held-out ones by three to one."""
    found, covered = [], 0
    for seed in range(40):
        rng = np.random.default_rng(seed)
        training, held_out = rng.normal(size=(300, 4)), rng.normal(size=(100, 4))
        samples = rng.normal(size=(200, 4))
        taken = rng.choice(300, int(copied * 200))
        samples[: len(taken)] = training[taken]
        share = copies.estimated_share(samples, training, held_out)
        found.append(share.value)
        covered += share.low <= copied <= share.high
    # One draw has a standard deviation of about 0.13; the interval does not hold what the real examples vary by.
    assert np.mean(found) == pytest.approx(copied, abs=0.06) and covered >= 30


def test_samples_beside_one_example_say_as_little_as_one():
    rng = np.random.default_rng(0)
    training, held_out = rng.normal(size=(300, 4)), rng.normal(size=(100, 4))
    share = copies.estimated_share(np.repeat(training[:1] + 1e-3, 200, 0), training, held_out)
    assert share.value == 1.0 and share.low < 0 and share.high == 1.0


@pytest.mark.parametrize("twins", [0, 30])
def test_samples_that_equal_training_examples_are_copies_whatever_they_share(twins):
    rng = np.random.default_rng(0)
    training, held_out = rng.normal(size=(300, 4)), rng.normal(size=(100, 4))
    held_out[:twins] = training[100 : 100 + twins]
    samples = np.repeat(training[:2], [120, 80], 0)
    samples[120:] += 1e-3
    share = copies.estimated_share(samples, training, held_out)
    assert share.value == 1.0 and share.low == pytest.approx(0.6 - twins / 100)


def test_an_example_in_both_sets_is_half_of_each():
    points = np.random.default_rng(0).normal(size=(50, 4))
    share = copies.estimated_share(points, points, points)
    assert share.value == share.low == 0.0 < share.high


def test_samples_that_are_held_out_examples_are_no_copies():
    points = np.random.default_rng(0).normal(size=(200, 4))
    share = copies.estimated_share(points[:50], points[100:], points[:100])
    assert share.value == 0.0 and share.low is None
    # Beside them the copies are counted.
    share = copies.estimated_share(np.concatenate([points[:75], points[100:125]]), points[100:], points[:100])
    assert share.value == share.low == 0.25
