"""log Z and log-likelihoods by annealed importance sampling, against enumeration of all states."""

import itertools

import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.metrics.annealed_importance import log_likelihood_interval, log_mean, log_partition, log_weights
from zoo.noise import Noise, key_from

SHAPE, HIDDEN = (3, 3, 1), 6


@pytest.fixture(scope="module")
def machine():
    made, rng = zoo.RBM(SHAPE, hidden_units=HIDDEN, dtype="float64"), np.random.default_rng(2)
    made.set_weights([1.5 * rng.normal(size=weight.shape) for weight in made.get_weights()])
    return made


def enumerated(machine):
    """log Z over all states of both layers."""
    coupling, b, c = machine.get_weights()
    v, h = (np.array(list(itertools.product((0.0, 1.0), repeat=units))) for units in (9, HIDDEN))
    exponents = (v @ b)[:, None] + (h @ c)[None, :] + v @ coupling @ h.T
    return np.logaddexp.reduce(exponents, axis=None)


@pytest.fixture(scope="module")
def exact(machine):
    return enumerated(machine)


def test_intervals_cover_the_enumerated_value(machine, exact):
    # As many estimates as rows, each of 50 runs of its own.
    logs = log_weights(machine, runs=100 * 50, steps=40).reshape(100, 50)
    found = np.array([log_mean(row) for row in logs])
    at_zero = log_partition(machine, runs=2, steps=1)[0] - log_mean(log_weights(machine, runs=2, steps=1))[0]
    errors = (found[:, 0] + at_zero - exact) / np.sqrt(found[:, 1])
    assert np.mean(np.abs(errors) < 1.96) >= 0.88
    # No wider than need be: the errors are as large as they say.
    assert 0.75 < np.sqrt(np.mean(errors**2)) < 1.3


def test_weights_are_unbiased_with_any_number_of_steps(machine):
    # With one step nothing but the start decides.
    made = zoo.RBM(SHAPE, hidden_units=HIDDEN, dtype="float64")
    made.set_weights([0.3 * weight for weight in machine.get_weights()])
    made.visible_bias.assign(np.linspace(-2, 2, 9))
    at_zero = log_partition(made, runs=2, steps=1)[0] - log_mean(log_weights(made, runs=2, steps=1))[0]
    for steps in (1, 3):
        value, variance = log_mean(log_weights(made, runs=10_000, steps=steps))
        assert np.sqrt(variance) < 0.02
        assert value + at_zero == pytest.approx(enumerated(made), abs=4 * np.sqrt(variance))


def test_more_steps_bring_it_closer(machine, exact):
    few, many = (log_partition(machine, runs=50, steps=steps) for steps in (5, 400))
    assert many[1] < few[1] / 10
    assert many[0] == pytest.approx(exact, abs=4 * np.sqrt(many[1])) and np.sqrt(many[1]) < 0.03


def test_weights_are_exact_where_the_machine_has_no_coupling():
    made = zoo.RBM(SHAPE, hidden_units=2, dtype="float64")
    b, c = np.linspace(-2, 2, 9), np.array([0.5, -1.0])
    made.set_weights([np.zeros([9, 2]), b, c])
    expected = np.log(1 + np.exp(c)).sum() - 2 * np.log(2)
    np.testing.assert_allclose(log_weights(made, runs=3, steps=7), expected, rtol=1e-12)
    log_z, variance = log_partition(made, runs=3, steps=7)
    assert log_z == pytest.approx(np.log(1 + np.exp(b)).sum() + np.log(1 + np.exp(c)).sum(), rel=1e-12)
    assert variance < 1e-25


def test_the_variance_is_that_of_the_mean_weight(machine):
    logs = log_weights(machine, runs=30, steps=5, seed=5)
    weights = np.exp(logs)
    value, variance = log_mean(logs)
    assert value == pytest.approx(np.log(weights.mean()), rel=1e-12)
    assert variance == pytest.approx(weights.var(ddof=1) / 30 / weights.mean() ** 2, rel=1e-9)
    assert len(np.unique(weights)) == 30
    assert not np.allclose(logs, log_weights(machine, runs=30, steps=5, seed=6))


def test_the_likelihood_of_images_is_that_of_their_bits(machine, exact):
    images = np.random.default_rng(0).uniform(-1, 1, size=[200, *SHAPE])
    interval = log_likelihood_interval(machine, images, runs=50, steps=400, seed=4)
    coupling, b, c = machine.get_weights()
    bits = np.asarray(machine.binarise(images, Noise(key_from(4), tf.range(200))))
    of_images = bits @ b + np.log(1 + np.exp(c + bits @ coupling)).sum(axis=1) - exact
    log_z, variance = log_partition(machine, runs=50, steps=400, seed=4)
    assert interval.value == pytest.approx(of_images.mean() + exact - log_z, rel=1e-9)
    assert interval.low < of_images.mean() < interval.high
    deviation = np.sqrt(of_images.var(ddof=1) / 200 + variance)
    # Student's t of 49 degrees of freedom.
    assert interval.high - interval.value == pytest.approx(2.0096 * deviation, rel=1e-4)
