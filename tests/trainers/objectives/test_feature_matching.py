"""Feature matching: NumPy, differences, TF-GAN's critic loss, and means over the global batch."""

import numpy as np
import pytest
import tensorflow as tf

from export.metrics.tfgan import import_tfgan


def test_loss_and_gradient_by_the_generated_examples(
    make, points, noise_of, value_and_gradient, differences, assert_gradients
):
    gan, (real, fake) = make("feature_matching"), points(6)
    kernel, bias, *_ = gan.critic.get_weights()

    def oracle(fake):
        means = [np.tanh(x @ kernel + bias).mean(axis=0) for x in (real, fake)]
        return ((means[0] - means[1]) ** 2).sum()

    value, found = value_and_gradient(
        lambda fake: gan.compute_generator_loss(tf.constant(real), fake, noise_of(6)), [fake]
    )
    # Oracle: NumPy, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(fake), rtol=1e-12)
    assert_gradients(found, differences(oracle, [fake]))


def test_two_replicas_match_the_means_of_the_global_batch(make, points, assert_replicas_agree):
    real, _ = points(6)
    latents = np.random.default_rng(5).normal(size=(6, 2))

    def loss(gan, real, latents):
        return gan.compute_generator_loss(real, gan.generator(latents), None)

    assert_replicas_agree(lambda: make("feature_matching"), loss, "generator", real, latents)


def test_the_critic_plays_minimax_as_in_tf_gan(make):
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    theirs = import_tfgan().losses.losses_impl.minimax_discriminator_loss(real, fake, label_smoothing=0.0)
    # TF-GAN computes in float32.
    np.testing.assert_allclose(make("feature_matching").critic_loss(real, fake), theirs, rtol=1e-6)


def test_there_is_no_generator_loss_of_scores_alone(make):
    with pytest.raises(NotImplementedError, match="FeatureMatching defines no generator_loss"):
        make("feature_matching").generator_loss(tf.zeros([1, 1]))
