"""Variational autoencoder, trained without an adversary. Kingma & Welling 2014, "Auto-encoding variational Bayes"; the
decoder's variance by Rybkin, Daniilidis & Levine 2021, "Simple and effective VAE training with calibrated decoders"."""

import math
import types

import tensorflow as tf

from trainers.model import GenerativeModel
from trainers.players import Player
from zoo.errors import RequestError
from zoo.options import Option, number, optional
from zoo.replicas import batch_mean

#: Least variance of the optimal decoder: a standard deviation of 1e-4, an eightieth of a grey level of 8-bit images.
#: Where every reconstruction is exact the optimal variance is 0, and the likelihood unbounded.
_LEAST_VARIANCE = 1e-8


class VAE(GenerativeModel):
    """Decoder G and encoder minimise the negative ELBO, E KL(q(z|x) ‖ N(0, I)) - E log N(x; G(z), s²I), z ~ q(z|x).

    The encoder gives the posterior q(z|x) = N(μ, diag σ²) as means and log-variances. Equation 10 of the paper: one
    reparameterised draw z = μ + σ ε, ε ~ N(0, I), for each example, and the KL divergence in closed form (appendix B),
    ½ Σ (μ² + σ² - 1 - log σ²). The loss is in nats per example. It bounds -log p(x), of a density, from above and can
    be negative.

    The decoder is Gaussian. The paper's other choice, a Bernoulli decoder, is for binary pixels; points and images in
    [-1, 1] are real-valued. The standard deviation s weighs reconstruction against the KL divergence. By default it is
    the one of maximum likelihood, s² = mean of (x - G(z))² over the components of all examples of the global batch
    (Rybkin et al.'s optimal σ-VAE), for which -log N is D/2 · (1 + log 2πs²) on average, for D components. It begins at
    the data's variance. Where that is the same in every direction, as on the ring, the prior is a stationary point for
    the posterior (posterior collapse; Lucas et al. 2019, "Don't blame the ELBO!"), and a smaller fixed s leads away.

    The generator is the decoder, and a sample is its mean G(z), z ~ N(0, I), without the decoder's noise. There is no
    critic. Logs beside the loss: ``kl_divergence``, in nats per example, and ``reconstruction_error``, (x - G(z))²,
    means over the components of this replica's examples.

    Args:
        encoder: maps examples [N, ...] to [N, 2 · latent_dim], the means and then the log-variances; has `code_dim`.
        scale: s, above 0, or None for the one of maximum likelihood.

    Raises:
        RequestError: an encoder with another number of outputs, or an option out of range.
    """

    configured = ("generator", "encoder")
    codes_per_latent = 2
    #: Adam's own defaults. On the digits its loss is at -37 nats after 4,000 steps, the paper's Adagrad at -31 with a
    #: rate of 0.02 and at -6 with 0.1.
    default_optimizer = types.MappingProxyType({"name": "adam", "learning_rate": 1e-3, "beta_1": 0.9, "beta_2": 0.999})
    lacks = {
        "two_players": "there is one player, the decoder with its encoder; use alternating",
        "mixture": "its encoder inverts one generator",
        "critic": "it trains no critic",
    }

    scale = Option(None, optional(number(above=0)))

    def __init__(self, generator, encoder, **kwargs):
        codes, expected = getattr(encoder, "code_dim", None), self.codes_per_latent * generator.latent_dim
        if codes != expected:
            raise RequestError(
                f"encoder.code_dim: {codes!r}; expected {expected}, means and log-variances of {generator.latent_dim} "
                "latents"
            )
        super().__init__(generator, **kwargs)
        self.add_network("encoder", encoder)

    def make_players(self):
        return [Player("generator", self.generator, self.encoder)]

    def posterior(self, x):
        """Means and log-variances of q(z|x) at examples [N, ...], in training mode: two tensors [N, latent_dim]."""
        return tf.split(self.encoder(x, training=True), 2, axis=-1)

    def reconstruct(self, real, noise):
        """KL(q(z|x) ‖ N(0, I)), and the reconstruction G(z) from one draw of z ~ q(z|x), in training mode.

        Args:
            real: `Batch` of N examples.
            noise: `zoo.noise.Noise` of the draw.

        Returns:
            The divergence in nats, [N], and a `Batch` like `real` with z as its latents.
        """
        means, log_variances = self.posterior(real.x)
        divergence = 0.5 * tf.reduce_sum(tf.square(means) + tf.exp(log_variances) - 1.0 - log_variances, axis=-1)
        draw = tf.cast(noise.normal("posterior", [self.latent_dim]), means.dtype)
        latents = means + tf.exp(0.5 * log_variances) * draw
        made = self.generator(latents, training=True, **real.conditions)
        return divergence, real._replace(x=made, latents=latents)

    def negative_log_likelihood(self, squared_error):
        """-log N(x; G(z), s²I) of this replica's examples, a scalar, the mean over examples in nats.

        Args:
            squared_error: (x - G(z))² of each component, [N, ...].
        """
        components = math.prod(self.generator.data_shape)
        if self.scale is None:
            # Of all replicas' examples: it enters the loss as a divisor and in a logarithm.
            variance = tf.maximum(tf.reduce_mean(batch_mean(squared_error)), _LEAST_VARIANCE)
        else:
            variance = tf.constant(self.scale**2, squared_error.dtype)
        nats = tf.reduce_mean(squared_error) / variance + tf.math.log(2.0 * math.pi * variance)
        return 0.5 * components * nats

    def negative_elbo(self, real, noise):
        """The loss by one draw from the posterior of each example.

        Args:
            real, noise: as of `reconstruct`.

        Returns:
            The negative ELBO in nats per example, a scalar, and a dict of the logs beside it.
        """
        divergence, made = self.reconstruct(real, noise)
        divergence, squared_error = tf.reduce_mean(divergence), tf.square(real.x - made.x)
        logs = {"kl_divergence": divergence, "reconstruction_error": tf.reduce_mean(squared_error)}
        return divergence + self.negative_log_likelihood(squared_error), logs

    def play(self, batches):
        (real,) = batches
        with tf.GradientTape() as tape:
            loss, told = self.negative_elbo(real, self.noise(tf.shape(real.x)[0]))
        return {**self.players["generator"].descend(tape, loss), **told}
