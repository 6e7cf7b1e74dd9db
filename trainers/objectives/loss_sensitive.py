"""Loss-sensitive GAN: margins that grow with the distance of the examples. Qi 2017, "Loss-sensitive generative
adversarial networks on Lipschitz densities"."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.players import score
from zoo.options import Option, number, one_of

_DISTANCES = {
    "l1": lambda difference: tf.reduce_sum(tf.abs(difference), axis=1),
    "l2": lambda difference: tf.norm(difference, axis=1),
}


class LossSensitive(GAN):
    """Critic: γ E L(x) + λ E[Δ(x, G(z)) + L(x) - L(G(z))]₊; generator: E L(G(z)). L is the critic, read as a loss.

    A generated example should have a larger loss than the real one that it is paired with, by a margin Δ, their
    distance times τ. Where the two are near each other, the margin is small and the critic ignores the pair: its
    capacity goes to distant examples. Pairs are made by position in the batch.

    With a critic that is unbounded below, as in this zoo, the first term has no minimum: L - c lowers it by γc for any
    c and leaves the margins alone, and in practice L runs away (seen on the ring: -3,700 after 3,000 steps, most modes
    lost). γ = 0 prevents that. It is the released code's setting for unconditional data, and its author calls the term
    optional; the configs use it, the default is the paper's equation.

    Args:
        distance: "l1" (the paper's) or "l2", norms over all of an example's components.
        margin_scale: τ ≥ 0. The default is the released code's for 64×64 colour images, whose ℓ₁ distances are in the
            thousands; for points, 1.
        penalty_weight: λ ≥ 0.
        loss_weight: γ ≥ 0.

    Raises:
        RequestError: a negative weight, or an unknown distance.
    """

    distance = Option("l1", one_of(*_DISTANCES))
    margin_scale = Option(0.0002, number(0))
    penalty_weight = Option(1.0, number(0))
    loss_weight = Option(1.0, number(0))

    def margins(self, real, fake):
        """Δ of each pair: [N, ...] and [N, ...] → [N, 1]."""
        difference = tf.reshape(real - fake, [tf.shape(real)[0], -1])
        return self.margin_scale * _DISTANCES[self.distance](difference)[:, None]

    def critic_loss(self, real_scores, fake_scores, margins=0.0):
        violations = tf.reduce_mean(tf.nn.relu(margins + real_scores - fake_scores))
        return self.loss_weight * tf.reduce_mean(real_scores) + self.penalty_weight * violations

    def generator_loss(self, fake_scores):
        return tf.reduce_mean(fake_scores)

    def compute_critic_loss(self, real, fake, noise):
        margins = tf.stop_gradient(self.margins(real.x, fake.x))
        return self.critic_loss(score(self.critic, real), score(self.critic, fake), margins)
