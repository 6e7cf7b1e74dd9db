"""Wasserstein GAN with weight clipping. Arjovsky, Chintala & Bottou 2017, algorithm 1."""

import keras
import tensorflow as tf

from trainers.dynamics.alternating import Alternating
from trainers.gan import GAN
from trainers.objectives._options import check_number


class Wasserstein(GAN):
    """Critic: E D(G(z)) - E D(x); generator: -E D(G(z)); the critic's weights stay in [-clip, clip].

    By the Kantorovich-Rubinstein duality, minus the critic's loss at its optimum is the earth mover's distance W₁ times
    the critic's Lipschitz constant. The critic may be trained to optimality without starving the generator.

    Args:
        clip: bound on every weight of the critic, after each of its steps; 0 leaves them free.
    """

    def __init__(self, *args, clip=0.01, **kwargs):
        check_number("clip", clip)
        super().__init__(*args, **kwargs)
        self.clip = clip
        # Of two bounds, this one and the run's own, the tighter holds.
        self.weight_clip = min(filter(None, (clip, self.weight_clip)), default=0.0)

    @classmethod
    def default_dynamics(cls):
        return Alternating(critic_steps=5)

    @classmethod
    def default_optimizer(cls):
        return keras.optimizers.RMSprop(5e-5)

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(fake_scores)
