"""Energy-based GAN, whose critic is an autoencoder. Zhao, Mathieu & LeCun 2016, "Energy-based generative adversarial
networks", sections 2.1, 2.3 and 2.4."""

import tensorflow as tf

from trainers.gan import GAN
from trainers.penalties import pull_away
from zoo.errors import RequestError
from zoo.options import Option, number


class EnergyBased(GAN):
    """Critic: E D(x) + E[m - D(G(z))]₊; generator: E D(G(z)) + w PT, D(x) = ‖Dec(Enc(x)) - x‖₂.

    An energy in place of a probability: low on the data's manifold, above the margin m elsewhere. A reconstruction
    error gives each example of a batch its own target; a binary label gives one of two. Trained on real examples alone,
    the autoencoder would learn the identity; generated examples prevent that. PT, the pull-away term over the codes
    Enc(G(z)) of the global batch, keeps the generator from collapsing to one point (`trainers.penalties.pull_away`).

    Args:
        margin: m > 0, in the data's units: an ℓ₂ norm over all components. 10 is the paper's for MNIST; points need
            less than their distance from the origin.
        pull_away_weight: w ≥ 0.

    Raises:
        RequestError: the critic is no autoencoder, or an option out of range.
    """

    critic_families = ("mlp_autoencoder", "dcgan_autoencoder")
    lacks = dict.fromkeys(("mixture", "conditional"), "its critic is an autoencoder")

    margin = Option(10.0, number(above=0))
    pull_away_weight = Option(0.1, number(0))

    def __init__(self, generator, critic, **kwargs):
        if not hasattr(critic, "reconstruct"):
            raise RequestError(
                f"config.critic.family: energy_based needs an autoencoder, not {type(critic).__name__}; "
                "use mlp_autoencoder, or dcgan_autoencoder for images"
            )
        super().__init__(generator, critic, **kwargs)

    def critic_loss(self, real_scores, fake_scores):
        return tf.reduce_mean(real_scores) + tf.reduce_mean(tf.nn.relu(self.margin - fake_scores))

    def generator_loss(self, fake_scores):
        return tf.reduce_mean(fake_scores)

    def compute_generator_loss(self, real, fake, noise):
        codes = self.critic.features(fake.x, training=True)
        energies = self.critic.energy(fake.x, codes, training=True)
        repelling = tf.cast(pull_away(codes), energies.dtype)
        return self.generator_loss(energies) + self.pull_away_weight * repelling
