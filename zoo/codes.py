"""Generators with latent codes, latents of which each is to mean something in the examples. Chen et al. 2016, "InfoGAN:
Interpretable representation learning by information maximizing generative adversarial nets", section 4."""

import math

import keras
import tensorflow as tf

from zoo.errors import RequestError
from zoo.families import FAMILIES, described
from zoo.network import Preset
from zoo.noise import choose
from zoo.options import declared


def information(posterior, chosen, values, categories, scale=None):
    """log Q(c|x) + H(c) of each example: their mean bounds the mutual information of codes and examples from below.

    Q is a product of a softmax for each categorical code and of a Gaussian for each continuous one.

    Args:
        posterior: Q's parameters, [N, sum(categories) + 2c]: logits, means, and logarithms of standard deviations;
            without these where `scale` is given.
        chosen, values: the codes, as `CodedGenerator.codes` gives them.
        categories: number of values of each categorical code.
        scale: standard deviation of all Gaussians.

    Returns:
        The sums over the categorical codes and over the continuous ones, in nats: two tensors [N].
    """
    continuous = values.shape[1]
    *logits, means, log_scales = tf.split(posterior, [*categories, continuous, -1], axis=1)
    if scale is not None:
        log_scales = tf.fill(tf.shape(means), tf.constant(math.log(scale), means.dtype))
    of_categorical = tf.zeros_like(posterior[:, 0])
    for code, (size, each) in enumerate(zip(categories, logits)):
        cross_entropy = tf.nn.sparse_softmax_cross_entropy_with_logits(chosen[:, code], each)
        of_categorical += math.log(size) - cross_entropy
    errors = (tf.cast(values, means.dtype) - means) * tf.exp(-log_scales)
    log_densities = -0.5 * tf.square(errors) - log_scales - 0.5 * math.log(2.0 * math.pi)
    return of_categorical, tf.reduce_sum(math.log(2.0) + log_densities, axis=1)


#: Of `_uniform`: p, and a₁ to a₅.
_SLOPE, _COEFFICIENTS = 0.3275911, (0.254829592, -0.284496736, 1.421413741, -1.453152027, 1.061405429)


def _uniform(normals):
    """2Φ(normals) - 1 to 1.5e-7, by Abramowitz & Stegun 1964, formula 7.1.26: LiteRT has no error function."""
    size = tf.abs(normals) / math.sqrt(2.0)
    t = 1.0 / (1.0 + _SLOPE * size)
    series = tf.zeros_like(t)
    for coefficient in reversed(_COEFFICIENTS):
        series = (series + coefficient) * t
    return tf.sign(normals) * (1.0 - series * tf.exp(-tf.square(size)))


@keras.saving.register_keras_serializable("zoo")
class CodedGenerator(Preset):
    """Latents to examples: a family's generator, whose first latents are taken for codes.

    Latents are N(0, 1) as of any generator, and the first ones decide the codes: one latent chooses the value of each
    categorical code, all values being equally likely; a continuous code is 2Φ(latent) - 1, uniform on (-1, 1), Φ the
    normal CDF. The inner generator receives categorical codes one-hot, then continuous codes, then the other latents,
    the noise. So a seed determines the codes too, and code that samples generators from latents alone works with this
    one.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        categories: number of values of each categorical code, a tuple.
        continuous: number of continuous codes c.
        family: of the network, "mlp", "dcgan" or "resnet".
        network: dict of that family's options; its `latent_dim` z does not count the codes.

    Input: latents [N, len(categories) + c + z]. Output: float32 [N, *data_shape].

    Raises:
        RequestError: no code at all, or a family whose generator has no `latent_dim` option.

    Examples:
        >>> generator = zoo.CodedGenerator((28, 28, 1), (10,), 2, "dcgan", {"latent_dim": 62})
        >>> generator(tf.zeros([5, 65])).shape
        TensorShape([5, 28, 28, 1])
    """

    def __init__(self, data_shape, categories=(10,), continuous=2, family="mlp", network=None, **kwargs):
        # No autocast: a latent rounded to a narrower dtype could choose another value. The inner network casts its
        # inputs.
        super().__init__(autocast=False, **kwargs)
        self.data_shape, self.categories, self.continuous = tuple(data_shape), tuple(categories), continuous
        self.family, self.network = family, dict(network or {})
        if not self.categories and not continuous:
            raise RequestError("categories: (), and continuous: 0; expected at least one code")
        made = FAMILIES[family].generator_class()
        options = declared(made)
        if "latent_dim" not in options:
            raise RequestError(f"config.generator.family: {family!r} takes no codes; use mlp, dcgan or resnet")
        noise = self.network.get("latent_dim", options["latent_dim"].default)
        inner = {**self.network, "latent_dim": sum(self.categories) + continuous + noise}
        self.inner = made(self.data_shape, dtype=self.dtype_policy, **inner)
        self.latent_dim = len(self.categories) + continuous + noise
        self.built = True

    @classmethod
    def like(cls, generator, categories, continuous, where="codes"):
        """A fresh generator of the family and size of `generator` that has codes beside its latents; `generator` itself
        if it has these codes already.

        Args:
            generator: of a family, or with codes.
            categories, continuous: as of the constructor.
            where: what a message calls the codes.

        Raises:
            RequestError: as of the constructor, a generator of no family, or one with other codes.
        """
        if not isinstance(generator, cls):
            family, network = described(generator, "generator", "codes for")
            return cls(generator.data_shape, categories, continuous, family, network, dtype=generator.dtype_policy)
        asked, found = (
            {"categories": tuple(sizes), "continuous": count}
            for sizes, count in ((categories, continuous), (generator.categories, generator.continuous))
        )
        if asked != found:
            raise RequestError(f"{where}: {asked}; the generator has {found}")
        return generator

    def codes(self, latents):
        """The codes of latents [N, len(categories) + c + z].

        Returns:
            The values of the categorical codes, int32 [N, len(categories)], and the continuous codes, float [N, c] in
            the variables' dtype.
        """
        count = len(self.categories)
        chosen = [choose(latents[:, code], tf.zeros([size])) for code, size in enumerate(self.categories)]
        values = tf.cast(latents[:, count : count + self.continuous], self.variable_dtype)
        chosen = tf.stack(chosen, axis=1) if chosen else tf.zeros([tf.shape(latents)[0], 0], tf.int32)
        return chosen, _uniform(values)

    def latents_with(self, latents, code, value):
        """Latents [N, ...] with another value of one code.

        Args:
            latents: [N, len(categories) + c + z].
            code: index of the code, the categorical ones first.
            value: [N], or a number for all: 0 to K - 1 of a categorical code of K values, in (-1, 1) of others.

        Returns:
            The same latents but for column `code`, which is the middle of those that give this value.
        """
        value = tf.cast(value, latents.dtype)
        if code < len(self.categories):
            level = (value + 0.5) / self.categories[code]
        else:
            level = (value + 1.0) / 2.0
        column = tf.broadcast_to(tf.math.ndtri(level), tf.shape(latents)[:1])[:, tf.newaxis]
        return tf.concat([latents[:, :code], column, latents[:, code + 1 :]], axis=1)

    def call(self, latents, training=False):
        chosen, values = self.codes(latents)
        noise = tf.cast(latents[:, len(self.categories) + self.continuous :], self.variable_dtype)
        dtype = self.variable_dtype
        one_hot = [tf.one_hot(chosen[:, code], size, dtype=dtype) for code, size in enumerate(self.categories)]
        return self.inner(tf.concat([*one_hot, values, noise], axis=1), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "categories": self.categories,
            "continuous": self.continuous,
            "family": self.family,
            "network": dict(self.network),
        }
