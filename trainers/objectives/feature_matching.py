"""Feature matching. Salimans et al. 2016, "Improved techniques for training GANs", section 3.1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives.minimax import Minimax
from trainers.replicas import batch_mean


class FeatureMatching(Minimax):
    """The critic plays `minimax`; the generator minimises ‖E f(x) - E f(G(z))‖₂², f the critic's layer before its head.

    The generator does not chase the critic's latest score but matches statistics of real data that the critic finds
    telling, which keeps it from overtraining on the current critic. Both means are over the global batch.
    """

    #: There is none of scores alone.
    generator_loss = GAN.generator_loss

    def compute_generator_loss(self, real, fake, noise):
        of_real = batch_mean(self.critic.features(real, training=True))
        of_fake = batch_mean(self.critic.features(fake, training=True))
        difference = tf.cast(of_real - of_fake, fake.dtype)
        return tf.reduce_sum(tf.square(difference))
