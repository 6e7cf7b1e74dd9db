"""Deep convolutional GAN networks: Radford, Metz & Chintala 2015, "Unsupervised representation learning with deep
convolutional generative adversarial networks" (section 3 and its released code).

Strided convolutions instead of pooling, batch normalisation except at the generator's output and the critic's input,
ReLU in the generator and LeakyReLU(0.2) in the critic, weights from N(0, 0.02²). Kernels are 4×4 with stride 2, which
cover the upsampled grid evenly, where the paper's 5×5 leave a checkerboard.
"""

import math

import keras

from zoo.families import NORMALIZATIONS, check_image_shape, check_image_size
from zoo.layers import linear, normalization_layers, score_head, stack
from zoo.network import Network
from zoo.options import Option, one_of, whole

#: Image size → sizes that the feature maps pass through, the latents' projection first.
_SIZES = {
    8: (2, 4, 8),
    16: (4, 8, 16),
    28: (7, 14, 28),
    32: (4, 8, 16, 32),
    64: (4, 8, 16, 32, 64),
    128: (4, 8, 16, 32, 64, 128),
}


def _initializer():
    return keras.initializers.RandomNormal(0.0, 0.02)


def _channels(image_size, base_filters):
    """Channels of the feature maps, smallest map first: they halve as the map doubles."""
    depth = len(_SIZES[image_size]) - 1
    return [base_filters * 2**level for level in reversed(range(depth))]


def _critic_depth(image_size):
    """Number of strided convolutions: until the maps are 4×4, as in the paper, and two at least."""
    return max(2, math.ceil(math.log2(image_size / 4)))


@keras.saving.register_keras_serializable("zoo")
class DCGANGenerator(Network):
    """Latents to images by transposed convolutions.

    Args:
        data_shape: (H, W, C), square, side in zoo.families.IMAGE_SIZES, 1 or 3 channels.
        latent_dim: number of latents z.
        base_filters: channels of the last hidden map; each smaller map has twice as many.
        normalization: "batch" (the paper's), "layer", "virtual_batch" or "none".

    Input: latents [N, latent_dim]. Output: float32 [N, H, W, C] in [-1, 1].

    Raises:
        RequestError: unsupported image shape, or unknown normalisation.

    Examples:
        >>> zoo.DCGANGenerator((28, 28, 1))(tf.zeros([5, 64])).shape
        TensorShape([5, 28, 28, 1])
    """

    latent_dim = Option(64, whole(1))
    base_filters = Option(64, whole(1))
    normalization = Option("batch", one_of(*NORMALIZATIONS))

    def __init__(self, data_shape, **kwargs):
        check_image_shape(data_shape)
        super().__init__(data_shape, **kwargs)
        dtype, normalization = self.dtype_policy, self.normalization
        size, bias = _SIZES[data_shape[0]][0], normalization == "none"
        channels = _channels(data_shape[0], self.base_filters)
        maps = [
            keras.layers.Dense(
                size * size * channels[0], use_bias=bias, kernel_initializer=_initializer(), dtype=dtype
            ),
            keras.layers.Reshape((size, size, channels[0]), dtype=dtype),
        ]
        for filters in channels[1:]:
            maps += [*normalization_layers(normalization, dtype), keras.layers.ReLU(dtype=dtype)]
            maps.append(self._upsample(filters, use_bias=bias))
        maps += [*normalization_layers(normalization, dtype), keras.layers.ReLU(dtype=dtype)]
        maps.append(self._upsample(data_shape[2]))
        maps.append(keras.layers.Activation("tanh", dtype=self.variable_dtype))
        self.layout = stack((self.latent_dim,), maps, dtype)
        self.built = True

    def _upsample(self, filters, **kwargs):
        return keras.layers.Conv2DTranspose(
            filters, 4, 2, "same", kernel_initializer=_initializer(), dtype=self.dtype_policy, **kwargs
        )

    def call(self, latents, training=False):
        return self.layout(latents, training=training)


@keras.saving.register_keras_serializable("zoo")
class DCGANCritic(Network):
    """Images to a raw score (a logit, never a probability) by strided convolutions.

    Args:
        data_shape: (H, W, C), square, side in zoo.families.IMAGE_SIZES.
        base_filters: channels of the first map; each smaller map has twice as many.
        normalization: "batch" (the paper's), "layer" (for gradient penalties), "spectral", "virtual_batch" or "none".
        minibatch_discrimination: number of kernels between the features and the score; 0 for none.
        output_dim: 1, a score; more for objectives that compare vectors.

    Input: [N, H, W, C] in [-1, 1]; C may include more than colours, such as a label's channel.
    Output: float32 [N, output_dim].

    Raises:
        RequestError: unsupported image size, or unknown normalisation.
    """

    base_filters = Option(64, whole(1))
    normalization = Option("batch", one_of(*NORMALIZATIONS))
    minibatch_discrimination = Option(0, whole(0))
    output_dim = Option(1, whole(1))

    def __init__(self, data_shape, **kwargs):
        check_image_size(data_shape)
        super().__init__(data_shape, **kwargs)
        dtype, normalization = self.dtype_policy, self.normalization
        maps = []
        for level in range(_critic_depth(data_shape[0])):
            filters = self.base_filters * 2**level
            # No normalisation after the first convolution (paper, section 3).
            behind = normalization_layers(normalization, dtype) if level else []
            convolution = keras.layers.Conv2D(
                filters, 4, 2, "same", use_bias=not behind, kernel_initializer=_initializer(), dtype=dtype
            )
            maps += [linear(convolution, normalization), *behind, keras.layers.LeakyReLU(0.2, dtype=dtype)]
        self.trunk = stack(self.data_shape, [*maps, keras.layers.Flatten(dtype=dtype)], dtype)
        shape, kernels = self.trunk.output_shape[1:], self.minibatch_discrimination
        self.head = score_head(shape, normalization, self.variable_dtype, _initializer(), kernels, self.output_dim)
        self.built = True

    def features(self, x, training=False):
        """The layer before the head, flattened: [N, features]."""
        return self.trunk(x, training=training)

    def call(self, x, training=False):
        return self.head(self.features(x, training=training), training=training)
