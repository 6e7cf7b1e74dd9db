"""Restricted Boltzmann machines on binary images. Hinton 2002, "Training products of experts by minimizing contrastive
divergence"."""

import math

import keras
import numpy as np
import tensorflow as tf

from zoo import families
from zoo.network import Network
from zoo.noise import Noise
from zoo.options import Option, whole


@keras.saving.register_keras_serializable("zoo")
class RBM(Network):
    """p(v) = Σ_h exp(-E(v, h)) / Z, E(v, h) = -bᵀv - cᵀh - vᵀWh, visible units v (pixels) and hidden units h in {0, 1}.

    Given the visible units the hidden ones are independent, P(hⱼ = 1) = σ(c + Wᵀv)ⱼ, and the reverse, σ(b + Wh)ᵢ. The
    free energy F(v) = -bᵀv - Σⱼ sp(c + Wᵀv)ⱼ, sp the softplus, has p(v) = exp(-F(v)) / Z.

    A sample is the end of a Gibbs chain of `gibbs_steps`: P(v = 1) given the last hidden units. Such a chain seldom
    leaves the mode near which it starts. So it starts at one of the persistent chains that `trainers.objectives.rbm`
    left in the machine, each as probable. A machine without anneals: at the inverse temperature β, W and c are
    multiplied by β, and β rises linearly over the first half of the steps, from 0, where pixels are independent with
    the biases b, to 1. That finds the modes that are wide at small β: of Fashion-MNIST mostly tops.

    The bits of the two latents are the key of the chain's noise. So an image is a function of its latents, as of any
    generator, but not a continuous one.

    Args:
        data_shape: (H, W, 1).
        hidden_units: number of hidden units.
        gibbs_steps: steps of the chain that makes a sample.
        chains: number of persistent chains, visible units that training moves; 0: none.

    Input: latents [N, 2]. Output: float32 [N, H, W, 1] in [-1, 1].

    Examples:
        >>> zoo.RBM((8, 8, 1), hidden_units=16)(tf.zeros([5, 2])).shape
        TensorShape([5, 8, 8, 1])
    """

    latent_dim = 2

    hidden_units = Option(500, whole(1))
    gibbs_steps = Option(200, whole(1))
    chains = Option(0, whole(0))

    def __init__(self, data_shape, dtype=None, **kwargs):
        # Bits are compared with probabilities in the variables' dtype: bfloat16 would move the probabilities.
        dtype = keras.dtype_policies.get(dtype).variable_dtype
        super().__init__(data_shape, dtype=dtype, autocast=False, **kwargs)
        families.check_grey(self.data_shape)
        self.visible_units = math.prod(self.data_shape)
        # Hinton 2010, "A practical guide to training restricted Boltzmann machines", section 8.
        start = keras.initializers.RandomNormal(0.0, 0.01)
        self.coupling = self.add_weight(
            name="coupling", shape=(self.visible_units, self.hidden_units), initializer=start
        )
        self.visible_bias = self.add_weight(name="visible_bias", shape=(self.visible_units,), initializer="zeros")
        self.hidden_bias = self.add_weight(name="hidden_bias", shape=(self.hidden_units,), initializer="zeros")
        if self.chains:
            kept = {"initializer": "zeros", "trainable": False, "aggregation": "only_first_replica"}
            self.persistent = self.add_weight(name="persistent", shape=(self.chains, self.visible_units), **kept)
        self.built = True

    def binarise(self, x, noise):
        """Images [N, H, W, 1] in [-1, 1] to visible units [N, D], each 1 with probability (x + 1) / 2.

        Args:
            x: images.
            noise: `zoo.noise.Noise` of N rows.
        """
        probabilities = 0.5 * (tf.reshape(tf.cast(x, self.variable_dtype), [-1, self.visible_units]) + 1.0)
        return self._draw(probabilities, noise, "pixels")

    def energy(self, visible, hidden):
        """E(v, h) of visible units [N, D] and hidden units [N, H]: [N]."""
        linear = tf.linalg.matvec(visible, self.visible_bias) + tf.linalg.matvec(hidden, self.hidden_bias)
        return -linear - tf.reduce_sum(tf.matmul(visible, self.coupling) * hidden, axis=1)

    def hidden_logits(self, visible):
        """c + Wᵀv of visible units [N, D]: [N, H]."""
        return tf.matmul(visible, self.coupling) + self.hidden_bias

    def visible_logits(self, hidden, inverse_temperature=1.0):
        """b + βWh of hidden units [N, H]: [N, D]."""
        return self.visible_bias + inverse_temperature * tf.matmul(hidden, self.coupling, transpose_b=True)

    def free_energy(self, visible):
        """F(v) of visible units [N, D]: [N]. Differentiable."""
        softplus = tf.reduce_sum(tf.nn.softplus(self.hidden_logits(visible)), axis=1)
        return -tf.linalg.matvec(visible, self.visible_bias) - softplus

    def independent(self, noise):
        """A draw of the visible units [N, D] at β = 0, P(vᵢ = 1) = σ(b)ᵢ; `noise` as of `binarise`."""
        return self._draw(tf.sigmoid(self.visible_bias), noise, "independent")

    def start(self, noise):
        """The visible units [N, D] at which the chains of N samples start; `noise` as of `binarise`."""
        if not self.chains:
            return self.independent(noise)
        chosen = tf.cast(self.chains * noise.uniform("chain", [1])[:, 0], tf.int32)
        return tf.gather(self.persistent, tf.minimum(chosen, self.chains - 1))

    def hidden_given(self, visible, noise, inverse_temperature=1.0):
        """A draw of the hidden units [N, H] given the visible units [N, D]."""
        return self._draw(tf.sigmoid(inverse_temperature * self.hidden_logits(visible)), noise, "hidden")

    def visible_given(self, hidden, noise, inverse_temperature=1.0):
        """A draw of the visible units [N, D] given the hidden units [N, H]."""
        return self._draw(tf.sigmoid(self.visible_logits(hidden, inverse_temperature)), noise, "visible")

    def gibbs_step(self, visible, noise, inverse_temperature=1.0):
        """Visible units [N, D] after a draw of the hidden units and one of the visible units given these."""
        hidden = self.hidden_given(visible, noise, inverse_temperature)
        return self.visible_given(hidden, noise, inverse_temperature)

    def gibbs(self, visible, noise, inverse_temperatures):
        """Visible units [N, D] after one Gibbs step from `visible` at each of the inverse temperatures.

        Args:
            visible: [N, D].
            noise: `zoo.noise.Noise` of N rows.
            inverse_temperatures: floats [K] in [0, 1], NumPy or a list.
        """
        schedule = tf.constant(inverse_temperatures, self.variable_dtype)

        def step(number, visible):
            return number + 1, self.gibbs_step(visible, noise.fold_in(number), schedule[number])

        count = len(inverse_temperatures)
        return tf.while_loop(lambda number, _: number < count, step, (0, visible))[1]

    def call(self, latents, training=False):
        bits = tf.bitcast(tf.cast(latents, tf.float32), tf.uint32)
        noise = Noise((bits[:, 0], bits[:, 1]), tf.zeros_like(bits[:, 0]))
        schedule = np.ones(self.gibbs_steps - 1)
        if not self.chains:
            schedule = np.minimum(1.0, 2.0 * np.arange(1, self.gibbs_steps) / self.gibbs_steps)
        visible = self.gibbs(self.start(noise), noise, schedule)
        hidden = self.hidden_given(visible, noise.fold_in(self.gibbs_steps))
        return tf.reshape(2.0 * tf.sigmoid(self.visible_logits(hidden)) - 1.0, [-1, *self.data_shape])

    def _draw(self, probabilities, noise, purpose):
        """Bits that are 1 with these probabilities, [N, units]."""
        uniform = noise.uniform(purpose, [probabilities.shape[-1]])
        return tf.cast(tf.cast(uniform, self.variable_dtype) < probabilities, self.variable_dtype)
