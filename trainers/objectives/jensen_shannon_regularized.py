"""f-GAN with a regulariser that approximates input noise. Roth et al. 2017, "Stabilizing training of generative
adversarial networks through regularization", algorithm 1."""

import tensorflow as tf

from trainers.objectives.f_divergence import FDivergence
from trainers.penalties import scores_and_squared_slopes
from zoo.options import Option, number, one_of

_DIVERGENCES = ("jensen_shannon", "gan", "kl", "reverse_kl", "pearson", "neyman", "squared_hellinger", "jeffrey")


class JensenShannonRegularized(FDivergence):
    """`f_divergence`, the critic's loss plus γ/2 Ω: the first-order effect on it of Gaussian noise of variance γ on
    real and generated examples.

    - Jensen-Shannon: Ω = E_p[(1 - σ(D))² ‖∇D‖²] + E_q[σ(D)² ‖∇D‖²]. At the optimal critic it equals the general one.
    - any other f: Ω = E_q[f*''(ψ) ‖∇ψ‖²], ψ = g(D) the critic after its activation.

    The weights in front of ‖∇D‖² are differentiated like the rest, as in the paper's formula and its released code.
    The derivation is per example: no batch normalisation in the critic.

    γ falls exponentially: γ(t) = gamma · decay^min(t / decay_steps, 1), t the number of steps taken. The paper's two
    settings are γ = 0.1 throughout (the default), and gamma 2.0 with decay 0.01 over the whole run.

    Args:
        gamma: γ at the start, ≥ 0.
        decay: share of γ left at the end, in (0, 1].
        decay_steps: steps until then, 1 or more.
        divergence, saturating: as of `f_divergence`. ``total_variation`` is refused: its f*'' is zero.

    Raises:
        RequestError: an option out of range, an unknown divergence, or a critic with batch normalisation.
    """

    critic_normalization = "layer"
    penalises_gradients = True

    gamma = Option(0.1, number(0))
    decay = Option(1.0, number(above=0, most=1))
    decay_steps = Option(10_000, number(1))
    divergence = Option("jensen_shannon", one_of(*_DIVERGENCES))

    def current_gamma(self):
        """γ at this step, a float32 scalar."""
        share = tf.minimum(tf.cast(self.step.value, tf.float32) / float(self.decay_steps), 1.0)
        return self.gamma * tf.pow(tf.constant(self.decay, tf.float32), share)

    def regularizer(self, real_scores, real_slopes, fake_scores, fake_slopes):
        """Ω, of scores [N, 1] and of ‖∇D‖² [N, 1]."""
        if self.divergence in ("jensen_shannon", "gan"):
            of_real = tf.reduce_mean(tf.square(tf.sigmoid(-real_scores)) * real_slopes)
            return of_real + tf.reduce_mean(tf.square(tf.sigmoid(fake_scores)) * fake_slopes)
        return tf.reduce_mean(self._row.curvature(fake_scores) * fake_slopes)

    def compute_critic_loss(self, real, fake, noise):
        real_scores, real_slopes = scores_and_squared_slopes(self.critic, real)
        fake_scores, fake_slopes = scores_and_squared_slopes(self.critic, fake)
        omega = self.regularizer(real_scores, real_slopes, fake_scores, fake_slopes)
        return self.critic_loss(real_scores, fake_scores) + 0.5 * tf.cast(self.current_gamma(), omega.dtype) * omega
