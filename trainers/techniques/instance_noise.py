"""Gaussian noise on the critic's inputs, real and generated, annealed to zero. Sønderby et al. 2017, "Amortised MAP
inference for image super-resolution"; Arjovsky & Bottou 2017, section 3."""

from trainers.techniques.base import Technique
from zoo.options import Option, number, whole


class InstanceNoise(Technique):
    """x + σ(s)·ε, ε standard normal per element, σ(s) = std · max(0, 1 - s/until) at step s.

    Real and generated examples get independent noise, and every draw of a step its own. The generator's gradient passes
    through its noisy examples. Both players then compare p * N(0, σ²) with q * N(0, σ²), which overlap whatever the
    supports of p and q.

    Args:
        std: standard deviation at step 0, in units of the data (images: [-1, 1]).
        until: step at which it reaches zero. In a config a share of the run, above 0, up to 1; default 0.5.
    """

    std = Option(0.1, number(0))
    until = Option(1, whole(0))

    @classmethod
    def options_of_a_run(cls):
        return {**super().options_of_a_run(), "until": Option(0.5, number(above=0, most=1))}

    @classmethod
    def of_run(cls, options, steps):
        return cls(**{**options, "until": int(options["until"] * steps)})

    def view(self, batch, kind, noise, step):
        import tensorflow as tf

        x = batch.x
        left = 1.0 - tf.cast(step, x.dtype) / tf.cast(max(self.until, 1), x.dtype)
        draw = tf.cast(noise.normal(f"instance noise {kind}", x.shape[1:]), x.dtype)
        return batch._replace(x=x + self.std * tf.maximum(left, 0.0) * draw)
