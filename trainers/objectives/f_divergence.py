"""f-GAN: any f-divergence by its variational bound. Nowozin, Cseke & Tomioka 2016, "f-GAN: training generative neural
samplers using variational divergence minimization"."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives._divergences import DIVERGENCES
from zoo.options import SWITCH, Option, one_of


class FDivergence(GAN):
    """Critic: -E g(V(x)) + E f*(g(V(G(z)))), V its raw output; generator: -E g(V(G(z))), or -E f*(g(V(G(z)))).

    Minus the critic's loss is a lower bound of D_f(p‖q), tight at g(V) = f'(p/q). The activation g keeps the critic in
    the domain of the conjugate f* (the paper's tables 2 and 6). With ``gan`` this is the original game.
    Losses of divergences that weigh a ratio without bound grow exponentially in the score: `kl`, `jeffrey` and
    `squared_hellinger` on generated examples, `reverse_kl`, `neyman` and `squared_hellinger` on real ones.

    Args:
        divergence: kl, reverse_kl, pearson, neyman, squared_hellinger, jensen_shannon, gan, total_variation or jeffrey.
        saturating: the generator minimises the bound itself; by default the alternative of section 3.2, which like
            `non_saturating` has a gradient where the critic is certain.

    Raises:
        RequestError: an unknown divergence; the message names the nearest.
    """

    divergence = Option("jensen_shannon", one_of(*DIVERGENCES))
    saturating = Option(False, SWITCH)

    def __init__(self, *args, **kwargs):
        super().__init__(*args, **kwargs)
        self._row = DIVERGENCES[self.divergence]

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(self._row.composed(fake_scores)) - tf.reduce_mean(self._row.activation(real_scores))

    def generator_loss(self, fake_scores):
        term = self._row.composed if self.saturating else self._row.activation
        return -tf.reduce_mean(term(fake_scores))
