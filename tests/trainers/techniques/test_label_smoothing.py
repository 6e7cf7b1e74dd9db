"""One-sided label smoothing against its closed form and TF-GAN's loss, and where it is refused."""

import numpy as np
import pytest
import tensorflow as tf

import zoo
from export.metrics.tfgan import import_tfgan
from trainers import objectives
from zoo.errors import RequestError


def make(name, **options):
    networks = zoo.MLPGenerator((2,), hidden_units=(), dtype="float64"), zoo.MLPCritic((2,), hidden_units=())
    return objectives.METHODS.load(name)(*networks, **options)


def softplus(t):
    return np.logaddexp(0.0, t)


@pytest.mark.parametrize("name", ["minimax", "non_saturating"])
@pytest.mark.parametrize("scale", [1.0, 300.0])
def test_loss_and_gradient_of_scores_equal_the_closed_form(name, scale):
    real, fake = scale * np.random.default_rng(0).normal(size=(2, 7, 1))
    gan = make(name, real_label=0.9)
    with tf.GradientTape(persistent=True) as tape:
        r, f = tf.constant(real), tf.constant(fake)
        tape.watch([r, f])
        loss = gan.critic_loss(r, f)
    np.testing.assert_allclose(loss, (0.9 * softplus(-real) + 0.1 * softplus(real) + softplus(fake)).mean(), rtol=1e-12)
    sigmoid = np.exp(-softplus(-real))
    np.testing.assert_allclose(tape.gradient(loss, r), (sigmoid - 0.9) / 7, rtol=1e-9, atol=1e-15)
    np.testing.assert_allclose(tape.gradient(loss, f), np.exp(-softplus(-fake)) / 7, rtol=1e-12, atol=1e-300)
    # The generator's side is untouched, and a label of one is the plain loss to the bit.
    np.testing.assert_array_equal(gan.generator_loss(f), make(name).generator_loss(f))
    np.testing.assert_array_equal(make(name, real_label=1.0).critic_loss(r, f), make(name).critic_loss(r, f))


def test_it_is_tf_gans_label_smoothing():
    losses = import_tfgan().losses.losses_impl
    real, fake = np.random.default_rng(1).normal(size=(2, 9, 1)).astype(np.float32)
    # TF-GAN smooths towards one half: a label of 1 - smoothing / 2.
    theirs = losses.modified_discriminator_loss(real, fake, label_smoothing=0.2)
    np.testing.assert_allclose(make("minimax", real_label=0.9).critic_loss(real, fake), theirs, rtol=1e-6)


def test_the_optimal_critic_is_sure_to_the_label_only():
    # On one point with p = q: minimise over the score; the optimum of 0.9 sp(-D) + 0.1 sp(D) + sp(D) is σ(D) = 0.45.
    score = tf.Variable(0.0, dtype=tf.float64)
    gan = make("minimax", real_label=0.9)
    for _ in range(200):
        with tf.GradientTape() as tape:
            loss = gan.critic_loss(score[None, None], score[None, None])
        score.assign_sub(tape.gradient(loss, score))
    np.testing.assert_allclose(tf.sigmoid(score), 0.45, rtol=1e-9)


@pytest.mark.parametrize("label", [0.0, -0.1, 1.1, "high"])
def test_other_labels_are_refused(label):
    with pytest.raises(RequestError, match=r"^config.objective_options.real_label: .*; expected a number in "):
        make("minimax", real_label=label)


def test_it_is_refused_where_there_are_no_real_targets(small_config, build):
    config = small_config("wasserstein")
    config.objective_options = {"real_label": 0.9}
    with pytest.raises(RequestError, match="real_label: no option of wasserstein, which takes clip"):
        build(config)
