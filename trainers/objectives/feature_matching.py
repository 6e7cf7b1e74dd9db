"""Feature matching. Salimans et al. 2016, "Improved techniques for training GANs", section 3.1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives.minimax import Minimax
from zoo.replicas import batch_mean


class FeatureMatching(Minimax):
    """The critic plays `minimax`; the generator minimises ‖E f(x) - E f(G(z))‖₂², f the critic's layer before its head.

    The generator matches statistics of real data that the critic finds discriminative, rather than its latest score,
    which keeps it from overtraining on the current critic. Both means are over the global batch.
    """

    #: Undefined: the loss is not a function of scores.
    generator_loss = GAN.generator_loss

    def compute_generator_loss(self, real, fake, noise):
        # The means differ by little and features may be bfloat16: average and subtract in the examples' dtype.
        of_real, of_fake = (
            batch_mean(tf.cast(self.critic.features(batch.x, training=True, **batch.conditions), fake.x.dtype))
            for batch in (real, fake)
        )
        return tf.reduce_sum(tf.square(of_real - of_fake))
