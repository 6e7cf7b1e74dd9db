"""Mode regularised GAN: an encoder leads the generator to missing modes. Che et al. 2016, "Mode regularized generative
adversarial networks", section 3.1 and 3.2."""

import tensorflow as tf

from trainers.objectives.non_saturating import NonSaturating
from trainers.players import Player, score
from zoo.encoder import Encoder
from zoo.options import Option, number


class ModeRegularized(NonSaturating):
    """Critic: `minimax`. Generator: `non_saturating` + λ₁E d(x, G(E(x))) - λ₂E log D(G(E(x))). Encoder: the last two.

    G(E(x)) of an example from a missed mode lies near that mode, and the critic scores it as real: both terms pull the
    generator there, where samples from the prior hardly ever do. d is the mean squared difference of components. (The
    survey prints +λ₂ log D; what its text and the paper describe is a reward, the sign here.)

    The encoder has the critic's layers, with a code in place of the score (`zoo.encoder`), an optimizer like the
    generator's, and moves first in a step, on its last batch; then the dynamics moves the two players.

    Args:
        reconstruction_weight: λ₁ ≥ 0.
        mode_weight: λ₂ ≥ 0.
        real_label: as of `minimax`.

    Raises:
        RequestError: an option out of range, or a critic whose family is no mlp, dcgan or resnet.
    """

    lacks = {"mixture": "its encoder inverts one generator"}

    reconstruction_weight = Option(0.2, number(0))
    mode_weight = Option(0.4, number(0))

    def __init__(self, generator, critic, **kwargs):
        super().__init__(generator, critic, **kwargs)
        self.add_network("encoder", Encoder.beside(critic, generator.latent_dim))

    def make_players(self):
        return [Player("encoder", self.encoder, like="generator"), *super().make_players()]

    def reconstruct(self, real):
        """G(E(x)): a `Batch` under the conditions of `real`, in training mode.

        The generator's moving statistics of batch normalisation are not updated here, so that they stay those of
        batches from the prior: an average over both kinds of batches would fit neither.
        """
        codes = self.encoder(real.x, training=True)
        remembered = self.generator.non_trainable_variables
        kept = [tf.identity(tf.convert_to_tensor(variable)) for variable in remembered]
        reconstructed = self.generator(codes, training=True, **real.conditions)
        for variable, value in zip(remembered, kept):
            variable.assign(value)
        return real._replace(x=reconstructed, latents=codes)

    def encoder_loss(self, real, critic, noise):
        """λ₁E d(x, G(E(x))) - λ₂E log σ(critic(G(E(x)))), a scalar. Instance noise is on the critic's input only."""
        reconstructed = self.reconstruct(real)
        distance = tf.reduce_mean(tf.square(real.x - reconstructed.x))
        scores = score(critic, self.view(reconstructed, "reconstructed", noise))
        found_real = tf.reduce_mean(tf.nn.softplus(-scores))
        return self.reconstruction_weight * distance + self.mode_weight * found_real

    def generator_total_loss(self, real, fake, noise):
        return super().generator_total_loss(real, fake, noise) + self.encoder_loss(real, self.critic, noise)

    def encoder_noise(self, batches):
        """The noise of the encoder's move, on the last batch: a draw of its own, after those of the dynamics."""
        return self.noise(tf.shape(batches[-1].x)[0], len(batches))

    def play(self, batches):
        with tf.GradientTape() as tape:
            loss = self.encoder_loss(batches[-1], self.critic, self.encoder_noise(batches))
        logs = self.players["encoder"].descend(tape, loss)
        return {**logs, **super().play(batches)}
