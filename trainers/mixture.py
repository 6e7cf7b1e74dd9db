"""MIX+GAN: both players use mixed strategies. Arora et al. 2017, "Generalization and equilibrium in generative
adversarial nets (GANs)", section 5."""

import types

import tensorflow as tf

from trainers.gan import GAN
from zoo.batch import Batch
from zoo.errors import RequestError
from zoo.options import number


class Mixture(GAN):
    """MIX+GAN, an objective played by mixed strategies: T generators with weights w against T critics with weights v.

    Each player minimises Σᵢⱼ wᵢvⱼ L(Gᵢ, Dⱼ) + λ R, L being its loss in the objective (including penalties) and
    R = -1/T Σ log wᵢ (vⱼ for the critic), the cross-entropy of the uniform distribution, which keeps components from
    dying out early. In mixed strategies a zero-sum game has an equilibrium, and moderately many components approximate
    it (theorem 4.2); a single generator and critic need not have one.

    The sum is exact: every component uses the whole batch, so the gradients of w and v have no sampling noise of their
    own. As in the authors' code the generators see the same latents, weights begin equal, and T is the same for both. A
    step costs T² pairs; parts that pairs share, such as the scores of real examples, are computed once where XLA
    compiles the step.

    It precedes an objective among a class's bases. The networks are `zoo.MixtureGenerator` and
    `zoo.MixtureCritic`.

    Args:
        entropy_weight: λ, 0 or more; the authors' code has 0.1.

    Raises:
        RequestError: an objective that `lacks` "mixture", or a negative weight.

    Examples:
        >>> class MixtureWGAN(Mixture, WassersteinGP):
        ...     pass
        >>> gan = MixtureWGAN(zoo.MixtureGenerator((2,)), zoo.MixtureCritic((2,)))
    """

    def __init_subclass__(cls, **kwargs):
        super().__init_subclass__(**kwargs)
        if "mixture" in cls.lacks:
            name = cls.__module__.rpartition(".")[2]
            reason = f"{name!r} is not played by mixtures: {cls.lacks['mixture']}"
            raise RequestError(f"config.mixture.components: {reason}; use 1, or an objective such as non_saturating")

    def __init__(self, generator, critic, *, entropy_weight=0.1, **kwargs):
        number(0).check(entropy_weight, "config.mixture.entropy_weight")
        super().__init__(generator, critic, **kwargs)
        self.entropy_weight = entropy_weight

    @staticmethod
    def of(objective):
        """The class of an objective, a subclass of `GAN`, played by mixed strategies."""
        return type(f"Mixture{objective.__name__}", (Mixture, objective), {"__module__": objective.__module__})

    def generate(self, noise, conditions=types.MappingProxyType({})):
        """A generated `Batch` of examples [T, N, ...], those of every component, in training mode."""
        latents = noise.latents(self.latent_dim)
        return Batch(self.generator.each(latents, training=True, **conditions), dict(conditions), latents)

    def is_constrained(self, variable):
        return variable is not self.critic.logits

    def critic_total_loss(self, real, fake, noise):
        loss = super().critic_total_loss
        return self._expected(lambda batch: loss(real, batch, noise), fake) + self._entropy_term(self.critic)

    def generator_total_loss(self, real, fake, noise):
        loss = super().generator_total_loss
        return self._expected(lambda batch: loss(real, batch, noise), fake) + self._entropy_term(self.generator)

    def _expected(self, loss, fake):
        """Σᵢⱼ wᵢvⱼ loss(Gᵢ, Dⱼ): `loss` maps one component's `Batch` to a scalar, with Dⱼ as the critic in play."""
        losses = []
        for index in range(self.critic.components):
            with self.critic.playing(index):
                losses.append([loss(fake._replace(x=examples)) for examples in tf.unstack(fake.x)])
        of_critics = tf.linalg.matvec(tf.stack(losses), tf.exp(self.generator.log_weights()))
        return tf.tensordot(tf.exp(self.critic.log_weights()), of_critics, 1)

    def _entropy_term(self, player):
        return -self.entropy_weight * tf.reduce_mean(player.log_weights())
