"""Generators with an explicit density, as the estimators of Goodfellow 2014b need. Meant for points in low dimension;
an image is a point whose coordinates are its pixels.

Each maps latents to examples, like any generator, and has `log_density`.
"""

import math

import keras
import tensorflow as tf

from zoo.network import Network
from zoo.noise import choose
from zoo.options import Option, number, whole

_LOG_2_PI = math.log(2.0 * math.pi)


class _Density(Network):
    """Base class. Densities compute in their variables' dtype: bfloat16 would round visibly."""

    initial_scale = Option(1.0, number(above=0))

    def __init__(self, data_shape, dtype=None, **kwargs):
        dtype = keras.dtype_policies.get(dtype).variable_dtype
        super().__init__(data_shape, dtype=dtype, autocast=False, **kwargs)
        #: d, the number of coordinates.
        self.dim = math.prod(self.data_shape)

    def call(self, latents, training=False):
        points = self.points(tf.cast(latents, self.variable_dtype))
        return tf.reshape(points, [-1, *self.data_shape])

    def log_density(self, x):
        """Natural logarithm of the density at examples [N, ...]: [N]. Differentiable by x and by the weights."""
        return self.log_density_of_points(tf.reshape(x, [-1, self.dim]))

    def points(self, latents):
        """Latents [N, latent_dim] to points [N, d]."""
        raise NotImplementedError(f"{type(self).__name__} defines no points")

    def log_density_of_points(self, x):
        """Natural logarithm of the density at points [N, d]: [N]."""
        raise NotImplementedError(f"{type(self).__name__} defines no log_density_of_points")


@keras.saving.register_keras_serializable("zoo")
class Gaussian(_Density):
    """N(μ, LLᵀ) with any mean and covariance: x = μ + Lz, L lower triangular with a positive diagonal.

    Args:
        data_shape: (d,), or (H, W, C) with d = HWC.
        initial_scale: standard deviation at the start; the mean is zero.

    Input: latents [N, d]. Output: float32 [N, *data_shape].
    """

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        self.latent_dim = dim = self.dim
        self.mean = self.add_weight(name="mean", shape=(dim,), initializer="zeros")
        start = keras.initializers.Constant(math.log(self.initial_scale))
        self.log_diagonal = self.add_weight(name="log_diagonal", shape=(dim,), initializer=start)
        self.below = self.add_weight(name="below", shape=(dim, dim), initializer="zeros")
        self.built = True

    def _factor(self):
        below = tf.convert_to_tensor(self.below)
        below = tf.linalg.band_part(below, -1, 0) - tf.linalg.band_part(below, 0, 0)
        return below + tf.linalg.diag(tf.exp(tf.convert_to_tensor(self.log_diagonal)))

    def points(self, latents):
        return self.mean + tf.matmul(latents, self._factor(), transpose_b=True)

    def log_density_of_points(self, x):
        centred = tf.linalg.triangular_solve(self._factor(), tf.transpose(x - self.mean))
        volume = tf.reduce_sum(self.log_diagonal) + 0.5 * self.latent_dim * _LOG_2_PI
        return -0.5 * tf.reduce_sum(tf.square(centred), axis=0) - volume


@keras.saving.register_keras_serializable("zoo")
class GaussianMixture(_Density):
    """Gaussian mixture Σₖ wₖ N(μₖ, diag σₖ²), weights, means and scales learned.

    The first latent chooses the component: its normal CDF is looked up in the cumulative weights. The others are scaled
    and shifted. Points have gradients for means and scales, not for w: only losses of `log_density` train w.

    Args:
        data_shape: (d,), or (H, W, C) with d = HWC.
        components: number of components.
        initial_scale: standard deviation at the start, of each component and of the means around zero.

    Input: latents [N, 1 + d]. Output: float32 [N, *data_shape].
    """

    components = Option(8, whole(1))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        self.latent_dim, components = 1 + self.dim, self.components
        around = keras.initializers.RandomNormal(0.0, self.initial_scale)
        start = keras.initializers.Constant(math.log(self.initial_scale))
        self.logits = self.add_weight(name="logits", shape=(components,), initializer="zeros")
        self.means = self.add_weight(name="means", shape=(components, self.dim), initializer=around)
        self.log_scales = self.add_weight(name="log_scales", shape=(components, self.dim), initializer=start)
        self.built = True

    def points(self, latents):
        chosen = tf.one_hot(choose(latents[:, 0], self.logits), self.components, dtype=latents.dtype)
        scales = tf.exp(tf.convert_to_tensor(self.log_scales))
        return tf.matmul(chosen, self.means) + tf.matmul(chosen, scales) * latents[:, 1:]

    def log_density_of_points(self, x):
        log_scales = tf.convert_to_tensor(self.log_scales)
        centred = (x[:, None, :] - self.means) * tf.exp(-log_scales)
        volumes = tf.reduce_sum(log_scales, axis=1) + 0.5 * self.dim * _LOG_2_PI
        of_components = -0.5 * tf.reduce_sum(tf.square(centred), axis=2) - volumes
        return tf.reduce_logsumexp(of_components + tf.nn.log_softmax(tf.convert_to_tensor(self.logits)), axis=1)
