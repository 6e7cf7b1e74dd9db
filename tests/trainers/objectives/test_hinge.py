"""The hinge loss against NumPy, central differences and a linear program; its critic."""

import numpy as np
import pytest
import scipy.optimize
import tensorflow as tf

import zoo
from trainers import objectives
from zoo.batch import Batch


@pytest.mark.parametrize("scale", [2.0, 50.0])
def test_losses_and_gradients_equal_the_closed_form(make, points, value_and_gradient, scale):
    gan = make("hinge")
    real, fake = scale * points(20, dim=1)
    assert 0 < (real < 1).mean() < 1 and 0 < (fake > -1).mean() < 1  # examples on both sides of both margins
    value, gradients = value_and_gradient(gan.critic_loss, [real, fake])
    # NumPy in float64: to rounding.
    np.testing.assert_allclose(value, np.maximum(1 - real, 0).mean() + np.maximum(1 + fake, 0).mean(), rtol=1e-14)
    np.testing.assert_allclose(gradients[0], (real < 1) / -20, rtol=1e-14)
    np.testing.assert_allclose(gradients[1], (fake > -1) / 20, rtol=1e-14)
    value, (gradient,) = value_and_gradient(gan.generator_loss, [fake])
    np.testing.assert_allclose(value, -fake.mean(), rtol=1e-14)
    np.testing.assert_allclose(gradient, np.full_like(fake, -1 / 20), rtol=1e-14)


def test_weight_gradients_equal_differences(make, points, noise_of, weight_gradient, differences, assert_gradients):
    gan = make("hinge")
    real, fake = points(6)

    def loss(*weights):
        kernel, bias, head, offset = weights
        scores = [np.tanh(x @ kernel + bias) @ head + offset for x in (real, fake)]
        return np.maximum(1 - scores[0], 0).mean() + np.maximum(1 + scores[1], 0).mean()

    weights = gan.critic.get_weights()
    value, found = weight_gradient(lambda: gan.compute_critic_loss(Batch(real), Batch(fake), noise_of(6)), gan.critic)
    np.testing.assert_allclose(value, loss(*weights), rtol=1e-12)
    assert_gradients(found, differences(loss, weights))


def test_the_least_critic_loss_is_two_less_twice_the_total_variation(make):
    # Any critic on five points is five scores; the least loss over them is a linear program in scores and slacks.
    rng = np.random.default_rng(0)
    p, q = rng.dirichlet(np.ones(5), 2)
    cost = np.concatenate([np.zeros(5), p, q])  # of scores d, slacks s ≥ 1 - d, t ≥ 1 + d
    eye, none = np.eye(5), np.zeros((5, 5))
    above = np.block([[-eye, -eye, none], [eye, none, -eye]])
    bounds = [(None, None)] * 5 + [(0, None)] * 10
    found = scipy.optimize.linprog(cost, A_ub=above, b_ub=-np.ones(10), bounds=bounds)
    np.testing.assert_allclose(found.fun, 2 * (1 - 0.5 * np.abs(p - q).sum()), rtol=1e-9)
    # The loss itself, on samples whose shares are p and q in 10,000ths, at the program's scores.
    counts = [np.round(10_000 * share).astype(int) for share in (p, q)]
    scores = found.x[:5, None]
    loss = make("hinge").critic_loss(*(tf.constant(np.repeat(scores, count, 0)) for count in counts))
    exact = sum(
        (share / share.sum() * np.maximum(1 - sign * scores[:, 0], 0)).sum() for share, sign in zip(counts, (1, -1))
    )
    np.testing.assert_allclose(loss, exact, rtol=1e-12)
    np.testing.assert_allclose(loss, found.fun, atol=1e-3)  # the shares are rounded


def test_its_convolutional_critic_is_spectrally_normalised():
    hinge = objectives.METHODS.load("hinge")
    assert hinge.critic_normalization == "spectral"
    critic = zoo.DCGANCritic((8, 8, 1), base_filters=4, normalization=hinge.critic_normalization)
    x = np.random.default_rng(0).normal(size=(2, 8, 8, 1)).astype("float32")
    for _ in range(50):  # power iterations
        critic(x, training=True)
    before = critic(x).numpy()
    for layer in critic._flatten_layers():
        if hasattr(layer, "kernel"):
            layer.kernel.assign(7.0 * layer.kernel)
    # Only the kernels' directions count: their scale is divided out.
    np.testing.assert_allclose(critic(x).numpy(), before, rtol=1e-4)
