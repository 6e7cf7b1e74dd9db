"""The Fréchet distance against closed forms, SciPy's matrix square root and TF-GAN."""

import numpy as np
import pytest
import scipy.linalg

from export.metrics import frechet, intervals


def _orthogonal(dim, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(dim, dim)))[0]


def test_diagonal_covariances_match_the_closed_form():
    rng = np.random.default_rng(0)
    a, b = rng.uniform(0.1, 4.0, 12), rng.uniform(0.1, 4.0, 12)
    mean_a, mean_b = rng.normal(size=12), rng.normal(size=12)
    expected = ((mean_a - mean_b) ** 2).sum() + ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    found = frechet.gaussian_frechet_distance(mean_a, np.diag(a), mean_b, np.diag(b))
    # Rounding of an eigendecomposition and a singular value decomposition, no more.
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@pytest.mark.parametrize("zeros_a, zeros_b", [(0, 0), (5, 0), (5, 9), (20, 1)])
def test_commuting_covariances_match_the_closed_form_at_any_rank(zeros_a, zeros_b):
    rng = np.random.default_rng(1)
    q = _orthogonal(20, 2)
    a, b = rng.uniform(0.1, 4.0, 20), rng.uniform(0.1, 4.0, 20)
    a[:zeros_a], b[20 - zeros_b :] = 0.0, 0.0
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    found = frechet.gaussian_frechet_distance(np.zeros(20), q * a @ q.T, np.zeros(20), q * b @ q.T)
    # The numerical ranges are found exactly, so a singular covariance costs nothing.
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_rank_one_covariances_that_do_not_commute():
    u, v = np.random.default_rng(3).normal(size=(2, 30))
    expected = u @ u + v @ v - 2.0 * abs(u @ v)  # tr (uuᵀ vvᵀ)^½ = |u·v|
    zero = np.zeros(30)
    found = frechet.gaussian_frechet_distance(zero, np.outer(u, u), zero, np.outer(v, v))
    np.testing.assert_allclose(found, expected, rtol=1e-12)


def test_well_conditioned_covariances_match_scipys_square_root():
    rng = np.random.default_rng(4)
    a, b = (np.cov(rng.normal(size=(400, 16)) @ rng.normal(size=(16, 16)), rowvar=False) for _ in range(2))
    mean = rng.normal(size=16)
    expected = mean @ mean + np.trace(a + b - 2.0 * scipy.linalg.sqrtm(a @ b).real)
    found = frechet.gaussian_frechet_distance(mean, a, np.zeros(16), b)
    # sqrtm of the unsymmetric product loses digits with its condition number (about 1e5 here).
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_features_match_tfgan(tfgan):
    rng = np.random.default_rng(5)
    real, samples = rng.normal(size=(500, 10)), 0.3 + rng.normal(size=(400, 10)) @ rng.normal(size=(10, 10))
    expected = float(tfgan.eval.frechet_classifier_distance_from_activations(real, samples))
    found = frechet.frechet_distance(
        frechet.GaussianStatistics.from_features(real), frechet.GaussianStatistics.from_features(samples)
    )
    # TF-GAN works in float64 too, with singular values below 1e-10 dropped.
    np.testing.assert_allclose(found, expected, rtol=1e-9)


def test_fewer_samples_than_features_stays_exact():
    rng = np.random.default_rng(6)
    real, samples = rng.normal(size=(20, 64)), rng.normal(size=(30, 64)) + 1.0
    a, b = (frechet.GaussianStatistics.from_features(x) for x in (real, samples))
    # With centred X, Y scaled by the roots of n - 1 the cross term is the nuclear norm of X Yᵀ, of size 20×30.
    x, y = ((features - features.mean(axis=0)) / np.sqrt(len(features) - 1) for features in (real, samples))
    cross = scipy.linalg.svdvals(x @ y.T).sum()
    difference = real.mean(axis=0) - samples.mean(axis=0)
    expected = difference @ difference + (x**2).sum() + (y**2).sum() - 2.0 * cross
    np.testing.assert_allclose(frechet.frechet_distance(a, b), expected, rtol=1e-11)
    np.testing.assert_allclose(frechet.frechet_distance(b, a), expected, rtol=1e-11)
    assert 0.0 <= frechet.frechet_distance(a, a) < 1e-11


def test_the_interval_of_few_wide_features_is_that_of_their_covariances():
    rng = np.random.default_rng(8)
    real, samples = rng.normal(size=(50, 64)), rng.normal(size=(60, 64)) + 0.3

    def statistic(a, b):
        x, y = (frechet.GaussianStatistics.from_features(part) for part in (real[a], samples[b]))
        return frechet.frechet_distance(x, y)

    expected = intervals.discrepancy_interval(statistic, (50, 60), 20, 0.95, 0)
    found = frechet.frechet_interval(real, samples)
    for name in ("value", "low", "high"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), rel=1e-9)
    with pytest.raises(ValueError, match="not finite"):
        frechet.frechet_interval(np.where(real > 2.5, np.nan, real), samples)


def test_constant_features_have_distance_of_their_means():
    a = frechet.GaussianStatistics.from_features(np.full((5, 3), 2.0))
    b = frechet.GaussianStatistics.from_features(np.full((9, 3), 1.0))
    assert frechet.frechet_distance(a, b) == pytest.approx(3.0, rel=1e-14)


def test_streaming_equals_numpy_whatever_the_split_and_however_large_the_mean():
    features = np.random.default_rng(7).normal(size=(1000, 6)) + 1e6
    stream = frechet.GaussianStatistics(6)
    for part in np.split(features, [1, 1, 130, 999]):
        stream.update(part)
    merged = frechet.GaussianStatistics.from_features(features[:300])
    merged.merge(frechet.GaussianStatistics.from_features(features[300:]))
    for statistics in (stream, merged):
        assert statistics.count == 1000
        np.testing.assert_allclose(statistics.mean, features.mean(axis=0), rtol=1e-14)
        # The inputs themselves carry the spread to 1e-10 only (1e6 of 2⁻⁵² each).
        np.testing.assert_allclose(statistics.covariance, np.cov(features, rowvar=False), rtol=1e-9, atol=1e-9)


def test_wrong_features_are_refused():
    statistics = frechet.GaussianStatistics(3)
    with pytest.raises(ValueError, match=r"expected \[n, 3\]"):
        statistics.update(np.zeros((5, 4)))
    with pytest.raises(ValueError, match="not finite"):
        statistics.update(np.full((2, 3), np.nan))
    with pytest.raises(ValueError, match="at least 2"):
        _ = statistics.update(np.zeros((1, 3))).covariance


def test_the_interval_of_wide_features_takes_fewer_halves(monkeypatch):
    taken = []
    halves = intervals.halves

    def counted(statistic, sizes, splits, seed):
        taken.append(splits)
        return halves(lambda *index: float(index[0][0] + 1), sizes, splits, seed)

    monkeypatch.setattr(intervals, "halves", counted)
    rng = np.random.default_rng(9)
    for dim in (512, 513):
        frechet.frechet_interval(rng.normal(size=(40, dim)), rng.normal(size=(40, dim)))
    assert taken == [20, 10]
