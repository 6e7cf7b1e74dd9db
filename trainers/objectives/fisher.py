"""Fisher GAN: the second moment of the critic is constrained by an augmented Lagrangian. Mroueh & Sercu 2017, "Fisher
GAN", equation 9 and algorithm 1."""

import types

import tensorflow as tf

from trainers.gan import GAN
from zoo.options import Option, number
from zoo.replicas import batch_mean


class Fisher(GAN):
    """Critic: -(E D(x) - E D(G(z)) + λ(1 - Ω) - ρ/2 (Ω - 1)²), Ω = ½E D(x)² + ½E D(G(z))²; generator: -E D(G(z)).

    The difference of means is as large as its scale, so the scale needs a bound: `wasserstein` bounds the weights, here
    the second moment is one. The optimum is D ∝ (p - q)/(p + q), and the difference of means is then a distance,
    (∫ 2(p - q)²/(p + q))^½, of χ² type: between 0 and 2. Neither weights nor slopes are constrained.

    λ is the multiplier of the constraint Ω = 1. It begins at 0, and each critic step adds ρ(Ω - 1), the gradient step
    at rate ρ that the critic's own step is taken with. Both means of Ω, which is squared, are over the global batch.

    Args:
        rho: ρ > 0, weight of the quadratic term and the multiplier's rate. With the paper's, scores grow to tens
            before λ turns them back; a larger one keeps Ω nearer to one from the start.

    Raises:
        RequestError: ρ out of range.
    """

    lacks = {"mixture": "its multiplier belongs to one critic and one generator"}
    default_dynamics_options = types.MappingProxyType({"critic_steps": 2})

    rho = Option(1e-6, number(above=0))

    def __init__(self, generator, critic, **kwargs):
        super().__init__(generator, critic, **kwargs)
        kept = {"shape": (), "initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
        self.multiplier = self.add_weight(name="multiplier", dtype=critic.variable_dtype, **kept)

    def state(self):
        return {**super().state(), "multiplier": self.multiplier}

    def critic_loss(self, real_scores, fake_scores):
        difference = tf.reduce_mean(real_scores) - tf.reduce_mean(fake_scores)
        excess = 0.5 * batch_mean(tf.square(real_scores) + tf.square(fake_scores))[0] - 1.0
        multiplier = tf.convert_to_tensor(self.multiplier)
        # Keras drops this where a dynamics looks ahead with other weights: the multiplier moves with the critic.
        self.multiplier.assign(multiplier + self.rho * tf.stop_gradient(excess))
        return multiplier * excess + 0.5 * self.rho * tf.square(excess) - difference

    def generator_loss(self, fake_scores):
        return -tf.reduce_mean(fake_scores)
