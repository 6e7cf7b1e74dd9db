"""Instance noise: its distribution, its schedule, which inputs it is added to, and the gradient through it."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers.objectives.wasserstein import Wasserstein
from trainers.techniques.instance_noise import InstanceNoise
from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.noise import Noise


def networks():
    keras.utils.set_random_seed(0)
    return (
        zoo.MLPGenerator((3,), latent_dim=2, hidden_units=(), dtype="float64"),
        zoo.MLPCritic((3,), hidden_units=(4,), activation="tanh", dtype="float64"),
    )


def draw(kind, noise, shape):
    return noise.normal(f"instance noise {kind}", shape).numpy().astype(np.float64)


@pytest.mark.parametrize("step, left", [(0, 1.0), (25, 0.75), (99, 0.01), (100, 0.0), (500, 0.0)])
def test_the_deviation_falls_linearly_to_zero(step, left):
    noise = Noise.of_step(0, tf.constant(step, tf.int64), 4)
    x = np.random.default_rng(0).normal(size=(4, 2, 2, 1))
    found = InstanceNoise(std=0.4, until=100).view(Batch(tf.constant(x)), "real", noise, tf.constant(step, tf.int64))
    np.testing.assert_allclose(found.x, x + 0.4 * left * draw("real", noise, [2, 2, 1]), rtol=1e-12)


def test_noise_of_a_share_of_less_than_a_step_is_in_the_first_step_alone():
    noise, x = Noise.of_step(0, tf.constant(0, tf.int64), 4), tf.zeros([4, 3], tf.float64)
    part = InstanceNoise.of_run({"std": 0.4, "until": 0.5}, 1)
    for step, left in ((0, 1.0), (1, 0.0)):
        found = part.view(Batch(x), "real", noise, tf.constant(step, tf.int64)).x
        np.testing.assert_allclose(found, 0.4 * left * draw("real", noise, [3]), rtol=1e-12)


def test_real_and_generated_examples_and_the_draws_of_a_step_get_noise_of_their_own():
    noise, step = Noise.of_step(0, tf.constant(3, tf.int64), 4096), tf.constant(0, tf.int64)
    part = InstanceNoise(std=2.0, until=10)
    zeros = Batch(tf.zeros([4096, 3]))
    draws = [part.view(zeros, kind, noise.fold_in(k), step).x for kind in ("real", "fake") for k in (0, 1)]
    draws.append(noise.normal("latents", [3]))
    correlations = np.corrcoef([np.ravel(values) for values in draws])
    # Five standard errors of the correlation, and of the deviation, of 12,288 pairs.
    assert np.abs(correlations - np.eye(5)).max() < 5 / np.sqrt(12288)
    assert all(abs(np.std(values) - 2.0) < 5 * 2.0 / np.sqrt(2 * 12288) for values in draws[:4])


def test_both_losses_see_the_noisy_examples_and_the_generator_learns_through_it():
    gan = Wasserstein(*networks(), clip=0.0, techniques=[InstanceNoise(std=0.5, until=10)])
    gan.step.assign(4)
    noise = gan.noise(6)
    real = np.random.default_rng(0).normal(size=(6, 3))
    kernel, bias, head, offset = gan.critic.get_weights()
    a, b = gan.generator.get_weights()
    z = noise.normal("latents", [2]).numpy().astype(np.float64)
    noisy_real, noisy_fake = (x + 0.3 * draw(kind, noise, [3]) for kind, x in (("real", real), ("fake", z @ a + b)))

    def scores(x):
        return np.tanh(x @ kernel + bias) @ head + offset

    with tf.GradientTape() as tape:
        fake = gan.generate(noise)
        generator_loss = gan.generator_total_loss(Batch(tf.constant(real)), fake, noise)
    critic_loss = gan.critic_total_loss(Batch(tf.constant(real)), fake, noise)
    np.testing.assert_allclose(critic_loss, scores(noisy_fake).mean() - scores(noisy_real).mean(), rtol=1e-12)
    np.testing.assert_allclose(generator_loss, -scores(noisy_fake).mean(), rtol=1e-12)
    # By hand: the slope of the critic at the noisy examples, carried to the generator's weights.
    slope = ((1 - np.tanh(noisy_fake @ kernel + bias) ** 2) * head[:, 0]) @ kernel.T / -6
    of_a, of_b = tape.gradient(generator_loss, [variable.value for variable in gan.generator.trainable_variables])
    np.testing.assert_allclose(of_a, z.T @ slope, rtol=1e-10)
    np.testing.assert_allclose(of_b, slope.sum(0), rtol=1e-10)


def test_without_it_the_losses_are_the_plain_ones():
    plain = Wasserstein(*networks(), clip=0.0)
    real, noise = tf.constant(np.random.default_rng(0).normal(size=(6, 3))), plain.noise(6)
    fake = plain.generate(noise)
    np.testing.assert_array_equal(
        plain.critic_total_loss(Batch(real), fake, noise),
        plain.compute_critic_loss(Batch(real), fake, noise),
    )


def test_the_config_gives_a_share_of_the_run(small_config, build):
    config = small_config(changes={"train.steps": 80, "techniques.instance_noise": {"std": 0.3, "until": 0.25}})
    assert build(config).model.techniques == (InstanceNoise(std=0.3, until=20),)
    assert build(small_config()).model.techniques == ()


@pytest.mark.parametrize(
    "changes, message",
    [
        ({"std": -0.1}, "std: -0.1; expected a number, 0 or more"),
        ({"until": 1.5}, "until: 1.5; expected a number in \\(0, 1\\]"),
        ({"until": 0.0}, "until: 0.0; expected a number in \\(0, 1\\]"),
        ({"sigma": 0.1}, "sigma: no option of instance_noise, which takes std, until"),
    ],
)
def test_wrong_requests_are_refused(changes, message, small_config, build):
    with pytest.raises(RequestError, match=f"config.techniques.instance_noise.{message}"):
        build(small_config(changes={"techniques.instance_noise": changes}))
