"""Least squares GAN. Mao et al. 2016, equation 2 (and equation 7 for the Pearson χ² setting)."""

import tensorflow as tf

from trainers.gan import GAN
from zoo.options import Option, number


class LeastSquares(GAN):
    """Critic: ½E(D(x) - b)² + ½E(D(G(z)) - a)²; generator: ½E(D(G(z)) - c)².

    Examples on the right side of the boundary but far from it still have a gradient. With b - c = 1 and b - a = 2,
    as (a, b, c) = (-1, 1, 0), the generator minimises the Pearson χ² divergence between p + q and 2q.

    Args:
        fake_target: a, the critic's target for generated examples.
        real_target: b, the critic's target for real ones.
        generator_target: c, the generator's target for the critic's scores of generated ones.
    """

    fake_target = Option(0.0, number())
    real_target = Option(1.0, number())
    generator_target = Option(1.0, number())

    def critic_loss(self, real_scores, fake_scores):
        real = tf.reduce_mean(tf.square(real_scores - self.real_target))
        fake = tf.reduce_mean(tf.square(fake_scores - self.fake_target))
        return 0.5 * (real + fake)

    def generator_loss(self, fake_scores):
        return 0.5 * tf.reduce_mean(tf.square(fake_scores - self.generator_target))
