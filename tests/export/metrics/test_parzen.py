"""The Parzen window against scikit-learn's KernelDensity and against known densities."""

import numpy as np
import pytest
import sklearn.model_selection
import sklearn.neighbors

from export.metrics import parzen


def test_the_density_is_scikit_learns_and_the_bandwidth_the_best_of_it():
    rng = np.random.default_rng(0)
    samples, validation, test = 3.0 + rng.normal(size=(80, 3)), 3.2 + rng.normal(size=(50, 3)), rng.normal(size=(33, 3))
    found = parzen.parzen_log_likelihood(samples, validation, test, chunk=7)
    density = sklearn.neighbors.KernelDensity(bandwidth=found.bandwidth, rtol=1e-12).fit(samples)
    np.testing.assert_allclose(found.per_example, density.score_samples(test), rtol=1e-9)
    assert found.mean == pytest.approx(density.score_samples(test).mean(), rel=1e-9)

    def score(bandwidth):
        return sklearn.neighbors.KernelDensity(bandwidth=bandwidth).fit(samples).score(validation)

    best = max(np.geomspace(0.02, 50.0, 60), key=score)
    assert score(found.bandwidth) >= score(best) and 0.9 < found.bandwidth / best < 1.1


def test_the_density_of_a_known_distribution_is_found():
    rng = np.random.default_rng(1)
    samples, validation, test = rng.normal(size=(2000, 1)), rng.normal(size=(300, 1)), rng.normal(size=(300, 1))
    found = parzen.parzen_log_likelihood(samples, validation, test)
    true = -0.5 * test[:, 0] ** 2 - 0.5 * np.log(2 * np.pi)
    # Below it by the error of the estimate, small in one dimension.
    assert 0.0 < true.mean() - found.mean < 0.02
    assert found.per_sample.mean() == pytest.approx(1.0, rel=1e-9)


def test_what_a_sample_contributes_is_the_derivative_by_its_weight():
    rng = np.random.default_rng(2)
    samples, validation, test = rng.normal(size=(30, 2)), rng.normal(size=(20, 2)), rng.normal(size=(25, 2))
    found = parzen.parzen_log_likelihood(samples, validation, test)

    def mean(weights):
        kernel = sklearn.neighbors.KernelDensity(bandwidth=found.bandwidth, rtol=1e-12)
        return kernel.fit(samples, sample_weight=weights).score(test) / len(test)

    for index in (0, 7):
        step = 1e-4 * (np.arange(30) == index)
        slope = (mean(1.0 + step) - mean(1.0 - step)) / 2e-4
        # One sample's weight also takes from the others': (per_sample - 1) / m.
        assert slope == pytest.approx((found.per_sample[index] - 1.0) / 30, rel=1e-4)


def test_validation_examples_that_are_samples_have_no_best_bandwidth():
    points = np.arange(6.0).reshape(3, 2)
    found = parzen.parzen_log_likelihood(points, points[:2], points)
    assert found.mean == np.inf and found.interval().low is None and "no bandwidth is best" in found.interval().reason
    one = parzen.parzen_log_likelihood(points, points + 1.0, points[:1])
    assert one.interval().reason == "there is one example only"
