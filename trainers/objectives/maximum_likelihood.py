"""The generator's maximum-likelihood cost. Goodfellow 2014b, "On distinguishability criteria for estimating generative
models", and his tutorial of 2016, section 3.2.4."""

import tensorflow as tf

from trainers.objectives.minimax import Minimax
from zoo.options import Option, number


class MaximumLikelihood(Minimax):
    """The critic plays `minimax`; the generator minimises -E exp(min(D(G(z)), clip)), D a logit.

    At the optimal critic exp(D(x)) = p(x) / q(x), and the gradient of this loss is that of KL(p‖q), which maximum
    likelihood minimises. Nearly all of it comes from the few examples that look most real, so its variance is high: it
    is more for study than for use.

    Args:
        clip: largest exponent, above 0. An example with a score above it counts with weight exp(clip) and gives no
            gradient: a single overconfident score must not overflow the step. At the equilibrium scores are 0.
        real_label: as of `minimax`.

    Raises:
        RequestError: an option out of range.
    """

    clip = Option(10.0, number(above=0))

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(tf.exp(tf.minimum(fake_scores, self.clip)))
