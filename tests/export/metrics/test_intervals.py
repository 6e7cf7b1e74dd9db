"""Intervals: measured coverage over hundreds of draws from known distributions, and closed forms."""

import math

import numpy as np
import pytest
import scipy.stats
import threadpoolctl

from export.metrics import (
    birthday,
    classifier_score,
    copies,
    frechet,
    intervals,
    kernel,
    parzen,
    precision_recall,
    toy,
    vendi,
)

#: Of 200 draws a right interval of level 95 % covers 92 to 98 % with probability 0.96 (binomial), one that covers 84 %
#: or less, or 99.9 % or more, with probability below 0.001. The seeds are fixed: what passes once passes always.
_DRAWS, _LOWEST, _HIGHEST = 200, 0.92, 0.98
#: Draws to estimate an expectation without closed form, to a thirtieth of the standard deviation of one draw.
_DRAWS_OF_TRUTH = 1000


@pytest.fixture(autouse=True, scope="module")
def _one_thread():
    """Thousands of tiny matrix products lose most of their time to threads waiting for one another."""
    with threadpoolctl.threadpool_limits(1):
        yield


def _gaussians(n, dim, shift=0.0, scale=1.0, m=None):
    """Draws n points of N(0, I) and m of N(shift, scale² I)."""
    return lambda rng: (rng.normal(size=(n, dim)), shift + scale * rng.normal(size=(m or n, dim)))


def _labels(shares, n=400):
    """Draws n labels with these probabilities, and n with even ones."""
    return lambda rng: (rng.choice(len(shares), size=n, p=shares), rng.integers(len(shares), size=n))


def _expectation(statistic, draw):
    """float64 […]: mean of a statistic over draws that no interval is computed from."""
    return np.mean([statistic(*draw(np.random.default_rng((1, index)))) for index in range(_DRAWS_OF_TRUTH)], axis=0)


def _share_covered(interval, draw, truth):
    """Share of draws whose interval holds the truth; every draw must have one, with ends that differ."""
    hits = 0
    for index in range(_DRAWS):
        found = interval(*draw(np.random.default_rng((0, index))))
        assert found.low < found.high and found.low <= found.value <= found.high and found.level == 0.95
        hits += found.low <= truth <= found.high
    return hits / _DRAWS


def _assert_covers(interval, draw, truth):
    assert _LOWEST <= (found := _share_covered(interval, draw, truth)) <= _HIGHEST, found


@pytest.mark.parametrize("size", [2, 5, 10, 40])
def test_the_mean_of_few_values_is_covered(size):
    _assert_covers(intervals.mean_interval, lambda rng: (rng.normal(size=size),), 0.0)


@pytest.mark.parametrize("share, count", [(0.5, 40), (0.9, 150), (0.989, 1000)])
def test_a_share_is_covered(share, count):
    def interval(hits):
        return intervals.share_interval(hits.mean(), count)

    _assert_covers(interval, lambda rng: (rng.random(count) < share,), share)


def _frechet(x, y):
    return frechet.frechet_distance(*map(frechet.GaussianStatistics.from_features, (x, y)))


@pytest.mark.parametrize(
    "draw",
    [_gaussians(80, 4, 0.5), _gaussians(40, 24, 0.3), _gaussians(60, 12), _gaussians(50, 6, 0.2, 1.3, m=100)],
    ids=["apart", "many features", "equal", "unequal sizes"],
)
def test_the_expected_frechet_distance_is_covered(draw):
    _assert_covers(frechet.frechet_interval, draw, _expectation(_frechet, draw))


@pytest.mark.parametrize(
    "draw",
    [_gaussians(120, 8, 0.5), _gaussians(120, 24), _gaussians(100, 24, 0.3, 0.9, m=200)],
    ids=["apart", "equal", "unequal sizes"],
)
def test_precision_recall_density_and_coverage_are_covered(draw):
    def values(x, y):
        return list(precision_recall.manifold_metrics(x, y).values().values())

    truth = dict(zip(precision_recall.NAMES, _expectation(values, draw)))
    found = [precision_recall.manifold_intervals(*draw(np.random.default_rng((0, index)))) for index in range(_DRAWS)]
    for name, value in truth.items():
        if name.startswith("clipped") and value > 0.85:
            continue  # values of 1, where they are cut, are frequent: the caveat says what is covered
        share = np.mean([one[name].low <= value <= one[name].high for one in found])
        assert _LOWEST <= share <= _HIGHEST, (name, share)


@pytest.mark.parametrize("shift, dim", [(0.0, 8), (0.4, 8), (0.6, 2)])
def test_the_kernel_distance_of_the_distributions_is_covered(shift, dim):
    def interval(x, y):
        return kernel.kernel_distance(x, y, block_size=40).interval()

    # E (x·y / d + 1)³ = 1 + 3 E t + 3 E t² + E t³ with t = x·y / d: closed for Gaussians N(a 1, I) and N(b 1, I), where
    # x·y has mean d ab, variance v = d (1 + a² + b²) and third central moment 6 d ab.
    def kernel_mean(a, b, d):
        mean, variance, third = a * b, (1 + a * a + b * b) / d, 6 * a * b / d**2
        return 1 + 3 * mean + 3 * (variance + mean**2) + third + 3 * mean * variance + mean**3

    truth = kernel_mean(0, 0, dim) + kernel_mean(shift, shift, dim) - 2 * kernel_mean(0, shift, dim)
    _assert_covers(interval, _gaussians(200, dim, shift), truth)


def test_the_kernel_distance_of_equal_distributions_of_classes_is_covered():
    # Features of a classifier lie in clusters, where block estimates are skew: Student's t alone covers 91 %.
    centres = 2.0 * np.random.default_rng(5).normal(size=(10, 16))

    def draw(rng):
        return tuple(centres[rng.integers(10, size=300)] + rng.normal(size=(300, 16)) for _ in range(2))

    _assert_covers(lambda x, y: kernel.kernel_distance(x, y, block_size=50).interval(), draw, 0.0)


@pytest.mark.parametrize("scale", [0.3, 3.0])
def test_the_expected_classifier_score_is_covered(scale):
    def draw(rng):
        return (scale * rng.normal(size=(150, 6)),)

    def score(logits):
        return math.exp(classifier_score.mutual_information(logits))

    _assert_covers(classifier_score.classifier_score_interval, draw, _expectation(score, draw))


def test_divergences_of_histograms_are_covered():
    def divergence(x, y):
        return classifier_score.histogram_kl(*(np.bincount(labels, minlength=5) for labels in (x, y)))

    draw = _labels([0.4, 0.3, 0.1, 0.1, 0.1])
    truth = _expectation(divergence, draw)
    _assert_covers(lambda x, y: classifier_score.class_divergence_interval(x, y, 5), draw, truth)

    def on_modes(x, _):
        return toy.mode_divergence_interval(toy.ModeCounts(x, np.ones(len(x), bool), 1, 5))

    truth = _expectation(lambda x, _: classifier_score.histogram_kl(np.bincount(x, minlength=5), np.ones(5)), draw)
    _assert_covers(on_modes, draw, truth)


@pytest.mark.parametrize("shift", [0.2, 0.6])
def test_the_expected_sliced_wasserstein_distance_is_covered(shift):
    draw = _gaussians(80, 2, shift)
    _assert_covers(toy.sliced_wasserstein_interval, draw, _expectation(toy.sliced_wasserstein, draw))


def test_halves_are_disjoint_whole_independent_and_by_seed():
    seen = []

    def statistic(x, y):
        seen.append((x, y))
        return len(x) + 0.5 * len(y)

    found = intervals.halves(statistic, (5, 8), splits=3, seed=7)
    np.testing.assert_array_equal(found, [[5.0, 4.0]] * 3)
    for (x, y), (other_x, other_y) in zip(seen[::2], seen[1::2]):
        assert sorted([*x, *other_x]) == list(range(5)) and sorted([*y, *other_y]) == list(range(8))
    again = []
    intervals.halves(lambda *index: again.append(index) or 0.0, (5, 8), splits=4, seed=7)
    for one, other in zip(seen, again):
        np.testing.assert_array_equal(np.concatenate(one), np.concatenate(other))
    assert any((one[0] != other[0]).any() for one, other in zip(seen[::2], seen[2::2]))


def test_the_variance_of_a_mean_from_halves_is_its_own():
    values = np.random.default_rng(2).normal(size=100)
    found = intervals.variance_from_halves(intervals.halves(lambda index: values[index].mean(), (100,), splits=4000))
    # The mean of 4,000 χ²₁ is known to 2.2 %.
    assert found == pytest.approx(values.var(ddof=1) / 100, rel=0.07)


def test_student_and_wilson_against_scipy():
    values = np.random.default_rng(3).normal(size=7)
    found = intervals.mean_interval(values, level=0.8)
    expected = scipy.stats.ttest_1samp(values, 0.0).confidence_interval(0.8)
    np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-12)  # float64 both
    for hits in (0, 3, 40):
        found = intervals.share_interval(hits / 40, 40, level=0.9)
        expected = scipy.stats.binomtest(hits, 40).proportion_ci(0.9, method="wilson")
        np.testing.assert_allclose([found.low, found.high], expected, rtol=1e-12, atol=1e-15)


@pytest.mark.parametrize(
    "interval, reason",
    [
        (lambda: intervals.mean_interval([2.0], of="block"), "there is one block only"),
        (lambda: intervals.mean_interval([2.0, 2.0], of="sample"), "every sample is the same"),
        (lambda: intervals.discrepancy_interval(lambda x: 2.0, (39,)), "fewer than 40 examples"),
        (lambda: intervals.discrepancy_interval(lambda x: 0.0, (40,)), "the value is 0"),
        (lambda: intervals.discrepancy_interval(lambda x: math.inf, (40,)), "the value is not finite"),
        (
            lambda: intervals.discrepancy_interval(lambda x: 1.0 if len(x) == 40 else math.inf, (40,)),
            "the value is not finite on half of the examples",
        ),
        (lambda: intervals.discrepancy_interval(lambda x: 2.0, (40,)), "the value is the same on every half"),
    ],
)
def test_what_has_no_interval_says_why(interval, reason):
    found = interval()
    assert (found.low, found.high, found.level, found.method) == (None, None, None, None)
    assert found.reason.startswith(reason)
    assert found.mapped(lambda value: value + 1.0).low is None


@pytest.mark.parametrize("value", [-7.0, -1.0, 0.5, 7.0])
def test_a_score_interval_holds_what_would_not_be_rejected(value):
    found = intervals.score_interval(value, 2.0, 3.0, level=0.8, degrees=5)
    quantile = scipy.stats.t.ppf(0.9, 5)

    def distance(end):  # in standard deviations
        return (end - value) / math.sqrt(2.0 + 3.0 * max(end, 0.0))

    assert distance(found.low) == pytest.approx(-quantile) and distance(found.high) == pytest.approx(quantile)
    assert found.method == "score" and intervals.score_interval(value, 0.0, 3.0).reason == "no spread was seen"


def test_levels_outside_their_range_are_refused():
    for level in (0.0, 1.0):
        with pytest.raises(ValueError, match="0 < level < 1"):
            intervals.mean_interval([1.0, 2.0], level)


@pytest.mark.parametrize("scale", [0.2, 2.0])
def test_the_expected_vendi_score_is_covered(scale):
    def draw(rng):
        return (np.eye(6)[0] + scale * rng.normal(size=(150, 6)),)

    _assert_covers(vendi.vendi_interval, draw, _expectation(vendi.vendi_score, draw))


@pytest.mark.parametrize("share", [0.0, 0.4], ids=["honest", "copies"])
def test_copies_and_their_distances_are_covered(share):
    # Distances to training examples, copies at a tenth of the others.
    def draw(rng):
        of_samples, of_held_out = rng.gamma(5.0, size=(2, 400))
        return np.where(rng.random(400) < share, 0.1, 1.0) * of_samples, of_held_out

    truth = _expectation(lambda x, y: copies.CopyDetection(x, y).copied_share, draw)
    _assert_covers(lambda x, y: copies.CopyDetection(x, y).share_interval(), draw, truth)
    truth = _expectation(lambda x, y: copies.CopyDetection(x, y).distance_ratio, draw)
    _assert_covers(lambda x, y: copies.CopyDetection(x, y).ratio_interval(), draw, truth)


@pytest.mark.parametrize("shares", [np.full(400, 1 / 400), 1.0 / np.arange(5, 405) / (1.0 / np.arange(5, 405)).sum()])
def test_the_support_size_is_covered(shares):
    def interval(atoms):
        return birthday.duplicate_pairs(atoms[:, None], 0.5).interval()

    def draw(rng):
        return (rng.choice(len(shares), size=120, p=shares).astype(float),)

    _assert_covers(interval, draw, 1.0 / np.square(shares).sum())


def test_the_expected_parzen_log_likelihood_is_covered():
    def draw(rng):
        return 1.2 * rng.normal(size=(60, 2)), rng.normal(size=(30, 2)), rng.normal(size=(60, 2))

    truth = _expectation(lambda *sets: parzen.parzen_log_likelihood(*sets).mean, draw)
    _assert_covers(lambda *sets: parzen.parzen_log_likelihood(*sets).interval(), draw, truth)
