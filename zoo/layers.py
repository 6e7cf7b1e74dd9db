"""Layers of our own, and the normalisation that a critic is built with."""

import keras
import tensorflow as tf

from zoo.families import check_normalization


def _replicas():
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def _over_replicas(mean):
    """The mean over all replicas of a mean over each one's examples."""
    if _replicas() == 1:
        return mean
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, mean)


@keras.saving.register_keras_serializable("zoo")
class BatchNormalization(keras.layers.Layer):
    """Batch normalisation over the *global* batch, in one fused pass where there is one replica.

    Ioffe & Szegedy 2015. Differs from keras.layers.BatchNormalization in two ways. The statistics are those of all
    replicas' examples, so that the number of replicas does not change the result; and on a single replica it is one
    fused kernel with float32 statistics rather than several passes, which a CPU step feels.

    Args:
        momentum: share of the moving statistics that a step keeps.
        epsilon: added to the variance.

    Input and output: [N, ..., C], any float dtype. With `training=False` the moving statistics are used.
    """

    def __init__(self, momentum=0.9, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.momentum, self.epsilon = momentum, epsilon

    def build(self, input_shape):
        shape = (input_shape[-1],)
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        # Not cast to the layer's bfloat16 where it is read: scales and statistics are float32 throughout.
        weight = {"shape": shape, "dtype": dtype, "autocast": False}
        # DCGAN's initialisation: scales drawn around one rather than set to it (Radford et al. 2015, released code).
        self.gamma = self.add_weight(
            initializer=keras.initializers.RandomNormal(1.0, 0.02), name="gamma", **weight
        )
        self.beta = self.add_weight(initializer="zeros", name="beta", **weight)
        statistics = {**weight, "trainable": False, "aggregation": "only_first_replica"}
        self.moving_mean = self.add_weight(initializer="zeros", name="moving_mean", **statistics)
        self.moving_variance = self.add_weight(initializer="ones", name="moving_variance", **statistics)

    def call(self, inputs, training=False):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        if not training:
            mean, variance = tf.convert_to_tensor(self.moving_mean), tf.convert_to_tensor(self.moving_variance)
            scale = gamma * tf.math.rsqrt(variance + self.epsilon)
            return inputs * tf.cast(scale, inputs.dtype) + tf.cast(beta - mean * scale, inputs.dtype)
        if _replicas() == 1 and gamma.dtype == tf.float32:
            images = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]])
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                images, gamma, beta, epsilon=self.epsilon, is_training=True
            )
            # The kernel reports the unbiased variance, the other branch the population's: make them one.
            count = tf.cast(tf.size(images) // images.shape[-1], variance.dtype)
            variance = variance * (count - 1.0) / count
            outputs = tf.reshape(outputs, tf.shape(inputs))
        else:
            wide = tf.cast(inputs, gamma.dtype)
            axes = list(range(wide.shape.rank - 1))
            # Centred before it is squared: E x² - (E x)² of float32 numbers can be far off, and below zero.
            mean = _over_replicas(tf.reduce_mean(wide, axes))
            variance = _over_replicas(tf.reduce_mean(tf.square(wide - mean), axes))
            outputs = (wide - mean) * (gamma * tf.math.rsqrt(variance + self.epsilon)) + beta
            outputs = tf.cast(outputs, inputs.dtype)
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + tf.stop_gradient(mean) * (1.0 - keep))
        self.moving_variance.assign(self.moving_variance * keep + tf.stop_gradient(variance) * (1.0 - keep))
        return outputs

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


def normalization_layers(kind, dtype=None):
    """What normalisation `kind` puts behind a linear layer: a list of one layer, or of none.

    "spectral" wraps the linear layer's weights instead, see `linear`.
    """
    check_normalization(kind)
    if kind == "batch":
        return [BatchNormalization(dtype=dtype)]
    if kind == "layer":
        # Over all of an example's units with one scale a channel, as in the WGAN-GP code: one group.
        return [keras.layers.GroupNormalization(groups=1, dtype=dtype)]
    return []


def linear(layer, normalization):
    """`layer` itself, or wrapped in spectral normalisation (Miyato et al. 2018) where `normalization` is "spectral"."""
    return keras.layers.SpectralNormalization(layer) if normalization == "spectral" else layer


def stack(input_shape, layers, dtype):
    """keras.Sequential of `layers` on inputs [N, *input_shape] that are read in `dtype` (a policy, or a name).

    By itself Sequential rounds its inputs to float32, those of a float64 network too.
    """
    policy = keras.dtype_policies.get(dtype)
    network = keras.Sequential([keras.Input(input_shape, dtype=policy.compute_dtype), *layers])
    network.dtype_policy = policy
    return network


def score_head(feature_shape, normalization, dtype, initializer="glorot_uniform"):
    """The last layer of a critic: features to one raw score, computed in the variables' dtype."""
    score = linear(keras.layers.Dense(1, kernel_initializer=initializer, dtype=dtype), normalization)
    return stack(feature_shape, [score], dtype)
