"""Bootstrap intervals against the normal theory and SciPy."""

import numpy as np
import pytest
import scipy.stats

from export.metrics import bootstrap


def test_mean_interval_agrees_with_scipys_percentile_bootstrap():
    values = np.random.default_rng(0).normal(size=400)
    found = bootstrap.mean_interval(values, resamples=4000)
    expected = scipy.stats.bootstrap(
        (values,), np.mean, n_resamples=4000, method="percentile", rng=np.random.default_rng(1)
    )
    # Quantiles of 4,000 resamples scatter by 3 % of the standard error (0.05) or so.
    assert found.value == values.mean()
    assert found.low == pytest.approx(expected.confidence_interval.low, abs=0.01)
    assert found.high == pytest.approx(expected.confidence_interval.high, abs=0.01)
    assert found.standard_error == pytest.approx(expected.standard_error, rel=0.1)


def test_sets_are_resampled_independently_and_by_seed():
    seen = []

    def statistic(x, y):
        seen.append((x.copy(), y.copy()))
        return float(x.sum() - y.sum())

    first = bootstrap.bootstrap_interval(statistic, (5, 7), resamples=10, seed=3)
    np.testing.assert_array_equal(seen[0][0], np.arange(5))
    np.testing.assert_array_equal(seen[0][1], np.arange(7))
    assert all(len(x) == 5 and len(y) == 7 and x.max() < 5 and y.max() < 7 for x, y in seen)
    assert first == bootstrap.bootstrap_interval(statistic, (5, 7), resamples=10, seed=3)
    assert first != bootstrap.bootstrap_interval(statistic, (5, 7), resamples=10, seed=4)
    # More resamples continue the stream: the first ten are the same.
    count = len(seen)
    bootstrap.bootstrap_interval(statistic, (5, 7), resamples=12, seed=3)
    for (x, y), (again_x, again_y) in zip(seen[1:11], seen[count + 1 :]):
        np.testing.assert_array_equal(x, again_x)
        np.testing.assert_array_equal(y, again_y)


def test_centred_interval_undoes_the_bias_of_resampling():
    values = np.random.default_rng(5).normal(size=(50, 40))

    def squared_mean(index):
        return float((values[index].mean(axis=0) ** 2).sum())  # biased by trace(covariance) / n, and once more

    percentile = bootstrap.bootstrap_interval(squared_mean, 50, resamples=300)
    centred = bootstrap.bootstrap_interval(squared_mean, 50, resamples=300, method="centred", lower_bound=0.0)
    assert percentile.low > percentile.value
    assert centred.low < centred.value < centred.high
    assert centred.bias == pytest.approx(values.var(axis=0).sum() / 50, rel=0.1)
    assert centred.low >= 0.0


def test_wrong_arguments_are_refused():
    for wrong in ({"level": 1.0}, {"resamples": 1}, {"method": "basic"}, {"sizes": 0}):
        with pytest.raises(ValueError, match="expected sizes"):
            bootstrap.bootstrap_interval(lambda index: 0.0, **{"sizes": 5, **wrong})
