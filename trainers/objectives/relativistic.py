"""A critic of pairs: is the real example more real than the generated one? Jolicoeur-Martineau 2018, "The relativistic
discriminator: a key element missing from standard GAN", section 4.1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.players import score


class Relativistic(GAN):
    """Critic: E sp(-(D(x) - D(G(z)))); generator: E sp(-(D(G(z)) - D(x))), sp the softplus, D a logit.

    The critic judges a generated example against a real one, so that no mode of the data is left without generated
    examples at no cost to the generator. Pairs are made by position in the batch, under the same conditions.

    With a gradient penalty at both real and generated examples (R1 and R2; `techniques.zero_centred` with `at` "both")
    it is the objective of R3GAN (Huang et al. 2024, "The GAN is dead; long live the GAN! A modern GAN baseline",
    equation 3), which converges locally.
    """

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(tf.nn.softplus(fake_scores - real_scores))

    def compute_generator_loss(self, real, fake, noise):
        # The critic's, with the two exchanged.
        return self.critic_loss(score(self.critic, fake), score(self.critic, real))
