"""Wasserstein GAN with gradient penalty. Gulrajani et al. 2017, equation 3 and algorithm 1."""

import types

from trainers.objectives.wasserstein import Wasserstein
from trainers.penalties import gradient_norm_penalty, interpolates
from zoo.options import Option, number


class WassersteinGP(Wasserstein):
    """`wasserstein` without clipping, plus λ E(‖∇D(x̂)‖₂ - 1)², x̂ uniform on lines between real and generated examples.

    An optimal critic has unit gradient norm almost everywhere on such lines (proposition 1). The penalty is per
    example, so the critic must not mix examples: layer normalisation in place of batch normalisation.

    Args:
        penalty_weight: λ, 0 or more.

    Raises:
        RequestError: λ out of range, or a critic that mixes examples.
    """

    critic_normalization = "layer"
    penalises_gradients = True
    default_optimizer = types.MappingProxyType({"name": "adam", "learning_rate": 1e-4, "beta_1": 0.0, "beta_2": 0.9})

    penalty_weight = Option(10.0, number(0))
    clip = 0.0  # The penalty takes its place.

    def compute_critic_loss(self, real, fake, noise):
        penalty = gradient_norm_penalty(self.critic, interpolates(real, fake, noise))
        return super().compute_critic_loss(real, fake, noise) + self.penalty_weight * penalty
