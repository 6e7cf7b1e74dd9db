"""Games with closed forms, and their copies as diagnostics take them."""

import itertools
import types

import keras
import tensorflow as tf

import zoo
from trainers.objectives.minimax import Minimax
from trainers.objectives.wasserstein import Wasserstein
from zoo.batch import Batch


class FixedLatents:
    """Has a generator see the rows of `points` as latents, whatever the noise."""

    points = None

    def generate(self, noise, conditions=types.MappingProxyType({})):
        return Batch(self.generator(self.points, training=True), dict(conditions), self.points)


class LinearWasserstein(FixedLatents, Wasserstein):
    """D(x) = wᵀx + c, without clipping: L_D = wᵀ(E g - E x)."""


class LinearMinimax(FixedLatents, Minimax):
    pass


def linear_game(objective, points, **options):
    """Generator zA + b and critic wᵀx + c of dimension d in float64; points [N, d] are the latents. All weights are 0
    but A, which is the identity: the samples are the points."""
    dim = points.shape[1]
    generator = zoo.MLPGenerator((dim,), latent_dim=dim, hidden_units=(), dtype="float64")
    critic = zoo.MLPCritic((dim,), hidden_units=(), dtype="float64")
    gan = objective(generator, critic, **options)
    gan.points = tf.constant(points, tf.float64)
    gan.compile(keras.optimizers.SGD(0.125), keras.optimizers.SGD(0.125))
    for variable in [*generator.variables, *critic.variables]:
        variable.assign(tf.zeros(variable.shape, tf.float64))
    generator.trainable_variables[0].assign(tf.eye(dim, dtype=tf.float64))
    return gan


class HandMade:
    """What diagnostics ask of an `export.diagnostics.game.Game`, for a GAN that no config describes.

    Args:
        gan: the `GAN`.
        real: {split: examples [N, d]}, the same in every batch.
        rate: of the optimizers, plain descent.
    """

    def __init__(self, gan, real, rate=0.125):
        self.model, self.real, self.rate = gan, real, rate
        self.batch_size = len(next(iter(real.values())))
        self._kept = [variable.numpy() for variable in gan.variables]

    def restore(self):
        for variable, value in zip(self.model.variables, self._kept):
            variable.assign(value)

    def fresh_optimizer(self, name):
        return keras.optimizers.SGD(self.rate)

    def batches(self, split, count, seed):
        return iter(itertools.repeat(Batch(tf.constant(self.real[split], tf.float64)), count))

    def noise(self, draw):
        return None
