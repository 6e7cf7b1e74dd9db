"""The original game. Goodfellow et al. 2014, "Generative adversarial nets", equation 1."""

import tensorflow as tf

from trainers.gan import GAN
from zoo.options import Option, number


class Minimax(GAN):
    """min_G max_D E log σ(D(x)) + E log(1 - σ(D(G(z)))), D a logit.

    At the optimal critic the value is -log 4 + 2 JSD(p, q). The generator's gradient vanishes as the critic becomes
    certain (Arjovsky & Bottou 2017, theorem 2.4), which `non_saturating` avoids.

    One-sided label smoothing (Salimans et al. 2016, section 3.4) gives real examples the target α: the loss has
    E [α sp(-D(x)) + (1 - α) sp(D(x))] in place of E sp(-D(x)), sp being the softplus. It penalises overconfidence. The
    target of generated examples stays 0: with a target β, the optimal critic (αp + βq)/(p + q) would hold the generator
    where q is large.

    Args:
        real_label: α, above 0 and at most 1; 1 is the plain game, 0.9 the usual smoothing.

    Raises:
        RequestError: α out of range.
    """

    real_label = Option(1.0, number(above=0, most=1))

    def critic_loss(self, real_scores, fake_scores):
        of_real, of_fake = tf.nn.softplus(-real_scores), tf.nn.softplus(fake_scores)
        if self.real_label < 1:
            of_real = self.real_label * of_real + (1.0 - self.real_label) * tf.nn.softplus(real_scores)
        return tf.reduce_mean(of_real) + tf.reduce_mean(of_fake)

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(tf.nn.softplus(fake_scores))
