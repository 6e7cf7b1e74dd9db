"""DRAGAN: a gradient penalty around the real data. Kodali et al. 2017, "On convergence and stability of GANs"."""

from trainers.objectives._options import check_number
from trainers.objectives.non_saturating import NonSaturating
from trainers.penalties import gradient_norm_penalty, perturbed


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

    def __init__(self, *args, penalty_weight=10.0, target=1.0, spread=0.5, real_label=1.0, **kwargs):
        check_number("penalty_weight", penalty_weight)
        check_number("target", target)
        check_number("spread", spread, inclusive=False)
        super().__init__(*args, real_label=real_label, **kwargs)
        self.penalty_weight, self.target, self.spread = penalty_weight, target, spread

    def compute_critic_loss(self, real, fake, noise):
        around = perturbed(real, noise, self.spread)
        penalty = gradient_norm_penalty(self.critic, around.constant(), self.target)
        return super().compute_critic_loss(real, fake, noise) + self.penalty_weight * penalty
