"""The "-log D" alternative, the default. Goodfellow et al. 2014, section 3."""

import tensorflow as tf

from trainers.objectives.minimax import Minimax


class NonSaturating(Minimax):
    """The critic plays `minimax`; the generator minimises -E log σ(D(G(z))).

    Its gradient does not vanish where the critic is certain. At the optimal critic it is the gradient of
    KL(q‖p) - 2 JSD(p, q) (Arjovsky & Bottou 2017, theorem 2.5): mode dropping costs it little.
    """

    def generator_loss(self, fake_scores):
        return tf.reduce_mean(tf.nn.softplus(-fake_scores))
