"""Progressive growing of GANs. Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and
variation"."""

import types

import tensorflow as tf

from trainers.objectives._staged import Staged
from trainers.objectives.wasserstein_gp import WassersteinGP
from zoo.options import Option, number, whole
from zoo.progressive import at_level


class Progressive(Staged, WassersteinGP):
    """`wasserstein_gp` with ε E D(x)² for real x added to the critic's loss, on images that grow from 4×4 pixels.

    Each resolution is trained for `stable_steps`; then the next, of twice the side, is faded in over `fade_steps`
    (section 2). The term with ε keeps scores near zero (appendix A.1). Real images are shown at the resolution of the
    step, faded likewise. The optimizers start anew where a fade begins and where it ends, as in the released code.

    Args:
        stable_steps, fade_steps: the paper's are 800,000 images each, at its batches of 16.
        drift_weight: ε ≥ 0.
        penalty_weight: as of `wasserstein_gp`.

    Raises:
        RequestError: an option out of range, networks that do not grow, or a learning rate that falls.
    """

    critic_normalization = None
    critic_families = ("progressive",)
    #: Appendix A.1: one critic step a step.
    default_dynamics_options = types.MappingProxyType({"critic_steps": 1})
    default_optimizer = types.MappingProxyType(
        {"name": "adam", "learning_rate": 1e-3, "beta_1": 0.0, "beta_2": 0.99, "epsilon": 1e-8}
    )
    lacks = {
        **WassersteinGP.lacks,
        "mixture": "its networks grow one by one",
        "conditional": "its networks take no labels",
    }

    stable_steps = Option(50_000, whole(1))
    fade_steps = Option(50_000, whole(1, 10**6))
    drift_weight = Option(1e-3, number(0))

    def level(self, step):
        """How far the networks have grown at `step`, int64 scalar: float32, see `zoo.progressive`."""
        starts = [self._fade_start(stage) for stage in range(1, self.generator.stages + 1)]
        done = [tf.clip_by_value(step - start, 0, self.fade_steps) for start in starts]
        whole = tf.add_n([tf.cast(steps // self.fade_steps, tf.float32) for steps in done])
        return whole + tf.cast(tf.add_n([steps % self.fade_steps for steps in done]), tf.float32) / self.fade_steps

    def _fade_start(self, stage):
        return stage * self.stable_steps + (stage - 1) * self.fade_steps

    @property
    def seams(self):
        # The first step that trains a stage's layers, and the first after the former stage's image layers rest.
        stages = range(1, self.generator.stages + 1)
        return [self._fade_start(stage) + after for stage in stages for after in (1, self.fade_steps)]

    def read(self, batch):
        batch = super().read(batch)
        return batch._replace(x=at_level(batch.x, self.level(self.step.value)))

    def critic_loss(self, real_scores, fake_scores):
        drift = tf.reduce_mean(tf.square(real_scores))
        return super().critic_loss(real_scores, fake_scores) + self.drift_weight * drift
