"""Hinge loss with spectral normalisation. Miyato et al. 2018, "Spectral normalization for generative adversarial
networks", equations 16 and 17."""

import tensorflow as tf

from trainers.gan import GAN


class Hinge(GAN):
    """Critic: E[1 - D(x)]₊ + E[1 + D(G(z))]₊; generator: -E D(G(z)).

    Examples scored beyond the margins drop out of the critic's loss. Its minimum over all critics is 2 (1 - TV(p, q)),
    TV the total variation distance, which is flat where p and q do not overlap. Spectral normalisation keeps the
    largest singular value of each layer's kernel at one, so that the critic's slope is bounded and the distance that it
    measures is not flat there.
    """

    critic_normalization = "spectral"

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(tf.nn.relu(1.0 - real_scores)) + tf.reduce_mean(tf.nn.relu(1.0 + fake_scores))

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(fake_scores)
