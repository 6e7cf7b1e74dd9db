"""The critic's weights are clipped to a box. Arjovsky, Chintala & Bottou 2017, "Wasserstein GAN", algorithm 1, line
7."""

from trainers.techniques.base import Technique
from zoo.options import Option, number


class WeightClipping(Technique):
    """Clips every weight of the critic to [-bound, bound] after each of its updates.

    Args:
        bound: 0 or more.
    """

    bound = Option(0.01, number(0))

    def constrain(self, value):
        import tensorflow as tf

        return tf.clip_by_value(value, -self.bound, self.bound)
