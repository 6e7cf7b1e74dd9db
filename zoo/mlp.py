"""Multilayer perceptrons: the networks of the original GAN paper and of every toy experiment."""

import math

import keras
import tensorflow as tf

from zoo.families import NORMALIZATIONS
from zoo.layers import linear, normalization_layers, score_head, stack
from zoo.network import ACTIVATION, Network
from zoo.options import Option, counts, number, one_of, whole


def _initializer(orthogonal_gain):
    """Weight initialiser: orthogonal matrices times `orthogonal_gain`, or Glorot & Bengio's uniform one if it is 0."""
    return keras.initializers.Orthogonal(orthogonal_gain) if orthogonal_gain else "glorot_uniform"


def _hidden(network):
    """The hidden layers, each a linear map, its normalisation and its activation."""
    layers, normalization, dtype = [], network.normalization, network.dtype_policy
    for units in network.hidden_units:
        dense = keras.layers.Dense(units, kernel_initializer=_initializer(network.orthogonal_gain), dtype=dtype)
        layers.append(linear(dense, normalization))
        layers += normalization_layers(normalization, dtype)
        layers.append(keras.layers.Activation(network.activation, dtype=dtype))
    return layers


@keras.saving.register_keras_serializable("zoo")
class MLPGenerator(Network):
    """Latents to points or images, through fully connected layers.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        latent_dim: number of latents z.
        hidden_units: width of each hidden layer.
        activation: of the hidden layers.
        normalization: of the hidden layers, "none", "batch", "layer" or "virtual_batch".
        output_activation: None leaves points unbounded; for images "tanh" is the default, the data's range [-1, 1].
        orthogonal_gain: initial weights are orthogonal matrices times this gain; 0: Glorot & Bengio's uniform ones.

    Input: latents [N, latent_dim]. Output: float32 [N, *data_shape].

    Examples:
        >>> zoo.MLPGenerator((2,), latent_dim=16)(tf.zeros([5, 16])).shape
        TensorShape([5, 2])
    """

    latent_dim = Option(64, whole(1))
    hidden_units = Option((128, 128), counts())
    activation = Option("relu", ACTIVATION)
    normalization = Option("none", one_of(*NORMALIZATIONS))
    output_activation = Option(None, ACTIVATION)
    orthogonal_gain = Option(0.0, number(0))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        if len(self.data_shape) == 3:
            self.output_activation = self.output_activation or "tanh"
        hidden = _hidden(self)
        # The head computes in the variables' dtype: bfloat16 would visibly round points and pixels.
        head = keras.layers.Dense(
            math.prod(data_shape),
            self.output_activation,
            kernel_initializer=_initializer(self.orthogonal_gain),
            dtype=self.variable_dtype,
        )
        self.layout = stack((self.latent_dim,), [*hidden, head], self.dtype_policy)
        self.built = True

    def call(self, latents, training=False):
        return tf.reshape(self.layout(latents, training=training), [-1, *self.data_shape])


@keras.saving.register_keras_serializable("zoo")
class MLPCritic(Network):
    """Points or images to a raw score (a logit, never a probability), through fully connected layers.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        hidden_units: width of each hidden layer.
        activation: of the hidden layers.
        normalization: of the hidden layers: "none", "batch", "layer", "spectral" or "virtual_batch".
        minibatch_discrimination: number of kernels between the features and the score; 0 for none.
        output_dim: 1, a score; more for objectives that compare vectors.
        input_scale: factor on the inputs before the first layer.
        orthogonal_gain: as of `MLPGenerator`.

    Input: [N, *data_shape]. Output: float32 [N, output_dim].
    """

    hidden_units = Option((128, 128), counts())
    activation = Option("relu", ACTIVATION)
    normalization = Option("none", one_of(*NORMALIZATIONS))
    minibatch_discrimination = Option(0, whole(0))
    output_dim = Option(1, whole(1))
    input_scale = Option(1.0, number())
    orthogonal_gain = Option(0.0, number(0))

    def __init__(self, data_shape, **kwargs):
        super().__init__(data_shape, **kwargs)
        hidden = _hidden(self)
        flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        scale = [keras.layers.Rescaling(self.input_scale, dtype=self.dtype_policy)] if self.input_scale != 1.0 else []
        self.trunk = stack(self.data_shape, [flatten, *scale, *hidden], self.dtype_policy)
        self.head = score_head(
            self.trunk.output_shape[1:],
            self.normalization,
            self.variable_dtype,
            _initializer(self.orthogonal_gain),
            self.minibatch_discrimination,
            self.output_dim,
        )
        self.built = True

    def features(self, x, training=False):
        """The layer before the head: [N, hidden_units[-1]]."""
        return self.trunk(x, training=training)

    def call(self, x, training=False):
        return self.head(self.features(x, training=training), training=training)
