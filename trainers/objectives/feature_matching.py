"""Feature matching. Salimans et al. 2016, "Improved techniques for training GANs", section 3.1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives.minimax import Minimax
from zoo.replicas import batch_mean


class FeatureMatching(Minimax):
    """The critic plays `minimax`; the generator minimises ‖E f(x) - E f(G(z))‖₂², f the critic's layer before its head.

    The generator does not chase the critic's latest score but matches statistics of real data that the critic finds
    telling, which keeps it from overtraining on the current critic. Both means are over the global batch.
    """

    #: There is none of scores alone.
    generator_loss = GAN.generator_loss

    def compute_generator_loss(self, real, fake, noise):
        # Means that differ by little, of features that may be bfloat16: taken and subtracted in the examples' dtype.
        of_real, of_fake = (
            batch_mean(tf.cast(self.critic.features(batch.x, training=True, **batch.conditions), fake.x.dtype))
            for batch in (real, fake)
        )
        return tf.reduce_sum(tf.square(of_real - of_fake))
