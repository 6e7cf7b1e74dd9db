"""Penalty on the critic's squared gradient norm: R1 at real examples, R2 at generated ones. Mescheder, Geiger & Nowozin
2018, "Which training methods for GANs do actually converge?", equation 9. Both at once: Huang et al. 2024."""

from trainers.techniques.base import PLACES, GradientPenalty
from zoo.options import Option, one_of


class ZeroCentred(GradientPenalty):
    """w/2 E‖∇ₓD(x)‖₂², added to the critic's loss, with the paper's weight; at "both" R1 + R2, each with it.

    Args:
        weight, at, every: as of `GradientPenalty`.
    """

    at = Option("real", one_of(*PLACES))

    def penalty(self, critic, batch):
        from trainers import penalties

        return penalties.zero_centred_penalty(critic, batch)
