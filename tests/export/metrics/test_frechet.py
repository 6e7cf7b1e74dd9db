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


@pytest.mark.parametrize("digits", [4, 10, 20])
def test_spectra_that_fall_by_many_digits_match_the_closed_form(digits):
    q = _orthogonal(60, 10)
    a, b = 10.0 ** -np.linspace(0.0, digits, 60), 0.5 * 10.0 ** -np.linspace(0.0, digits / 2, 60)
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    found = frechet.gaussian_frechet_distance(np.zeros(60), q * a @ q.T, np.zeros(60), q * b @ q.T)
    # The covariances carry 1e-16 of their norms, and an eigenvalue's root half of the digits: 1e-8, of 60 of them.
    np.testing.assert_allclose(found, expected, rtol=1e-7)


@pytest.mark.parametrize("n, m, dim", [(2500, 1500, 40), (300, 200, 500), (2, 3, 4), (2, 50, 200), (60, 2, 1)])
@pytest.mark.parametrize("offset", [0.0, 1e3])
def test_float32_features_of_any_number_match_the_square_root_of_their_covariances(n, m, dim, offset):
    rng = np.random.default_rng(11)
    mixing = rng.normal(size=(dim, dim)) / np.sqrt(1.0 + np.arange(dim))
    real, samples = (
        np.float32(np.maximum(rng.normal(size=(size, dim)) @ mixing + 0.1 * set_, 0.0) + offset)
        for set_, size in enumerate((n, m))
    )
    a, b = (np.cov(np.float64(each), rowvar=False).reshape(dim, dim) for each in (real, samples))
    # By eigenvectors instead of Cholesky's factors.
    values, vectors = np.linalg.eigh(a)
    root = vectors * np.sqrt(np.maximum(values, 0.0)) @ vectors.T
    fidelity = np.sqrt(np.maximum(np.linalg.eigvalsh(root @ b @ root), 0.0)).sum()
    difference = real.mean(0, dtype=np.float64) - samples.mean(0, dtype=np.float64)
    expected = difference @ difference + np.trace(a) + np.trace(b) - 2.0 * fidelity
    found = frechet.frechet_distance(*map(frechet.GaussianStatistics.from_features, (real, samples)))
    # The reference loses half of the digits where eigenvalues are zero.
    np.testing.assert_allclose(found, expected, rtol=1e-6)
    swapped = frechet.frechet_distance(*map(frechet.GaussianStatistics.from_features, (samples, real)))
    np.testing.assert_allclose(found, swapped, rtol=1e-9)


@pytest.mark.parametrize(
    "fall, factor, by_eigenvalues",
    [
        (0.5, 1.3, True),
        # Nearly equal distributions, and spectra that fall by many digits, leave the distance to small values.
        (0.5, 1.0 + 1e-5, False),
        (6.0, 1.3, False),
    ],
)
@pytest.mark.parametrize("rank", [600, 560])
def test_wide_features_take_eigenvalues_where_these_are_precise_enough(monkeypatch, fall, factor, by_eigenvalues, rank):
    dim, calls = 600, []
    singular_values = scipy.linalg.svdvals
    monkeypatch.setattr(scipy.linalg, "svdvals", lambda *args, **kwargs: calls.append(1) or singular_values(*args))
    q = _orthogonal(dim, 13)
    a = (1.0 + np.arange(dim)) ** -fall
    b = factor * a * (np.arange(dim) < rank)
    expected = ((np.sqrt(a) - np.sqrt(b)) ** 2).sum()
    found = frechet.gaussian_frechet_distance(np.zeros(dim), q * a @ q.T, np.zeros(dim), q * b @ q.T)
    assert (not calls) == (by_eigenvalues or (rank < dim and fall < 1.0))
    # The covariances carry 1e-16 of their norms: of a distance of 1e-11 of them few digits are left.
    tolerance = 1e-3 if factor < 1.01 and rank == dim else 1e-10
    np.testing.assert_allclose(found, expected, rtol=tolerance)
    swapped = frechet.gaussian_frechet_distance(np.zeros(dim), q * b @ q.T, np.zeros(dim), q * a @ q.T)
    np.testing.assert_allclose(swapped, expected, rtol=tolerance)


@pytest.mark.parametrize("samples", [20, 200])
def test_rounding_makes_no_distance_negative(samples):
    for seed in range(20):
        features = np.random.default_rng(seed).normal(size=(samples, 64))
        statistics = frechet.GaussianStatistics.from_features(features)
        assert 0.0 <= frechet.frechet_distance(statistics, statistics) < 1e-11


def test_singular_covariances_of_any_scale_and_duplicated_features():
    rng = np.random.default_rng(12)
    real, samples = rng.normal(size=(200, 6)), 0.2 + rng.normal(size=(150, 6)) @ rng.normal(size=(6, 6))
    expected = frechet.frechet_distance(*map(frechet.GaussianStatistics.from_features, (real, samples)))
    # Each feature eight times, among features that are always zero: eight times the distance.
    wide = [np.concatenate([np.tile(each, 8), np.zeros((len(each), 9))], axis=1) for each in (real, samples)]
    for scale in (1e-6, 1.0, 1e6):
        found = frechet.frechet_distance(*(frechet.GaussianStatistics.from_features(scale * each) for each in wide))
        np.testing.assert_allclose(found, 8.0 * scale**2 * expected, rtol=1e-11)


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
