"""Noise-contrastive estimation of an explicit density. Gutmann & Hyvärinen 2010, as read by Goodfellow 2014b, "On
distinguishability criteria for estimating generative models"."""

import math

import tensorflow as tf

from trainers.model import GenerativeModel
from zoo.errors import RequestError
from zoo.options import Option, number


class NoiseContrastive(GenerativeModel):
    """The model q minimises E sp(-r(x)) + E sp(r(x')), r = log q - log p_noise, x real and x' from the fixed p_noise.

    sp is the softplus. The loss is that of `minimax`'s critic, but the classifier σ(r) is built from the densities of
    model and noise, and examples of the fixed noise replace generated ones. At the minimum q is the data's density. The
    better the noise resembles the data, the better the estimate; noise is a Gaussian, N(mean, scale²) in each
    coordinate.

    The `generator` is the model: any with `log_density`, see `zoo.densities`. There is no critic. Logs:
    ``generator_loss``, the loss above, and ``negative_log_likelihood``, -E log q(x), for monitoring only.

    Args:
        noise_mean: of each coordinate, a number.
        noise_scale: standard deviation of each coordinate, above 0.

    Raises:
        RequestError: a generator without a density, or an option out of range.
    """

    lacks = {
        "two_players": "there is one player, the density; use alternating",
        "mixture": "there is one player, the density",
        "critic": "it trains no critic",
    }

    noise_mean = Option(0.0, number())
    noise_scale = Option(1.0, number(above=0))

    def __init__(self, generator, **kwargs):
        if not hasattr(generator, "log_density"):
            name = type(self).__module__.rpartition(".")[2]
            raise RequestError(
                f"config.generator.family: {name} needs an explicit density, not {type(generator).__name__}; "
                "use gaussian or gaussian_mixture"
            )
        super().__init__(generator, **kwargs)

    def contrast(self, noise):
        """Examples [N, ...] of p_noise."""
        draw = noise.normal("contrast", self.generator.data_shape)
        return self.noise_mean + self.noise_scale * tf.cast(draw, self.generator.variable_dtype)

    def contrast_log_density(self, x):
        """log p_noise at examples [N, ...]: [N]."""
        dim = math.prod(self.generator.data_shape)
        standard = tf.reshape((x - self.noise_mean) / self.noise_scale, [-1, dim])
        volume = dim * (math.log(self.noise_scale) + 0.5 * math.log(2.0 * math.pi))
        return -0.5 * tf.reduce_sum(tf.square(standard), axis=-1) - volume

    def log_ratio(self, x):
        """r = log q - log p_noise at examples [N, ...]: the classifier's logit, [N, 1]."""
        return (self.generator.log_density(x) - self.contrast_log_density(x))[:, None]

    def contrastive_loss(self, real, contrast):
        """E sp(-r(x)) + E sp(r(x')) at real examples and at contrasting ones [N, ...]: a scalar."""
        of_real, of_contrast = self.log_ratio(real), self.log_ratio(contrast)
        return tf.reduce_mean(tf.nn.softplus(-of_real)) + tf.reduce_mean(tf.nn.softplus(of_contrast))

    def play(self, batches):
        (real,) = batches
        noise = self.noise(tf.shape(real.x)[0])
        with tf.GradientTape() as tape:
            loss = self.contrastive_loss(real.x, self.contrast(noise))
        player = self.players["generator"]
        gradients = player.gradients(tape, loss)
        cost = -tf.reduce_mean(self.generator.log_density(real.x))
        player.update(gradients)
        return {**player.logs(loss, gradients), "negative_log_likelihood": cost}
