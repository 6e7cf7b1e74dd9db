"""Manifold-diffusion GAN, the two-step variant of `mode_regularized`. Che et al. 2016, "Mode regularized generative
adversarial networks", section 3.3 and algorithm 1."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives.mode_regularized import ModeRegularized
from trainers.players import Player, score
from zoo.layers import copy_reference
from zoo.options import Option, number


class ManifoldDiffusion(ModeRegularized):
    """Two games with one generator, each between distributions that can be near each other.

    - Manifold step: D₁ tells x from G(E(x)) (`minimax`); generator and encoder minimise
      λ₁E d(x, G(E(x))) - λ₂E log D₁(G(E(x))), which brings the generated manifold to the data's.
    - Diffusion step: the critic D₂ tells G(E(x)) from G(z) (`minimax`), the generator minimises -E log D₂(G(z)), which
      spreads its mass over the manifold. Both sides come from the generator, so their supports overlap.

    `critic` is D₂ and the dynamics plays the diffusion step; D₁ has the same layers. The manifold step comes first, on
    the step's last batch. The paper scales that step's second term (its λ is λ₂ here, with λ₁ = 1).

    Techniques act on both games: instance noise is on all inputs of D₁ and D₂, drawn separately, penalties are taken
    between x and G(E(x)) for D₁ and between G(E(x)) and G(z) for D₂ ("real" and "fake" in their options),
    `weight_clipping` bounds the weights of both, and D₁ shares the reference batch of D₂.

    Args:
        reconstruction_weight: λ₁ ≥ 0.
        mode_weight: λ₂ ≥ 0.
        real_label: of both critics, as of `minimax`.

    Raises:
        RequestError: an option out of range, or a critic whose family is no mlp, dcgan or resnet.
    """

    lacks = {
        "two_players": "it is two games, of two critics, an encoder and the generator; use alternating",
        **ModeRegularized.lacks,
    }

    reconstruction_weight = Option(1.0, number(0))
    mode_weight = Option(0.01, number(0))

    def __init__(self, generator, critic, **kwargs):
        super().__init__(generator, critic, **kwargs)
        self.add_network("manifold_critic", type(critic).from_config(critic.get_config()))
        copy_reference(critic, self.manifold_critic)

    def make_players(self):
        # In the manifold step the encoder's optimizer moves the generator too. So the generator's own moves it once a
        # step, like all others, and a decaying learning rate counts the same steps for each.
        return [
            Player("manifold_critic", self.manifold_critic, constrain=self.constrain, like="critic"),
            Player("encoder", self.encoder, self.generator, like="generator"),
            *GAN.make_players(self),
        ]

    @property
    def critics(self):
        return self.players["critic"], self.players["manifold_critic"]

    def state(self):
        state = super().state()
        # Its name in checkpoints of the first release.
        return {**state, "manifold_optimizer": state["manifold_critic_optimizer"]}

    def manifold_critic_loss(self, real, noise):
        """The loss of D₁ on a real `Batch`: `minimax` against its reconstructions, plus penalties."""
        reconstructed = self.view(self.reconstruct(real).constant(), "reconstructed", noise)
        real = self.view(real, "real", noise)
        loss = self.critic_loss(score(self.manifold_critic, real), score(self.manifold_critic, reconstructed))
        return self.with_penalties(loss, self.manifold_critic, real, reconstructed, noise)

    def critic_total_loss(self, real, fake, noise):
        return super().critic_total_loss(self.reconstruct(real).constant(), fake, noise)

    def generator_total_loss(self, real, fake, noise):
        return GAN.generator_total_loss(self, real, fake, noise)

    def play(self, batches):
        real, noise = batches[-1], self.encoder_noise(batches)
        with tf.GradientTape() as tape:
            loss = self.manifold_critic_loss(real, noise)
        logs = self.players["manifold_critic"].descend(tape, loss)
        with tf.GradientTape() as tape:
            loss = self.encoder_loss(real, self.manifold_critic, noise)
        logs |= self.players["encoder"].descend(tape, loss)
        return {**logs, **GAN.play(self, batches)}
