"""Manifold-diffusion GAN, the two-step variant of `mode_regularized`. Che et al. 2016, "Mode regularized generative
adversarial networks", section 3.3 and algorithm 1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives.mode_regularized import ModeRegularized


class ManifoldDiffusion(ModeRegularized):
    """Two games with one generator, each between distributions that can be near each other.

    - Manifold step: D₁ tells x from G(E(x)) (`minimax`); generator and encoder minimise
      λ₁E d(x, G(E(x))) - λ₂E log D₁(G(E(x))), which brings the generated manifold to the data's.
    - Diffusion step: the critic D₂ tells G(E(x)) from G(z) (`minimax`), the generator minimises -E log D₂(G(z)), which
      spreads its mass over the manifold. Both sides come from the generator, so their supports overlap.

    `critic` is D₂ and the dynamics plays the diffusion step; D₁ has the same layers. The manifold step comes first, on
    the step's last batch. The paper scales the second term of it (its λ is λ₂ here, with λ₁ = 1).

    Args:
        reconstruction_weight: λ₁ ≥ 0.
        mode_weight: λ₂ ≥ 0.
        real_label: of both critics, as of `minimax`.

    Raises:
        RequestError: an option out of range, or a critic that gives the encoder no layers.
    """

    lacks = {
        "two_players": "it is two games, of two critics, an encoder and the generator; use alternating",
        **ModeRegularized.lacks,
    }

    def __init__(self, generator, critic, *, reconstruction_weight=1.0, mode_weight=0.01, real_label=1.0, **kwargs):
        weights = {"reconstruction_weight": reconstruction_weight, "mode_weight": mode_weight}
        super().__init__(generator, critic, **weights, real_label=real_label, **kwargs)
        self.manifold_critic = type(critic).from_config(critic.get_config())

    def compile(self, generator_optimizer=None, critic_optimizer=None, **kwargs):
        super().compile(generator_optimizer, critic_optimizer, **kwargs)
        self.manifold_optimizer = self._another(self.critic_optimizer, self.manifold_critic)

    def moved_with_encoder(self):
        # Both by one optimizer of the manifold step: the generator's own then moves once a step, like all others, and a
        # learning rate that falls counts the same steps for each.
        return self.encoder, self.generator

    def compute_critic_loss(self, real, fake, noise):
        return super().compute_critic_loss(tf.stop_gradient(self.reconstruct(real)), fake, noise)

    def compute_generator_loss(self, real, fake, noise):
        return GAN.compute_generator_loss(self, real, fake, noise)

    def play(self, batches):
        real = batches[-1]
        with tf.GradientTape() as tape:
            scores = [self.manifold_critic(x, training=True) for x in (real, tf.stop_gradient(self.reconstruct(real)))]
            critic_loss = self.critic_loss(*scores)
        self._move(self.manifold_optimizer, tape, critic_loss, self.manifold_critic)
        with tf.GradientTape() as tape:
            loss = self.encoder_loss(real, self.manifold_critic)
        self._move(self.encoder_optimizer, tape, loss, *self.moved_with_encoder())
        return {**GAN.play(self, batches), "encoder_loss": loss, "manifold_critic_loss": critic_loss}
