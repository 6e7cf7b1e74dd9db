"""Manifold-diffusion GAN, the two-step variant of `mode_regularized`. Che et al. 2016, "Mode regularized generative
adversarial networks", section 3.3 and algorithm 1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives.mode_regularized import ModeRegularized
from zoo.layers import copy_reference


class ManifoldDiffusion(ModeRegularized):
    """Two games with one generator, each between distributions that can be near each other.

    - Manifold step: D₁ tells x from G(E(x)) (`minimax`); generator and encoder minimise
      λ₁E d(x, G(E(x))) - λ₂E log D₁(G(E(x))), which brings the generated manifold to the data's.
    - Diffusion step: the critic D₂ tells G(E(x)) from G(z) (`minimax`), the generator minimises -E log D₂(G(z)), which
      spreads its mass over the manifold. Both sides come from the generator, so their supports overlap.

    `critic` is D₂ and the dynamics plays the diffusion step; D₁ has the same layers. The manifold step comes first, on
    the step's last batch. The paper scales the second term of it (its λ is λ₂ here, with λ₁ = 1).

    Techniques act on both games alike: instance noise is on all that D₁ and D₂ see, with draws of its own for each,
    penalties are taken between x and G(E(x)) for D₁ and between G(E(x)) and G(z) for D₂ ("real" and "fake" in their
    options), `weight_clip` bounds the weights of both, and D₁ has the reference batch of D₂.

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
        copy_reference(critic, self.manifold_critic)

    def compile(self, generator_optimizer=None, critic_optimizer=None, **kwargs):
        super().compile(generator_optimizer, critic_optimizer, **kwargs)
        self.manifold_optimizer = self._another(self.critic_optimizer, self.manifold_critic)

    @property
    def critics(self):
        return self.critic, self.manifold_critic

    def moved_with_encoder(self):
        # Both by one optimizer of the manifold step: the generator's own then moves once a step, like all others, and a
        # learning rate that falls counts the same steps for each.
        return self.encoder, self.generator

    def manifold_critic_loss(self, real, noise):
        """What D₁ descends at real examples [N, ...]: `minimax` against their reconstructions, and the penalties."""
        reconstructed = self.seen(tf.stop_gradient(self.reconstruct(real)), "reconstructed", noise)
        real = self.seen(real, "real", noise)
        loss = self.critic_loss(*(self.manifold_critic(x, training=True) for x in (real, reconstructed)))
        for penalty in self.penalties:
            loss += penalty(self.manifold_critic, real, reconstructed, noise)
        return loss

    def critic_total_loss(self, real, fake, noise):
        return super().critic_total_loss(tf.stop_gradient(self.reconstruct(real)), fake, noise)

    def generator_total_loss(self, real, fake, noise):
        return GAN.generator_total_loss(self, real, fake, noise)

    def play(self, batches):
        real, noise = batches[-1], self.encoder_noise(batches)
        with tf.GradientTape() as tape:
            critic_loss = self.manifold_critic_loss(real, noise)
        critic_norm = self._move(self.manifold_optimizer, tape, critic_loss, self.manifold_critic)
        self.constrain_critic(self.manifold_critic)
        with tf.GradientTape() as tape:
            loss = self.encoder_loss(real, self.manifold_critic, noise)
        norm = self._move(self.encoder_optimizer, tape, loss, *self.moved_with_encoder())
        logs = {"manifold_critic_loss": critic_loss, "manifold_critic_gradient_norm": critic_norm}
        return {**GAN.play(self, batches), **logs, "encoder_loss": loss, "encoder_gradient_norm": norm}
