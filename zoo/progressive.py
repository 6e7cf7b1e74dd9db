"""Networks that grow: Karras et al. 2018, "Progressive growing of GANs for improved quality, stability, and variation"
(sections 2 to 4, appendix A, and its released code).

Images grow from 4×4 pixels by doubling: stage k makes 4·2ᵏ pixels. A network's `level` says how far it has grown: k at
the end of stage k, and k - 1 + α where stage k has been faded in to the share α (figure 2). All stages exist from the
start, and every image has its full size: what a stage makes or sees is repeated or averaged to that. So a level changes
no shape, and only the layers of its stage are computed.
"""

import math

import keras
import tensorflow as tf

from zoo.families import check_growing_shape
from zoo.layers import Doubling, stack
from zoo.options import Option, whole
from zoo.replicas import mean_over_replicas
from zoo.resampling import average, enlarge
from zoo.stages import Staged, at_stage

#: Side of the images of stage 0, in pixels.
FIRST_SIDE = 4

_EPSILON = 1e-8
#: He et al. 2015, of layers in front of a ReLU.
_GAIN = math.sqrt(2)


def last_stage(side):
    """The stage whose images are `side` pixels high and wide."""
    return int(math.log2(side // FIRST_SIDE))


def at_level(images, level):
    """Images as networks of `level` see them: the stage's resolution, faded from the former's, in their full size.

    Args:
        images: [N, H, W, C], H = W = 4·2ᵏ.
        level: scalar, 0 to k.
    """
    stages = last_stage(images.shape[1])

    def shown(stage):
        factor = 2 ** (stages - stage)
        here = enlarge(average(images, factor), factor)
        if not stage:
            return here
        before = enlarge(average(images, 2 * factor), 2 * factor)
        return before + share(level, stage, images.dtype) * (here - before)

    return at_stage(level, stages, shown)


def share(level, stage, dtype):
    """α, the share to which `stage` has been faded in."""
    return tf.cast(level - (stage - 1), dtype)


@keras.saving.register_keras_serializable("zoo")
class EqualizedLearningRate(keras.layers.Wrapper):
    """A linear layer whose weights are g/√n times the stored ones, which are drawn from N(0, 1); n is the fan-in.

    Section 4.1: all weights have the same dynamic range, so an optimizer that normalises gradients, such as Adam, moves
    all at the same speed.

    Args:
        layer: a linear layer with a `kernel` and no activation; its initializer should be N(0, 1).
        gain: g, √2 as of He et al. 2015 in the paper; 1 in the code's last layers.

    The inputs are scaled in place of the weights, which is the same.
    """

    def __init__(self, layer, gain=_GAIN, **kwargs):
        super().__init__(layer, **kwargs)
        self.gain = gain

    def call(self, inputs):
        fan_in = math.prod(self.layer.kernel.shape[:-1])
        return self.layer(inputs * tf.constant(self.gain / math.sqrt(fan_in), inputs.dtype))

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)

    def get_config(self):
        return {**super().get_config(), "gain": self.gain}


@keras.saving.register_keras_serializable("zoo")
class PixelNormalization(keras.layers.Layer):
    """Each pixel's vector of channels divided by the root of its mean square. Section 4.2; ε = 1e-8."""

    def call(self, inputs):
        mean_square = tf.reduce_mean(tf.square(inputs), axis=-1, keepdims=True)
        return inputs * tf.math.rsqrt(mean_square + tf.constant(_EPSILON, inputs.dtype))


@keras.saving.register_keras_serializable("zoo")
class MinibatchDeviation(keras.layers.Layer):
    """Appends a channel: the standard deviation over the batch, meaned over positions and channels. Section 3.

    The batch is the global one, as in the paper; its released code takes groups of four examples.

    Input: [N, H, W, C]. Output: [N, H, W, C + 1].
    """

    def call(self, inputs):
        centred = inputs - mean_over_replicas(tf.reduce_mean(inputs, axis=0))
        variance = mean_over_replicas(tf.reduce_mean(tf.square(centred), axis=0))
        deviation = tf.reduce_mean(tf.sqrt(variance + tf.constant(_EPSILON, inputs.dtype)))
        return tf.concat([inputs, tf.broadcast_to(deviation, tf.shape(inputs[..., :1]))], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + 1)


class _Growing(Staged):
    """What both networks share."""

    filter_base = Option(8192, whole(1))
    max_filters = Option(512, whole(1))

    def __init__(self, data_shape, **kwargs):
        check_growing_shape(data_shape)
        super().__init__(data_shape, last_stage(data_shape[0]), **kwargs)

    def filters(self, stage):
        """Channels of the maps of a stage."""
        return max(1, min(self.max_filters, self.filter_base // 2 ** (stage + 1)))

    def _linear(self, layer, size, *args, gain=_GAIN, **kwargs):
        start = keras.initializers.RandomNormal(0.0, 1.0)
        made = layer(size, *args, kernel_initializer=start, dtype=self.dtype_policy, **kwargs)
        return EqualizedLearningRate(made, gain, dtype=self.dtype_policy)

    def _convolution(self, filters, side=3, **kwargs):
        return self._linear(keras.layers.Conv2D, filters, side, padding="same", **kwargs)

    def _activation(self):
        return keras.layers.LeakyReLU(0.2, dtype=self.dtype_policy)


@keras.saving.register_keras_serializable("zoo")
class ProgressiveGenerator(_Growing):
    """Latents to images by pairs of 3×3 convolutions, each pair behind a doubling of the side.

    Table 2 of the paper. Latents and the outputs of all layers but the last are normalised pixel by pixel.

    Args:
        data_shape: (H, W, C), H = W = 4·2ᵏ with k ≥ 1, 1 or 3 channels.
        latent_dim: number of latents z.
        filter_base: stage k has filter_base / 2ᵏ⁺¹ channels,
        max_filters: but at most these.

    Input: latents [N, latent_dim]. Output: [N, H, W, C] of a linear layer; outside of training mode clipped to [-1, 1].

    Raises:
        RequestError: unsupported image shape.
    """

    latent_dim = Option(512, whole(1))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        first, dtype = self.filters(0), self.dtype_policy
        maps = [
            PixelNormalization(dtype=dtype),
            self._linear(keras.layers.Dense, FIRST_SIDE**2 * first, gain=_GAIN / 4),
            keras.layers.Reshape((FIRST_SIDE, FIRST_SIDE, first), dtype=dtype),
            *self._behind(),
            self._convolution(first),
            *self._behind(),
        ]
        self.first = stack((self.latent_dim,), maps, dtype)
        blocks, to_images = [], []
        for stage in range(self.stages + 1):
            side, filters = FIRST_SIDE * 2**stage, self.filters(stage)
            if stage:
                pair = [part for _ in range(2) for part in (self._convolution(filters), *self._behind())]
                doubled = Doubling(dtype=dtype)
                blocks.append(stack((side // 2, side // 2, self.filters(stage - 1)), [doubled, *pair], dtype))
            image = self._convolution(data_shape[2], 1, gain=1.0)
            to_images.append(stack((side, side, filters), [image], dtype))
        self.blocks, self.to_images = self.keep("block", blocks), self.keep("to_image", to_images)
        self.built = True

    def _behind(self):
        return self._activation(), PixelNormalization(dtype=self.dtype_policy)

    def call(self, latents, training=False):
        maps, level = self.first(latents), self.present_level

        def made(stage):
            before, here = None, maps
            for block in self.blocks[:stage]:
                before, here = here, block(here)
            images = self.to_images[stage](here)
            if stage:
                former = enlarge(self.to_images[stage - 1](before), 2)
                images = former + share(level, stage, images.dtype) * (images - former)
            return enlarge(images, 2 ** (self.stages - stage))

        images = tf.cast(at_stage(level, self.stages, made), self.variable_dtype)
        images.set_shape([None, *self.data_shape])
        return images if training else tf.clip_by_value(images, -1.0, 1.0)


@keras.saving.register_keras_serializable("zoo")
class ProgressiveCritic(_Growing):
    """Images to a raw score by pairs of 3×3 convolutions, each pair before a halving of the side.

    Table 2 of the paper. `MinibatchDeviation` comes before the last convolution, so a score depends on the batch.

    Args:
        data_shape, filter_base, max_filters: as of `ProgressiveGenerator`.

    Input: [N, H, W, C] in [-1, 1]. Output: [N, 1].

    Raises:
        RequestError: unsupported image shape.
    """

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        dtype, first = self.dtype_policy, self.filters(0)
        blocks, from_images = [], []
        for stage in range(self.stages + 1):
            side, filters = FIRST_SIDE * 2**stage, self.filters(stage)
            image = [self._convolution(filters, 1), self._activation()]
            from_images.append(stack((side, side, data_shape[2]), image, dtype))
            if stage:
                narrow = (self._convolution(filters), self._activation())
                wide = (self._convolution(self.filters(stage - 1)), self._activation())
                halved = keras.layers.AveragePooling2D(2, dtype=dtype)
                blocks.append(stack((side, side, filters), [*narrow, *wide, halved], dtype))
        self.blocks, self.from_images = self.keep("block", blocks), self.keep("from_image", from_images)
        maps = [
            MinibatchDeviation(dtype=dtype),
            self._convolution(first),
            self._activation(),
            keras.layers.Flatten(dtype=dtype),
            self._linear(keras.layers.Dense, first),
            self._activation(),
        ]
        self.last = stack((FIRST_SIDE, FIRST_SIDE, first), maps, dtype)
        score = self._linear(keras.layers.Dense, 1, gain=1.0)
        self.head = stack((first,), [score], dtype)
        self.built = True

    def features(self, x, training=False):
        """The layer before the head: [N, features]."""
        x, level = tf.cast(x, self.compute_dtype), self.present_level

        def seen(stage):
            images = average(x, 2 ** (self.stages - stage))
            maps = self.from_images[stage](images)
            if stage:
                maps = self.blocks[stage - 1](maps)
                former = self.from_images[stage - 1](average(images, 2))
                maps = former + share(level, stage, maps.dtype) * (maps - former)
            for block in reversed(self.blocks[: max(0, stage - 1)]):
                maps = block(maps)
            return maps

        maps = at_stage(level, self.stages, seen)
        maps.set_shape([None, FIRST_SIDE, FIRST_SIDE, self.filters(0)])
        return self.last(maps, training=training)

    def call(self, x, training=False):
        return tf.cast(self.head(self.features(x, training=training)), self.variable_dtype)
