"""Super-resolution networks of SRGAN: Ledig et al. 2017, "Photo-realistic single image super-resolution using a
generative adversarial network" (section 2.1, figure 4).

The generator makes images four times as high and wide, by residual blocks at low resolution and two pixel shuffles
(Shi et al. 2016). Beyond the paper its outputs pass a tanh, and low-resolution images are in [-1, 1] as all images are.
"""

import math

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import RequestError
from zoo.families import FACTOR, check_low_resolution
from zoo.layers import linear, normalization_layers, score_head, stack
from zoo.network import Network
from zoo.noise import choose
from zoo.options import Option, one_of, whole
from zoo.resampling import resize

#: Held-out low-resolution images that a generator holds, for seeds to choose from.
HELD = 256


def downscale(images):
    """Low-resolution versions of images: antialiased bicubic, clipped to [-1, 1].

    Args:
        images: float [N, H, W, C] in [-1, 1], H and W static multiples of FACTOR; a NumPy array or a tensor.

    Returns:
        [N, H / FACTOR, W / FACTOR, C], the same dtype and kind.
    """
    small = resize(images, images.shape[1] // FACTOR, images.shape[2] // FACTOR)
    return np.clip(small, -1.0, 1.0) if isinstance(small, np.ndarray) else tf.clip_by_value(small, -1.0, 1.0)


@keras.saving.register_keras_serializable("zoo")
class PixelShuffle(keras.layers.Layer):
    """Channels to pixels: [N, H, W, 4C] → [N, 2H, 2W, C]; the pixel (y, x) of each 2×2 has channels from (2y + x) C."""

    def call(self, inputs):
        return tf.nn.depth_to_space(inputs, 2)

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        return (count, height and 2 * height, width and 2 * width, channels // 4)


@keras.saving.register_keras_serializable("zoo")
class Skip(keras.layers.Layer):
    """x + f(x), f a stack of layers that keeps the shape [N, H, W, channels]."""

    def __init__(self, channels, layers, **kwargs):
        super().__init__(**kwargs)
        self.inner = stack((None, None, channels), layers, self.dtype_policy)
        self.built = True

    def call(self, inputs, training=False):
        return inputs + self.inner(inputs, training=training)

    def compute_output_shape(self, input_shape):
        return input_shape


@keras.saving.register_keras_serializable("zoo")
class SRGANGenerator(Network):
    """Low-resolution images to images four times as high and wide.

    It takes no noise. Without a low-resolution image, the one latent chooses among those that the network holds, all
    with the same probability: low-resolution versions of held-out images, set by `adapt`. So a seed determines the
    image, and code that samples generators from latents alone works with this one.

    Args:
        data_shape: (H, W, C) of the images, sides multiples of 4 from 8 on, 1 or 3 channels.
        blocks: number of residual blocks.
        base_filters: channels of the maps, of four times as many before a pixel shuffle.
        normalization: "batch" (the paper's), or "none".

    Input: latents [N, 1], of which nothing is used where low_resolution, float [N, h, w, C] in [-1, 1] of any h and w,
    is given. Output: float32 [N, 4h, 4w, C] in [-1, 1], (h, w) = (H, W) / 4 where the latents choose.

    Attributes:
        held: non-trainable weight [HELD, H / 4, W / 4, C]; grey until set.

    Raises:
        RequestError: unsupported image shape, or an option out of range.

    Examples:
        >>> zoo.SRGANGenerator((32, 32, 3)).upscale(tf.zeros([5, 20, 30, 3])).shape
        TensorShape([5, 80, 120, 3])
    """

    #: Keys of `zoo.batch.Batch.conditions` that this network needs.
    conditions = ("low_resolution",)
    latent_dim = 1

    blocks = Option(16, whole(0))
    base_filters = Option(64, whole(1))
    normalization = Option("batch", one_of("batch", "none"))

    def __init__(self, data_shape, **kwargs):
        check_low_resolution(data_shape)
        # No autocast: a latent rounded to a narrower dtype could choose another image. The stack casts its inputs.
        super().__init__(data_shape, autocast=False, **kwargs)
        dtype, filters, channels = self.dtype_policy, self.base_filters, data_shape[2]

        def activation():
            return keras.layers.PReLU(shared_axes=[1, 2], dtype=dtype)

        blocks = [
            Skip(filters, [*self._normed(), activation(), *self._normed()], dtype=dtype) for _ in range(self.blocks)
        ]
        shuffled = [(self._convolution(4 * filters, 3), PixelShuffle(dtype=dtype), activation()) for _ in range(2)]
        maps = [
            self._convolution(filters, 9),
            activation(),
            Skip(filters, [*blocks, *self._normed()], dtype=dtype),
            *(layer for layers in shuffled for layer in layers),
            self._convolution(channels, 9),
            keras.layers.Activation("tanh", dtype=self.variable_dtype),
        ]
        self.layout = stack((None, None, channels), maps, dtype)
        self.held = self.add_weight(
            name="held",
            shape=(HELD, data_shape[0] // FACTOR, data_shape[1] // FACTOR, channels),
            initializer="zeros",
            trainable=False,
            aggregation="only_first_replica",
        )
        self.built = True

    def _convolution(self, filters, side, **kwargs):
        return keras.layers.Conv2D(filters, side, padding="same", dtype=self.dtype_policy, **kwargs)

    def _normed(self):
        behind = normalization_layers(self.normalization, self.dtype_policy)
        return [self._convolution(self.base_filters, 3, use_bias=not behind), *behind]

    def adapt(self, data):
        """Sets the images that latents choose from: of the first test images of a `zoo.datasets.Dataset`, or of its
        training images where there are none, repeated if there are fewer than HELD.

        Raises:
            RequestError: files of a folder are smaller than the images that the network makes. Resized to these, they
                are no high-resolution images to learn from.
        """
        side, path = data.smallest or (math.inf, None)
        if side < max(self.data_shape[:2]):
            raise RequestError(
                f"data.source {data.name!r}: {path} has a side of {side} pixels; 4x super-resolution to "
                f"{max(self.data_shape[:2])} pixels (data.image_size) learns from images of that size or larger"
            )
        split = "test" if data.num_examples("test") else "train"
        images, _ = data.arrays(split, HELD)
        self.held.assign(np.resize(downscale(images), self.held.shape))

    def low_resolution(self, latents):
        """The low-resolution images [N, H / 4, W / 4, C] that latents [N, 1] choose."""
        held = tf.convert_to_tensor(self.held)
        return tf.gather(held, choose(latents[:, 0], tf.zeros([HELD])))

    def upscale(self, low_resolution):
        """Images [N, 4h, 4w, C] of low-resolution ones, float [N, h, w, C] in [-1, 1], not in training mode."""
        return self.layout(low_resolution, training=False)

    def call(self, latents, training=False, low_resolution=None):
        given = self.low_resolution(latents) if low_resolution is None else low_resolution
        return self.layout(given, training=training)


@keras.saving.register_keras_serializable("zoo")
class SRGANCritic(Network):
    """Images to a raw score (a logit, never a probability) by eight 3×3 convolutions, every second with stride 2.

    Args:
        data_shape: (H, W, C), sides multiples of 4 from 8 on.
        base_filters: channels of the first map; they double with each stride but the first, and 16 times as many units
            come before the score.
        normalization: "batch" (the paper's), "layer", "spectral", "virtual_batch" or "none"; none after the first
            convolution.

    Input: [N, H, W, C] in [-1, 1]. Output: float32 [N, 1].

    Raises:
        RequestError: unsupported image shape, or unknown normalisation.
    """

    base_filters = Option(64, whole(1))
    normalization = Option("batch", one_of("batch", "layer", "none", "spectral", "virtual_batch"))

    def __init__(self, data_shape, **kwargs):
        check_low_resolution(data_shape)
        super().__init__(data_shape, **kwargs)
        dtype, normalization, maps = self.dtype_policy, self.normalization, []
        for level in range(8):
            behind = normalization_layers(normalization, dtype) if level else []
            convolution = keras.layers.Conv2D(
                self.base_filters * 2 ** (level // 2), 3, 1 + level % 2, "same", use_bias=not behind, dtype=dtype
            )
            maps += [linear(convolution, normalization), *behind, keras.layers.LeakyReLU(0.2, dtype=dtype)]
        dense = linear(keras.layers.Dense(16 * self.base_filters, dtype=dtype), normalization)
        maps += [keras.layers.Flatten(dtype=dtype), dense, keras.layers.LeakyReLU(0.2, dtype=dtype)]
        self.trunk = stack(self.data_shape, maps, dtype)
        self.head = score_head(self.trunk.output_shape[1:], normalization, self.variable_dtype)
        self.built = True

    def features(self, x, training=False):
        """The layer before the head: [N, features]."""
        return self.trunk(x, training=training)

    def call(self, x, training=False):
        return self.head(self.features(x, training=training), training=training)
