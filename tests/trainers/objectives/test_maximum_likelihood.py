"""The maximum-likelihood cost: NumPy, TF-GAN's critic loss, and the gradient of KL(p‖q) in closed form."""

import keras
import numpy as np
import pytest
import tensorflow as tf

from export.metrics.tfgan import import_tfgan
from zoo.errors import RequestError


@pytest.mark.parametrize("scale", [1.0, 30.0])
def test_loss_and_gradient_of_scores_equal_the_closed_form(scale, make, value_and_gradient):
    gan = make("maximum_likelihood", clip=8.0)
    fake = scale * np.random.default_rng(0).normal(size=(9, 1))
    value, (gradient,) = value_and_gradient(gan.generator_loss, [fake])
    # Oracle: NumPy; float64 rounding. Above the clip an example has weight exp(clip) and no gradient.
    np.testing.assert_allclose(value, -np.exp(np.minimum(fake, 8.0)).mean(), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.where(fake < 8.0, -np.exp(fake), 0.0) / 9, rtol=1e-12, atol=1e-300)


def test_the_critic_plays_minimax_as_in_tf_gan(make):
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    theirs = import_tfgan().losses.losses_impl.minimax_discriminator_loss(real, fake, label_smoothing=0.0)
    # TF-GAN computes in float32.
    np.testing.assert_allclose(make("maximum_likelihood").critic_loss(real, fake), theirs, rtol=1e-6)


def test_at_the_optimal_critic_the_gradient_is_that_of_kl(make):
    """Oracle: KL(N(m, σ²)‖N(μ, s²)) by hand; expectations over z by Gauss-Hermite quadrature, exact to 1e-9 here."""
    m, sigma, mu, s = 0.3, 0.6, -0.2, 1.0
    gan = make("maximum_likelihood")
    nodes, weights = np.polynomial.hermite_e.hermegauss(120)
    location, scale = tf.Variable(mu, dtype=tf.float64), tf.Variable(s, dtype=tf.float64)
    with tf.GradientTape() as tape:
        x = location + scale * nodes
        # D* = log p - log q at the current model, which the generator's gradient does not look into.
        scores = 0.5 * ((x - mu) / s) ** 2 - 0.5 * ((x - m) / sigma) ** 2 + np.log(s / sigma)
        losses = tf.stack([gan.generator_loss(score[None, None]) for score in tf.unstack(scores)])
        loss = tf.reduce_sum(weights / weights.sum() * losses)
    by_location, by_scale = tape.gradient(loss, [location, scale])
    np.testing.assert_allclose(loss, -1.0, rtol=1e-9)  # -E_q p/q
    np.testing.assert_allclose(by_location, (mu - m) / s**2, rtol=1e-8)
    np.testing.assert_allclose(by_scale, 1 / s - (sigma**2 + (m - mu) ** 2) / s**3, rtol=1e-8)


@pytest.mark.parametrize("clip", [0.0, -1.0, float("nan"), "high"])
def test_a_clip_that_would_stop_the_game_is_refused(clip, make):
    with pytest.raises(RequestError, match=r"config.objective_options.clip: .*; expected a number above 0"):
        make("maximum_likelihood", clip=clip)


def test_label_smoothing_reaches_its_critic(make):
    keras.utils.set_random_seed(0)
    assert make("maximum_likelihood", real_label=0.9).real_label == 0.9
