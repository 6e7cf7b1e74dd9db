"""The original game. Goodfellow et al. 2014, "Generative adversarial nets", equation 1."""

import tensorflow as tf

from trainers.gan import GAN


class Minimax(GAN):
    """min_G max_D E log σ(D(x)) + E log(1 - σ(D(G(z)))), D a logit.

    At the optimal critic the value is -log 4 + 2 JSD(p, q). The generator's gradient vanishes as the critic becomes
    certain (Arjovsky & Bottou 2017, theorem 2.4), which is what `non_saturating` is for.
    """

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(tf.nn.softplus(-real_scores)) + tf.reduce_mean(tf.nn.softplus(fake_scores))

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(tf.nn.softplus(fake_scores))
