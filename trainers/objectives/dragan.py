"""DRAGAN: a gradient penalty around the real data. Kodali et al. 2017, "On convergence and stability of GANs"."""

from trainers.objectives.non_saturating import NonSaturating
from trainers.penalties import gradient_norm_penalty, perturbed
from zoo.options import Option, number


class DRAGAN(NonSaturating):
    """Critic: `minimax` + λ E(‖∇D(x + δ)‖₂ - k)², δ around real examples only; generator: `non_saturating`.

    Mode collapse often comes with sharp gradients of the critic around some real examples; a critic that is smooth
    there gives the generator a gradient towards all of them. Unlike `wasserstein_gp` it constrains the critic locally,
    not everywhere.

    δ is as in the paper's released code, see `trainers.penalties.perturbed`; its scale is the standard deviation of the
    global batch. D is the logit, as everywhere in this zoo. The penalty is per example: no batch normalisation in the
    critic.

    Args:
        penalty_weight: λ ≥ 0.
        target: k ≥ 0, the gradient norm that the penalty favours.
        spread: size of δ in standard deviations of the batch, above 0.
        real_label: as of `minimax`.

    Raises:
        RequestError: an option out of range, or a critic with batch normalisation.
    """

    critic_normalization = "layer"
    penalises_gradients = True

    penalty_weight = Option(10.0, number(0))
    target = Option(1.0, number(0))
    spread = Option(0.5, number(above=0))

    def compute_critic_loss(self, real, fake, noise):
        around = perturbed(real, noise, self.spread)
        penalty = gradient_norm_penalty(self.critic, around.constant(), self.target)
        return super().compute_critic_loss(real, fake, noise) + self.penalty_weight * penalty
