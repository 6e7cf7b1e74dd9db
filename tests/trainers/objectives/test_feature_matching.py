"""Feature matching: NumPy, differences, TF-GAN's critic loss, and means over the global batch."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.metrics.tfgan import import_tfgan
from trainers.objectives.feature_matching import FeatureMatching
from zoo.batch import Batch


def test_loss_and_gradient_by_the_generated_examples(
    make, points, noise_of, value_and_gradient, differences, assert_gradients
):
    gan, (real, fake) = make("feature_matching"), points(6)
    kernel, bias, *_ = gan.critic.get_weights()

    def oracle(fake):
        means = [np.tanh(x @ kernel + bias).mean(axis=0) for x in (real, fake)]
        return ((means[0] - means[1]) ** 2).sum()

    value, found = value_and_gradient(
        lambda fake: gan.compute_generator_loss(Batch(tf.constant(real)), Batch(fake), noise_of(6)), [fake]
    )
    # Oracle: NumPy, float64 rounding; the gradient by central differences.
    np.testing.assert_allclose(value, oracle(fake), rtol=1e-12)
    assert_gradients(found, differences(oracle, [fake]))


def test_means_of_bfloat16_features_are_taken_and_subtracted_in_float32(noise_of):
    keras.utils.set_random_seed(0)
    critic = zoo.MLPCritic((3,), hidden_units=(16,), dtype="mixed_bfloat16")
    gan = FeatureMatching(zoo.MLPGenerator((3,), dtype="mixed_bfloat16"), critic)
    real = np.random.default_rng(0).normal(size=(256, 3)).astype(np.float32)
    fake = real + np.float32(0.1)
    features = [tf.cast(critic.features(x, training=True), tf.float64).numpy() for x in (real, fake)]
    # Oracle: NumPy on the same features, in float64. Sums of 256 in float32; bfloat16 means would be 1e-2 off.
    expected = ((features[0].mean(0) - features[1].mean(0)) ** 2).sum()
    np.testing.assert_allclose(
        gan.compute_generator_loss(Batch(real), Batch(tf.constant(fake)), noise_of(256)), expected, rtol=1e-5
    )


def test_two_replicas_match_the_means_of_the_global_batch(make, points, assert_replicas_agree):
    real, _ = points(6)
    latents = np.random.default_rng(5).normal(size=(6, 2))

    def loss(gan, real, latents):
        return gan.compute_generator_loss(real, Batch(gan.generator(latents.x)), None)

    assert_replicas_agree(lambda: make("feature_matching"), loss, "generator", real, latents)


def test_the_critic_plays_minimax_as_in_tf_gan(make):
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    theirs = import_tfgan().losses.losses_impl.minimax_discriminator_loss(real, fake, label_smoothing=0.0)
    # TF-GAN computes in float32.
    np.testing.assert_allclose(make("feature_matching").critic_loss(real, fake), theirs, rtol=1e-6)


def test_there_is_no_generator_loss_of_scores_alone(make):
    with pytest.raises(NotImplementedError, match="FeatureMatching defines no generator_loss"):
        make("feature_matching").generator_loss(tf.zeros([1, 1]))
