"""Loss-sensitive GAN: NumPy, differences, and TF-GAN's Wasserstein loss where every margin is violated."""

import numpy as np
import pytest
import tensorflow as tf

from export.metrics.tfgan import import_tfgan
from zoo.batch import Batch
from zoo.errors import RequestError


@pytest.mark.parametrize("distance, order", [("l1", 1), ("l2", 2)])
def test_loss_and_weight_gradient(
    distance, order, make, points, noise_of, weight_gradient, differences, assert_gradients, penalised_critic
):
    gan = make("loss_sensitive", distance=distance, margin_scale=0.3, penalty_weight=2.0, loss_weight=0.5)
    real, fake = points(8)
    margins = 0.3 * np.linalg.norm(real - fake, ord=order, axis=1)

    def oracle(*weights):
        real_losses, fake_losses = penalised_critic(weights, real)[0], penalised_critic(weights, fake)[0]
        return 0.5 * real_losses.mean() + 2.0 * np.maximum(margins + real_losses - fake_losses, 0.0).mean()

    weights = gan.critic.get_weights()
    slack = margins + penalised_critic(weights, real)[0] - penalised_critic(weights, fake)[0]
    assert slack.min() < -0.01 < 0.01 < slack.max()  # both sides of the hinge, and no example on it
    value, found = weight_gradient(
        lambda: gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise_of(8)),
        gan.critic,
    )
    # Oracle: NumPy, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-12)
    assert_gradients(found, differences(oracle, weights))


def test_the_generator_minimises_the_loss_itself(make, value_and_gradient):
    fake = np.random.default_rng(0).normal(size=(7, 1))
    value, (gradient,) = value_and_gradient(make("loss_sensitive").generator_loss, [fake])
    np.testing.assert_allclose(value, fake.mean(), rtol=1e-12)
    np.testing.assert_allclose(gradient, np.full((7, 1), 1 / 7), rtol=1e-12)


def test_where_every_margin_is_violated_it_is_the_wasserstein_loss_of_tf_gan(make):
    losses = import_tfgan().losses.losses_impl
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    gan = make("loss_sensitive", loss_weight=0.0)
    # The critic is read as a loss: high where TF-GAN's score is low. TF-GAN is float32.
    theirs = losses.wasserstein_discriminator_loss(-real, -fake)
    np.testing.assert_allclose(gan.critic_loss(real, fake, margins=50.0), 50.0 + theirs, rtol=1e-6)
    np.testing.assert_allclose(gan.generator_loss(fake), losses.wasserstein_generator_loss(-fake), rtol=1e-6)


def test_a_generated_example_at_its_partner_needs_no_margin(make, points):
    gan, (real, _) = make("loss_sensitive", margin_scale=1.0), points(4)
    assert np.all(gan.margins(tf.constant(real), tf.constant(real)).numpy() == 0.0)
    images = tf.zeros([4, 8, 8, 1], tf.float64)
    np.testing.assert_allclose(gan.margins(images, images + 0.5), np.full((4, 1), 32.0))


@pytest.mark.parametrize("option", ["margin_scale", "penalty_weight", "loss_weight"])
def test_negative_weights_are_refused(option, make):
    with pytest.raises(RequestError, match=rf"config.objective_options.{option}: -0.5; expected a number, 0 or more"):
        make("loss_sensitive", **{option: -0.5})


def test_an_unknown_distance_is_refused(make):
    with pytest.raises(RequestError, match=r"config.objective_options.distance: 'l3'; did you mean 'l"):
        make("loss_sensitive", distance="l3")
