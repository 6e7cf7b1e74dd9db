"""DRAGAN's penalty around real data: a critic and its gradient by hand in NumPy, differences, two replicas."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.metrics.tfgan import import_tfgan
from zoo.batch import Batch
from zoo.errors import RequestError


def around(real, noise, spread=0.5):
    steps = noise.uniform("surroundings", [3]).numpy().astype(np.float64)
    share = noise.uniform("surroundings share", [1]).numpy().astype(np.float64)
    return real + share * spread * real.std() * steps


def test_loss_and_weight_gradient(
    make, points, noise_of, weight_gradient, differences, assert_gradients, penalised_critic
):
    gan, noise, (real, fake) = make("dragan", target=0.7, spread=0.25), noise_of(6), points(6)
    near = around(real, noise, 0.25)

    def oracle(*weights):
        real_scores, fake_scores = penalised_critic(weights, real)[0], penalised_critic(weights, fake)[0]
        norms = np.sqrt(penalised_critic(weights, near)[1])
        game = np.logaddexp(0, -real_scores).mean() + np.logaddexp(0, fake_scores).mean()
        return game + 10.0 * ((norms - 0.7) ** 2).mean()

    def loss():
        return gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise)

    value, found = weight_gradient(loss, gan.critic)
    weights = gan.critic.get_weights()
    # Oracle: NumPy, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(*weights), rtol=1e-12)
    assert_gradients(found, differences(oracle, weights))


def test_the_penalty_looks_around_real_examples_only(make, points, noise_of):
    gan, noise, (real, fake) = make("dragan"), noise_of(6), points(6)
    losses = [
        gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(x)), noise) for x in (fake, 3.0 * fake)
    ]
    games = [gan.critic_loss(gan.critic(tf.constant(real)), gan.critic(tf.constant(x))) for x in (fake, 3.0 * fake)]
    np.testing.assert_allclose(losses[0] - losses[1], games[0] - games[1], rtol=1e-10)
    near = around(real, noise)
    assert np.all(near >= real)
    assert np.all(near - real <= 0.5 * real.std())
    assert len(np.unique(near - real)) == real.size  # a step of its own for each component


def test_two_replicas_scale_by_the_global_batchs_deviation(make, points, assert_replicas_agree):
    real, fake = points(6)
    real[:3] *= 10.0  # the halves' deviations differ

    def loss(gan, real, fake):
        return gan.compute_critic_loss(real, fake, gan.noise(tf.shape(real.x)[0]))

    assert_replicas_agree(lambda: make("dragan"), loss, "critic", real, fake)


def test_without_penalty_the_losses_are_tf_gans(make):
    losses = import_tfgan().losses.losses_impl
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    gan = make("dragan")
    theirs = losses.modified_discriminator_loss(real, fake, label_smoothing=0.0)
    np.testing.assert_allclose(gan.critic_loss(real, fake), theirs, rtol=1e-6)  # TF-GAN is float32
    theirs = losses.modified_generator_loss(fake, label_smoothing=0.0)
    np.testing.assert_allclose(gan.generator_loss(tf.constant(fake)), theirs, rtol=1e-6)


def test_a_flat_critic_has_no_nan(make, points, noise_of, weight_gradient):
    gan, (real, fake) = make("dragan", penalty_weight=3.0), points(6)
    gan.critic.set_weights([np.zeros_like(weight) for weight in gan.critic.get_weights()])
    value, gradients = weight_gradient(
        lambda: gan.compute_critic_loss(Batch(tf.constant(real)), Batch(tf.constant(fake)), noise_of(6)),
        gan.critic,
    )
    np.testing.assert_allclose(value, 3.0 + 2.0 * np.log(2.0), rtol=1e-12)
    assert all(np.isfinite(gradient).all() for gradient in gradients)


def test_wrong_requests_are_refused(make):
    with pytest.raises(
        RequestError, match=r"config.objective_options.penalty_weight: -1; expected a number, 0 or more"
    ):
        make("dragan", penalty_weight=-1)
    with pytest.raises(RequestError, match=r"config.objective_options.spread: 0; expected a number above 0"):
        make("dragan", spread=0)
    mixing = zoo.MLPCritic((3,), hidden_units=(5,), normalization="batch")
    with pytest.raises(RequestError, match=r"config.critic.normalization: 'batch' mixes .*dragan"):
        make("dragan", critic=mixing)
