"""Residual networks: Miyato et al. 2018, "Spectral normalization for generative adversarial networks" (appendix B.4,
tables 4 and 6, and its released code; those for 64 pixels are from the code of Miyato & Koyama 2018).

Blocks of two 3×3 convolutions, each behind a ReLU, with a shortcut around them. The generator's are normalised by batch
normalisation, the critic by spectral normalisation of its weights. Its features are sums over the last map's positions.
"""

import keras
import tensorflow as tf

from zoo.families import NORMALIZATIONS, check_image_shape, check_image_size
from zoo.layers import linear, normalization_layers, score_head, stack
from zoo.network import Network
from zoo.options import Option, one_of, whole

#: Image size → side of the generator's smallest map, and the channels of its maps, smallest first, in base_filters.
#: Each block doubles the side. The paper has 32 and 128 pixels; what is smaller than 32 has its channels.
_GENERATORS = {
    8: (4, (4, 4)),
    16: (4, (4, 4, 4)),
    28: (7, (4, 4, 4)),
    32: (4, (4, 4, 4, 4)),
    64: (4, (16, 8, 4, 2, 1)),
    128: (4, (16, 16, 8, 4, 2, 1)),
}
#: Image size → channels behind each of the critic's blocks in base_filters, and how many of them, the first, halve the
#: side.
_CRITICS = {
    **dict.fromkeys((8, 16, 28, 32), ((2, 2, 2, 2), 2)),
    64: ((1, 2, 4, 8, 16), 5),
    128: ((1, 2, 4, 8, 16, 16), 5),
}


def _convolution(filters, side, normalization, dtype):
    # Behind a ReLU Glorot's bound times √2, elsewhere the bound itself (released code).
    start = keras.initializers.VarianceScaling(2.0 if side == 3 else 1.0, "fan_avg", "uniform")
    layer = keras.layers.Conv2D(filters, side, padding="same", kernel_initializer=start, dtype=dtype)
    return linear(layer, normalization)


def _norm(normalization, dtype):
    (layer,) = normalization_layers(normalization, dtype) or [keras.layers.Identity(dtype=dtype)]
    return layer


@keras.saving.register_keras_serializable("zoo")
class ResidualBlock(keras.layers.Layer):
    """r(x) + s(x): r is norm, ReLU, 3×3 convolution, norm, ReLU, 3×3 convolution; s is a 1×1 convolution, or x itself.

    "up" doubles the map's side by repeating its pixels, before the first convolution; "down" halves it by the means of
    2×2 pixels, behind the second. The shortcut's convolution is taken on the smaller map, which is the same: it
    commutes with both.

    Args:
        filters: channels of the output.
        hidden: channels between the two convolutions.
        resample: "up", "down" or "none".
        normalization: one of `zoo.families.NORMALIZATIONS`.
        bare: whether the input is taken as it is, without norm and ReLU: for a critic's images.

    Input: [N, H, W, C]. Output: [N, H', W', filters]. Where C is `filters` and the map keeps its side, s is x.
    """

    def __init__(self, filters, hidden, resample="none", normalization="none", bare=False, **kwargs):
        super().__init__(**kwargs)
        self.filters, self.hidden, self.resample = filters, hidden, resample
        self.normalization, self.bare = normalization, bare
        dtype = self.dtype_policy
        self.first_norm, self.second_norm = _norm("none" if bare else normalization, dtype), _norm(normalization, dtype)
        self.first, self.second = (_convolution(count, 3, normalization, dtype) for count in (hidden, filters))
        self.shortcut = None
        self.larger = keras.layers.UpSampling2D(2, dtype=dtype)
        self.smaller = keras.layers.AveragePooling2D(2, dtype=dtype)

    def build(self, input_shape):
        count, height, width, channels = input_shape
        factor = 2 if self.resample == "up" else 1
        inside = (count, factor * height, factor * width, self.hidden)
        self.first_norm.build(input_shape)
        self.first.build((*inside[:3], channels))
        self.second_norm.build(inside)
        self.second.build(inside)
        if channels != self.filters or self.resample != "none":
            self.shortcut = _convolution(self.filters, 1, self.normalization, self.dtype_policy)
            self.shortcut.build(input_shape)

    def call(self, inputs, training=False):
        x = inputs if self.bare else tf.nn.relu(self.first_norm(inputs, training=training))
        x = self.first(self.larger(x) if self.resample == "up" else x)
        x = self.second(tf.nn.relu(self.second_norm(x, training=training)))
        if self.resample == "down":
            return self.smaller(x) + self.shortcut(self.smaller(inputs))
        if self.resample == "up":
            return x + self.larger(self.shortcut(inputs))
        return x + (inputs if self.shortcut is None else self.shortcut(inputs))

    def compute_output_shape(self, input_shape):
        count, height, width, _ = input_shape
        by = {"up": lambda side: 2 * side, "down": lambda side: side // 2, "none": lambda side: side}[self.resample]
        return (count, by(height), by(width), self.filters)

    def get_config(self):
        names = ("filters", "hidden", "resample", "normalization", "bare")
        return {**super().get_config(), **{name: getattr(self, name) for name in names}}


@keras.saving.register_keras_serializable("zoo")
class GlobalSumPooling(keras.layers.Layer):
    """Sums over a map's positions: [N, H, W, C] → [N, C]."""

    def call(self, inputs):
        return tf.reduce_sum(inputs, axis=[1, 2])

    def compute_output_shape(self, input_shape):
        return (input_shape[0], input_shape[-1])


@keras.saving.register_keras_serializable("zoo")
class ResNetGenerator(Network):
    """Latents to images by residual blocks.

    Args:
        data_shape: (H, W, C), square, side in zoo.families.IMAGE_SIZES, 1 or 3 channels.
        latent_dim: number of latents z.
        base_filters: a quarter of the maps' channels up to 32 pixels, the channels of the last map from 64 on.
        normalization: "batch" (the paper's), "layer", "virtual_batch" or "none".

    Input: latents [N, latent_dim]. Output: float32 [N, H, W, C] in [-1, 1].

    Raises:
        RequestError: unsupported image shape, or unknown normalisation.

    Example:
        >>> zoo.ResNetGenerator((32, 32, 3))(tf.zeros([5, 128])).shape
        TensorShape([5, 32, 32, 3])
    """

    latent_dim = Option(128, whole(1))
    base_filters = Option(64, whole(1))
    normalization = Option("batch", one_of(*NORMALIZATIONS))

    def __init__(self, data_shape, **kwargs):
        check_image_shape(data_shape)
        super().__init__(data_shape, **kwargs)
        dtype, normalization = self.dtype_policy, self.normalization
        side, widths = _GENERATORS[data_shape[0]]
        smallest, *others = (self.base_filters * width for width in widths)
        maps = [
            linear(keras.layers.Dense(side * side * smallest, dtype=dtype), normalization),
            keras.layers.Reshape((side, side, smallest), dtype=dtype),
            *(ResidualBlock(filters, filters, "up", normalization, dtype=dtype) for filters in others),
            *normalization_layers(normalization, dtype),
            keras.layers.ReLU(dtype=dtype),
            linear(keras.layers.Conv2D(data_shape[2], 3, padding="same", dtype=dtype), normalization),
            keras.layers.Activation("tanh", dtype=self.variable_dtype),
        ]
        self.layout = stack((self.latent_dim,), maps, dtype)
        self.built = True

    def call(self, latents, training=False):
        return self.layout(latents, training=training)


@keras.saving.register_keras_serializable("zoo")
class ResNetCritic(Network):
    """Images to a raw score (a logit, never a probability) by residual blocks and a sum over positions.

    Args:
        data_shape: (H, W, C), square, side in zoo.families.IMAGE_SIZES.
        base_filters: half the maps' channels up to 32 pixels, the channels of the first map from 64 on.
        normalization: "spectral" (the paper's); "batch", "layer" or "virtual_batch" before each ReLU of a block, but
            not on the images; or "none".
        minibatch_discrimination: number of kernels between the features and the score; 0 for none.
        output_dim: 1, a score; more for objectives that compare vectors.

    Input: [N, H, W, C] in [-1, 1]; C may include more than colours, such as a label's channel.
    Output: float32 [N, output_dim].

    Raises:
        RequestError: unsupported image size, or unknown normalisation.
    """

    base_filters = Option(64, whole(1))
    normalization = Option("spectral", one_of(*NORMALIZATIONS))
    minibatch_discrimination = Option(0, whole(0))
    output_dim = Option(1, whole(1))

    def __init__(self, data_shape, **kwargs):
        check_image_size(data_shape)
        super().__init__(data_shape, **kwargs)
        dtype, normalization = self.dtype_policy, self.normalization
        widths, halvings = _CRITICS[data_shape[0]]
        filters = [self.base_filters * width for width in widths]
        blocks = [ResidualBlock(filters[0], filters[0], "down", normalization, bare=True, dtype=dtype)]
        for level in range(1, len(filters)):
            resample = "down" if level < halvings else "none"
            blocks.append(ResidualBlock(filters[level], filters[level - 1], resample, normalization, dtype=dtype))
        pooled = [keras.layers.ReLU(dtype=dtype), GlobalSumPooling(dtype=dtype)]
        self.trunk = stack(self.data_shape, [*blocks, *pooled], dtype)
        shape, kernels = self.trunk.output_shape[1:], self.minibatch_discrimination
        self.head = score_head(
            shape, normalization, self.variable_dtype, minibatch_discrimination=kernels, output_dim=self.output_dim
        )
        self.built = True

    def features(self, x, training=False):
        """The layer before the head, sums over positions: [N, features]."""
        return self.trunk(x, training=training)

    def call(self, x, training=False):
        return self.head(self.features(x, training=training), training=training)
