"""Penalty on the distance of the critic's gradient norm from a target. Gulrajani et al. 2017, "Improved training of
Wasserstein GANs", equation 3 (at interpolates); Kodali et al. 2017 (perturbed)."""

from trainers.techniques.base import GradientPenalty
from zoo.options import Option, number


class GradientNorm(GradientPenalty):
    """w E(‖∇ₓD(x)‖₂ - t)², two-sided, added to the critic's loss.

    Args:
        weight, at, every: as of `GradientPenalty`.
        target: t, 0 or more.
    """

    target = Option(1.0, number(0))

    def penalty(self, critic, batch):
        from trainers import penalties

        return penalties.gradient_norm_penalty(critic, batch, self.target)
