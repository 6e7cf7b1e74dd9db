"""Multilayer perceptrons: the networks of the original GAN paper and of every toy experiment."""

import math

import keras
import tensorflow as tf

from zoo.layers import linear, normalization_layers, score_head, stack


def _initializer(orthogonal_gain):
    """Weight initialiser: orthogonal matrices times `orthogonal_gain`, or Glorot & Bengio's uniform one if it is 0."""
    return keras.initializers.Orthogonal(orthogonal_gain) if orthogonal_gain else "glorot_uniform"


def _hidden(hidden_units, activation, normalization, orthogonal_gain, dtype):
    """The hidden layers, each a linear map, its normalisation and its activation."""
    layers = []
    for units in hidden_units:
        dense = keras.layers.Dense(units, kernel_initializer=_initializer(orthogonal_gain), dtype=dtype)
        layers.append(linear(dense, normalization))
        layers += normalization_layers(normalization, dtype)
        layers.append(keras.layers.Activation(activation, dtype=dtype))
    return layers


@keras.saving.register_keras_serializable("zoo")
class MLPGenerator(keras.Model):
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

    Example:
        >>> zoo.MLPGenerator((2,), latent_dim=16)(tf.zeros([5, 16])).shape
        TensorShape([5, 2])
    """

    def __init__(
        self,
        data_shape,
        latent_dim=64,
        hidden_units=(128, 128),
        activation="relu",
        normalization="none",
        output_activation=None,
        orthogonal_gain=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.data_shape, self.latent_dim, self.hidden_units = tuple(data_shape), latent_dim, tuple(hidden_units)
        self.activation, self.normalization = activation, normalization
        self.output_activation = output_activation or ("tanh" if len(self.data_shape) == 3 else None)
        self.orthogonal_gain = orthogonal_gain
        hidden = _hidden(hidden_units, activation, normalization, orthogonal_gain, self.dtype_policy)
        # The head computes in the variables' dtype: bfloat16 would visibly round points and pixels.
        head = keras.layers.Dense(
            math.prod(data_shape),
            self.output_activation,
            kernel_initializer=_initializer(orthogonal_gain),
            dtype=self.variable_dtype,
        )
        self.layout = stack((latent_dim,), [*hidden, head], self.dtype_policy)
        self.built = True

    def call(self, latents, training=False):
        return tf.reshape(self.layout(latents, training=training), [-1, *self.data_shape])

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "latent_dim": self.latent_dim,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "normalization": self.normalization,
            "output_activation": self.output_activation,
            "orthogonal_gain": self.orthogonal_gain,
        }


@keras.saving.register_keras_serializable("zoo")
class MLPCritic(keras.Model):
    """Points or images to a raw score (a logit, never a probability), through fully connected layers.

    Args:
        data_shape: shape of one example, (d,) or (H, W, C).
        hidden_units: width of each hidden layer.
        activation: of the hidden layers.
        normalization: of the hidden layers: "none", "batch", "layer", "spectral" or "virtual_batch".
        minibatch_discrimination: number of kernels between the features and the score; 0 for none.
        input_scale: factor on the inputs before the first layer.
        orthogonal_gain: as of `MLPGenerator`.

    Input: [N, *data_shape]. Output: float32 [N, 1].
    """

    def __init__(
        self,
        data_shape,
        hidden_units=(128, 128),
        activation="relu",
        normalization="none",
        minibatch_discrimination=0,
        input_scale=1.0,
        orthogonal_gain=0.0,
        **kwargs,
    ):
        super().__init__(**kwargs)
        self.data_shape, self.hidden_units = tuple(data_shape), tuple(hidden_units)
        self.activation, self.normalization = activation, normalization
        self.input_scale, self.orthogonal_gain = input_scale, orthogonal_gain
        hidden = _hidden(hidden_units, activation, normalization, orthogonal_gain, self.dtype_policy)
        flatten = keras.layers.Flatten(dtype=self.dtype_policy)
        scale = [] if input_scale == 1.0 else [keras.layers.Rescaling(input_scale, dtype=self.dtype_policy)]
        self.trunk = stack(self.data_shape, [flatten, *scale, *hidden], self.dtype_policy)
        self.minibatch_discrimination = minibatch_discrimination
        self.head = score_head(
            self.trunk.output_shape[1:],
            normalization,
            self.variable_dtype,
            _initializer(orthogonal_gain),
            minibatch_discrimination,
        )
        self.built = True

    def features(self, x, training=False):
        """The layer before the head: [N, hidden_units[-1]]."""
        return self.trunk(x, training=training)

    def call(self, x, training=False):
        return self.head(self.features(x, training=training), training=training)

    def get_config(self):
        return {
            **super().get_config(),
            "data_shape": self.data_shape,
            "hidden_units": self.hidden_units,
            "activation": self.activation,
            "normalization": self.normalization,
            "minibatch_discrimination": self.minibatch_discrimination,
            "input_scale": self.input_scale,
            "orthogonal_gain": self.orthogonal_gain,
        }
