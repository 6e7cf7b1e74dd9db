"""Custom layers, and the normalisations of generators and critics."""

import keras
import numpy as np
import tensorflow as tf

from zoo.errors import RequestError
from zoo.families import check_normalization
from zoo.replicas import global_batch, mean_over_replicas, replica_count
from zoo.resampling import enlarge

#: Examples in the reference batch of virtual batch normalisation.
REFERENCE_SIZE = 64


@keras.saving.register_keras_serializable("zoo")
class BatchNormalization(keras.layers.Layer):
    """Batch normalisation over the *global* batch, in one fused pass where there is one replica.

    Ioffe & Szegedy 2015. Differs from keras.layers.BatchNormalization in two ways. The statistics are those of all
    replicas' examples, so that the number of replicas does not change the result; and a single replica runs one fused
    kernel with float32 statistics instead of several passes, which saves time on CPUs.

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
        # No autocast: scales and statistics stay float32 in a bfloat16 layer.
        weight = {"shape": shape, "dtype": dtype, "autocast": False}
        # DCGAN's initialisation: scales drawn around one rather than set to it (Radford et al. 2015, released code).
        self.gamma = self.add_weight(initializer=keras.initializers.RandomNormal(1.0, 0.02), name="gamma", **weight)
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
        if replica_count() == 1 and gamma.dtype == tf.float32:
            images = inputs if inputs.shape.rank == 4 else tf.reshape(inputs, [-1, 1, 1, inputs.shape[-1]])
            outputs, mean, variance = tf.compat.v1.nn.fused_batch_norm(
                images, gamma, beta, epsilon=self.epsilon, is_training=True
            )
            # The kernel returns the unbiased variance; convert it to the population's, as in the other branch.
            count = tf.cast(tf.size(images) // images.shape[-1], variance.dtype)
            variance = variance * (count - 1.0) / count
            outputs = tf.reshape(outputs, tf.shape(inputs))
        else:
            wide = tf.cast(inputs, gamma.dtype)
            axes = list(range(wide.shape.rank - 1))
            # Centred before squaring: E x² - (E x)² in float32 can be far off, even negative.
            mean = mean_over_replicas(tf.reduce_mean(wide, axes))
            variance = mean_over_replicas(tf.reduce_mean(tf.square(wide - mean), axes))
            outputs = (wide - mean) * (gamma * tf.math.rsqrt(variance + self.epsilon)) + beta
            outputs = tf.cast(outputs, inputs.dtype)
        keep = self.momentum
        self.moving_mean.assign(self.moving_mean * keep + tf.stop_gradient(mean) * (1.0 - keep))
        self.moving_variance.assign(self.moving_variance * keep + tf.stop_gradient(variance) * (1.0 - keep))
        return outputs

    def get_config(self):
        return {**super().get_config(), "momentum": self.momentum, "epsilon": self.epsilon}


@keras.saving.register_keras_serializable("zoo")
class VirtualBatchNormalization(keras.layers.Layer):
    """Normalises each example by the statistics of a reference batch, fixed for the whole run, and of itself.

    Salimans et al. 2016, section 3.5. Batch normalisation makes an output depend on the other inputs of its batch; here
    it depends on the example and the reference only, in training and at inference alike. A channel's mean and variance
    are those of the R reference examples and the example together, as in the paper's released code: with c = 1/(R + 1),

        μ = (1 - c) μ_R + c μ_x,   σ² = (1 - c) σ_R² + c σ_x² + c (1 - c) (μ_x - μ_R)²,

    μ_x and σ_x² over the example's positions. The reference examples are normalised by μ_R and σ_R².

    The reference's activations change with the weights, so it passes through the network in every call. Its examples
    are the first R rows of the layer's input; `stack` prepends them and removes them from the output.

    Args:
        reference_size: R.
        epsilon: added to the variance.

    Input and output: [R + N, ..., C], any float dtype; statistics are float32, or float64 where the input is.
    """

    def __init__(self, reference_size=REFERENCE_SIZE, epsilon=1e-5, **kwargs):
        super().__init__(**kwargs)
        self.reference_size, self.epsilon = reference_size, epsilon

    def build(self, input_shape):
        dtype = "float64" if self.compute_dtype == "float64" else "float32"
        weight = {"shape": (input_shape[-1],), "dtype": dtype, "autocast": False}
        self.gamma = self.add_weight(initializer=keras.initializers.RandomNormal(1.0, 0.02), name="gamma", **weight)
        self.beta = self.add_weight(initializer="zeros", name="beta", **weight)

    def call(self, inputs):
        gamma, beta = tf.convert_to_tensor(self.gamma), tf.convert_to_tensor(self.beta)
        wide = tf.cast(inputs, gamma.dtype)
        reference, examples = wide[: self.reference_size], wide[self.reference_size :]
        positions = list(range(1, wide.shape.rank - 1))
        mean = tf.reduce_mean(reference, [0, *positions])
        variance = tf.reduce_mean(tf.square(reference - mean), [0, *positions])
        own_mean = tf.reduce_mean(examples, positions, keepdims=True)
        own_variance = tf.reduce_mean(tf.square(examples - own_mean), positions, keepdims=True)
        share = 1.0 / (self.reference_size + 1)
        both_mean = mean + share * (own_mean - mean)
        between = share * (1.0 - share) * tf.square(own_mean - mean)
        both_variance = (1.0 - share) * variance + share * own_variance + between
        reference = (reference - mean) * tf.math.rsqrt(variance + self.epsilon)
        examples = (examples - both_mean) * tf.math.rsqrt(both_variance + self.epsilon)
        return tf.cast(tf.concat([reference, examples], 0) * gamma + beta, inputs.dtype)

    def compute_output_shape(self, input_shape):
        return input_shape

    def get_config(self):
        return {**super().get_config(), "reference_size": self.reference_size, "epsilon": self.epsilon}


class WithReference(keras.Sequential):
    """A Sequential that prepends its reference batch to the inputs of every call, for virtual batch normalisation.

    `reference` [R, *input_shape] is a non-trainable weight, initially N(0, 1) like a generator's latents. For a critic,
    training requires real examples in its place, see `set_reference`.
    """

    def __init__(self, input_shape, layers, policy):
        super().__init__()
        self.dtype_policy = policy
        self._initializer = keras.initializers.RandomNormal(0.0, 1.0)
        self.reference = self.add_weight(
            shape=(REFERENCE_SIZE, *input_shape),
            dtype=policy.variable_dtype,
            initializer=self._initializer,
            trainable=False,
            name="reference",
        )
        for layer in [keras.Input(input_shape, dtype=policy.compute_dtype), *layers]:
            self.add(layer)

    def call(self, inputs, training=None, mask=None):
        rows = tf.concat([tf.cast(tf.convert_to_tensor(self.reference), inputs.dtype), inputs], 0)
        return super().call(rows, training=training, mask=mask)[REFERENCE_SIZE:]

    def has_initial_reference(self):
        """Whether the reference is still the one drawn from N(0, 1): neither set nor restored from a checkpoint."""
        # An initializer object draws the same numbers each time.
        initial = self._initializer(self.reference.shape, dtype=self.reference.dtype)
        return np.array_equal(keras.ops.convert_to_numpy(self.reference), keras.ops.convert_to_numpy(initial))


def _with_reference(network):
    return [layer for layer in network._flatten_layers() if isinstance(layer, WithReference)]


def needs_reference(network):
    """Whether a network has virtual batch normalisation, and so a reference batch."""
    return bool(_with_reference(network))


def check_reference(critic):
    """Raises RequestError for a critic with virtual batch normalisation whose reference batch was never set."""
    if any(layer.has_initial_reference() for layer in _with_reference(critic)):
        raise RequestError(
            f"{critic.name}: its virtual batch normalisation has no reference batch; expected real examples, set by "
            "zoo.layers.set_reference(critic, examples) before the GAN is made of it"
        )


def set_reference(network, examples):
    """Sets the reference batch of a critic with virtual batch normalisation to real examples.

    Args:
        network: a critic.
        examples: [M, *data_shape] in [-1, 1], M ≥ 1; the first REFERENCE_SIZE are used, repeated if there are fewer.
    """
    for layer in _with_reference(network):
        if tuple(layer.reference.shape[1:]) == tuple(examples.shape[1:]):
            layer.reference.assign(np.resize(examples, layer.reference.shape))


def copy_reference(source, target):
    """Copies the reference batch of `source`, where one was set, to `target`, a critic of the same config."""
    for one, other in zip(_with_reference(source), _with_reference(target)):
        if one.has_initial_reference():
            continue  # A copied initial reference would count as set.
        other.reference.assign(keras.ops.convert_to_numpy(one.reference))


@keras.saving.register_keras_serializable("zoo")
class MinibatchDiscrimination(keras.layers.Layer):
    """Gives a critic the closeness of each example to the others of its batch, which exposes mode collapse.

    Salimans et al. 2016, section 3.2, in the survey's form: for features f(x_i) ∈ R^A and T ∈ R^{A×B×C},

        M_i = f(x_i) T ∈ R^{B×C},  c_b(x_i, x_j) = exp(-‖M_{i,b} - M_{j,b}‖₁),  o(x_i)_b = Σ_{j=1..n} c_b(x_i, x_j),

    and the output is f(x_i) with o(x_i) appended. The sum is over the *global* batch, so that the number of replicas
    does not change the result, and includes the example itself, which adds one. Memory grows as N · n · B · C.

    Args:
        kernels: B.
        kernel_size: C; 5 as in the paper's released code.

    Input: [N, A]. Output: [N, A + B].

    Raises:
        RequestError: a global batch of one example, where its size is known.
    """

    def __init__(self, kernels, kernel_size=5, **kwargs):
        super().__init__(**kwargs)
        self.kernels, self.kernel_size = kernels, kernel_size

    def build(self, input_shape):
        self.kernel = self.add_weight(shape=(input_shape[-1], self.kernels * self.kernel_size), name="kernel")

    def call(self, inputs):
        if inputs.shape[0] is not None and inputs.shape[0] * replica_count() == 1:
            raise RequestError("minibatch discrimination: a batch of one example; expected two or more")
        here = tf.reshape(tf.matmul(inputs, self.kernel), [-1, self.kernels, self.kernel_size])
        distances = tf.reduce_sum(tf.abs(here[:, None] - global_batch(here)[None]), axis=-1)
        return tf.concat([inputs, tf.reduce_sum(tf.exp(-distances), axis=1)], axis=-1)

    def compute_output_shape(self, input_shape):
        return (*input_shape[:-1], input_shape[-1] + self.kernels)

    def get_config(self):
        return {**super().get_config(), "kernels": self.kernels, "kernel_size": self.kernel_size}


@keras.saving.register_keras_serializable("zoo")
class Doubling(keras.layers.Layer):
    """Each pixel twice in both directions: [N, H, W, C] → [N, 2H, 2W, C].

    In place of `keras.layers.UpSampling2D` inside a branch of `zoo.stages.at_stage`: that layer computes how often it
    repeats, and XLA cannot compile a gradient that needs a number from another branch.
    """

    def call(self, inputs):
        return enlarge(inputs, 2)

    def compute_output_shape(self, input_shape):
        count, height, width, channels = input_shape
        return (count, height and 2 * height, width and 2 * width, channels)


def normalization_layers(kind, dtype=None):
    """The layers of normalisation `kind` that follow a linear layer: a list of one or none.

    "spectral" wraps the linear layer's weights instead, see `linear`.
    """
    check_normalization(kind)
    if kind == "batch":
        return [BatchNormalization(dtype=dtype)]
    if kind == "virtual_batch":
        return [VirtualBatchNormalization(dtype=dtype)]
    if kind == "layer":
        # Over all of an example's units with one scale a channel, as in the WGAN-GP code: one group.
        return [keras.layers.GroupNormalization(groups=1, dtype=dtype)]
    return []


@keras.saving.register_keras_serializable("zoo")
class SpectralNormalization(keras.layers.Wrapper):
    """A linear layer whose kernel W acts as W/σ(W), σ the largest singular value. Miyato et al. 2018, section 2.1.

    σ is that of the kernel as a matrix [inputs, outputs], tracked by one power iteration in each training call (the
    paper's algorithm 1). The gradient passes through σ, which removes the part that would only rescale the kernel
    (section 2.2).

    Differs from keras.layers.SpectralNormalization in that last point: Keras divides the stored kernel in place,
    without a gradient. A critic's gradient then mostly rescales the kernel, which the next division undoes; as Adam
    normalises gradient sizes, little of a step is left for the rest.

    Args:
        layer: a linear layer with a `kernel` and no activation, perhaps a `bias`, which is left alone.
    """

    def build(self, input_shape=None):
        super().build(input_shape)
        kernel = self.layer.kernel
        self.vector = self.add_weight(
            shape=(1, kernel.shape[-1]),
            dtype=kernel.dtype,
            initializer="random_normal",
            trainable=False,
            aggregation="only_first_replica",
            autocast=False,
            name="vector",
        )

    def call(self, inputs, training=False):
        right = tf.math.l2_normalize(tf.convert_to_tensor(self.vector))
        kernel = tf.cast(tf.convert_to_tensor(self.layer.kernel), right.dtype)
        matrix = tf.reshape(kernel, [-1, kernel.shape[-1]])
        fixed = tf.stop_gradient(matrix)
        left = tf.math.l2_normalize(tf.matmul(right, fixed, transpose_b=True))
        if training:
            right = tf.math.l2_normalize(tf.matmul(left, fixed))
            self.vector.assign(right)
        norm = tf.reduce_sum(tf.matmul(left, matrix) * right)
        # A linear layer's output minus its bias is proportional to the kernel.
        outputs = self.layer(inputs)
        bias = 0.0 if getattr(self.layer, "bias", None) is None else tf.convert_to_tensor(self.layer.bias)
        return (outputs - bias) / tf.cast(norm, outputs.dtype) + bias

    def compute_output_shape(self, input_shape):
        return self.layer.compute_output_shape(input_shape)


def linear(layer, normalization):
    """`layer` itself, or wrapped in `SpectralNormalization` where `normalization` is "spectral"."""
    return SpectralNormalization(layer, dtype=layer.dtype_policy) if normalization == "spectral" else layer


def has_virtual_batch(layers):
    """Whether there is virtual batch normalisation among `layers`, or inside them."""
    return any(isinstance(part, VirtualBatchNormalization) for layer in layers for part in layer._flatten_layers())


def stack(input_shape, layers, dtype):
    """keras.Sequential of `layers` on inputs [N, *input_shape] cast to `dtype` (a policy, or a name).

    A plain Sequential casts its inputs to float32, even in a float64 network. With virtual batch normalisation among
    the layers, the stack prepends a reference batch of its own to its inputs.
    """
    policy = keras.dtype_policies.get(dtype)
    if has_virtual_batch(layers):
        return WithReference(input_shape, layers, policy)
    network = keras.Sequential([keras.Input(input_shape, dtype=policy.compute_dtype), *layers])
    network.dtype_policy = policy
    return network


def score_head(
    feature_shape, normalization, dtype, initializer="glorot_uniform", minibatch_discrimination=0, output_dim=1
):
    """The last layer of a critic: features to raw scores, one or more, computed in the variables' dtype.

    `MinibatchDiscrimination` of that many kernels, if any, comes between the features and the score.
    """
    score = linear(keras.layers.Dense(output_dim, kernel_initializer=initializer, dtype=dtype), normalization)
    closeness = [MinibatchDiscrimination(minibatch_discrimination, dtype=dtype)] if minibatch_discrimination else []
    return stack(feature_shape, [*closeness, score], dtype)
