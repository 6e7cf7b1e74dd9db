"""Wasserstein GAN with weight clipping. Arjovsky, Chintala & Bottou 2017, algorithm 1."""

import types

import tensorflow as tf

from trainers.gan import GAN
from trainers.techniques.weight_clipping import WeightClipping
from zoo.options import Option, number


class Wasserstein(GAN):
    """Critic: E D(G(z)) - E D(x); generator: -E D(G(z)); the critic's weights stay in [-clip, clip].

    By the Kantorovich-Rubinstein duality, minus the critic's loss at its optimum is the earth mover's distance W₁ times
    the critic's Lipschitz constant. A critic trained to optimality still gives the generator a gradient.

    Args:
        clip: bound on every weight of the critic, after each of its steps; 0 turns clipping off.

    Raises:
        RequestError: a negative clip.
    """

    default_dynamics_options = types.MappingProxyType({"critic_steps": 5})
    default_optimizer = types.MappingProxyType({"name": "rmsprop", "learning_rate": 5e-5})

    clip = Option(0.01, number(0))

    def own_techniques(self):
        return (WeightClipping(bound=self.clip),) if self.clip else ()

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(fake_scores) - tf.reduce_mean(real_scores)

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(fake_scores)
