"""Training learns the mean and the spread of a Gaussian."""

import keras
import numpy as np
import pytest
import tensorflow as tf

import zoo
from trainers import objectives
from trainers.dynamics.alternating import Alternating

MEAN, SPREAD = np.array([1.0, -2.0]), np.array([0.4, 1.2])


def gaussian(batch_size):
    def batch(number):
        normal = tf.random.stateless_normal([batch_size, 2], tf.stack([tf.constant(5, tf.int64), number]))
        return normal * SPREAD.astype(np.float32) + MEAN.astype(np.float32)

    return tf.data.Dataset.counter().map(batch)


@pytest.mark.parametrize(
    "objective, options, rates, steps",
    [
        ("non_saturating", {}, (5e-3, 1e-2), 1500),
        ("wasserstein_gp", {"penalty_weight": 1.0, "dynamics": Alternating()}, (3e-3, 1e-2), 1500),
    ],
)
def test_a_gaussians_mean_and_spread_are_learned(objective, options, rates, steps):
    keras.utils.set_random_seed(0)
    generator = zoo.MLPGenerator((2,), latent_dim=2, hidden_units=())
    critic = zoo.MLPCritic((2,), hidden_units=(32, 32))
    gan = objectives.METHODS.load(objective)(generator, critic, ema_decay=0.998, **options)
    optimizers = [keras.optimizers.Adam(rate, beta_1=0.5) for rate in rates]
    gan.compile(*optimizers, steps_per_execution=100)
    before = gan.sample(range(4096)).numpy()
    gan.fit(gaussian(128), steps_per_epoch=steps, verbose=0, shuffle=False)
    samples = gan.sample(range(4096)).numpy()
    # Tolerance: 0.02 for 4096 samples, and a few hundredths for the EMA of a GAN that cycles around its optimum.
    np.testing.assert_allclose(samples.mean(0), MEAN, atol=0.15)
    np.testing.assert_allclose(samples.std(0), SPREAD, atol=0.15)
    # A generator that had learned nothing would fail.
    assert np.abs(before.mean(0) - MEAN).max() > 1.0
    assert np.abs(before.std(0) - SPREAD).max() > 0.2
