"""Noise-contrastive estimation of an explicit density. Gutmann & Hyvärinen 2010, as read by Goodfellow 2014b, "On
distinguishability criteria for estimating generative models"."""

import math
import numbers

import keras
import tensorflow as tf

from trainers.gan import GAN
from trainers.objectives._options import check_number
from trainers.objectives.minimax import Minimax
from zoo.errors import RequestError


class NoiseContrastive(Minimax):
    """The model q minimises E sp(-r(x)) + E sp(r(x')), r = log q - log p_noise, x real and x' from the fixed p_noise.

    The loss is `minimax`'s critic's, but the classifier σ(r) is made of densities: the model is inside of it, and what
    plays the generator is noise that never moves. Only q is trained. At the minimum q is the data's density. The better
    the noise resembles the data, the better the estimate; noise is a Gaussian, N(mean, scale²) in each coordinate.

    The `generator` is the model: any with `log_density`, see `zoo.densities`. There is no critic to choose, so the one
    given is not used; in its place `critic` maps points to r(x), and has no weights. A step moves the model once on
    each of its batches. Logs: ``critic_loss``, the loss above; ``generator_loss``, -E log q(x), which is what it stands
    in for and is only reported.

    Args:
        noise_mean: of each coordinate, a number.
        noise_scale: standard deviation of each coordinate, above 0.

    Raises:
        RequestError: a generator without a density, a part that acts on a critic, or an option out of range.
    """

    lacks = {
        "two_players": "there is one player, the density; use alternating",
        "mixture": "there is one player, the density",
    }
    #: There is none of scores alone.
    generator_loss = GAN.generator_loss

    def __init__(self, generator, critic=None, *, noise_mean=0.0, noise_scale=1.0, **kwargs):
        if not isinstance(noise_mean, numbers.Real) or not math.isfinite(noise_mean):
            raise RequestError(f"config.objective_options.noise_mean: {noise_mean!r}; expected a number")
        check_number("noise_scale", noise_scale, inclusive=False)
        name = type(self).__module__.rpartition(".")[2]
        if not hasattr(generator, "log_density"):
            raise RequestError(
                f"config.generator.family: {name} needs an explicit density, not {type(generator).__name__}; "
                "use gaussian or gaussian_mixture"
            )
        for part in ("penalties", "instance_noise", "weight_clip"):
            if kwargs.get(part):
                raise RequestError(f"config.{part}: {name} trains no critic; leave it out")
        super().__init__(generator, _Classifier(self.log_ratio), **kwargs)
        self.noise_mean, self.noise_scale = noise_mean, noise_scale

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

    def play(self, batches):
        for draw, real in enumerate(batches):
            noise = self.noise(tf.shape(real)[0], draw)
            with tf.GradientTape() as tape:
                loss = self.compute_critic_loss(real, self.contrast(noise), noise)
            gradients = self.gradients(tape, loss, self.generator)
            cost = -tf.reduce_mean(self.generator.log_density(real))
            self.update_generator(gradients)
        return {
            "critic_loss": loss,
            "generator_loss": cost,
            "generator_gradient_norm": tf.linalg.global_norm(gradients),
        }


class _Classifier(keras.Model):
    """Stands where a critic stands: examples [N, ...] to logits [N, 1], without weights of its own."""

    def __init__(self, log_ratio):
        super().__init__(name="classifier", autocast=False)
        self._log_ratio = log_ratio
        self.built = True

    def call(self, x, training=False):
        return self._log_ratio(x)
