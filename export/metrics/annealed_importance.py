"""Annealed importance sampling of a restricted Boltzmann machine's normalising constant. Neal 2001; Salakhutdinov &
Murray 2008, "On the quantitative analysis of deep belief networks"."""

import math

import numpy as np

from export.metrics.intervals import Interval, normal_interval

#: Independent runs, and inverse temperatures of each run.
_RUNS, _STEPS = 100, 2_000


def log_weights(machine, runs=_RUNS, steps=_STEPS, seed=0):
    """Logarithms of independent unbiased estimates of Z / Z₀, Z₀ the constant of the machine at inverse temperature 0.

    A run starts at a draw of the model of independent pixels. At each of equally spaced inverse temperatures β its
    weight is multiplied by the ratio of the unnormalised probabilities of its visible units at β and at the one before.
    Then it takes a Gibbs step, which leaves the distribution at β as it is.

    Args:
        machine: `zoo.RBM`.
        runs: number of runs.
        steps: number of inverse temperatures after 0, the last of which is 1.
        seed: of the noise.

    Returns:
        float64 [runs].
    """
    import tensorflow as tf

    from zoo.noise import Noise, key_from

    schedule = tf.constant(np.linspace(0.0, 1.0, steps + 1))
    noise = Noise(key_from(seed), tf.range(runs))

    def step(number, visible, weights):
        # The visible biases are the same at all temperatures and cancel. In float64: neighbours differ by little.
        logits = tf.cast(machine.hidden_logits(visible), tf.float64)
        before, now = schedule[number - 1], schedule[number]
        weights += tf.reduce_sum(tf.nn.softplus(now * logits) - tf.nn.softplus(before * logits), axis=1)
        visible = machine.gibbs_step(visible, noise.fold_in(number), tf.cast(now, machine.variable_dtype))
        return number + 1, visible, weights

    @tf.function(autograph=False)
    def anneal():
        start = (1, machine.independent(noise), tf.zeros([runs], tf.float64))
        return tf.while_loop(lambda number, *_: number <= steps, step, start)[2]

    return anneal().numpy()


def log_mean(log_weights):
    """log of the mean of weights, and the variance of that: the mean's own, relative to its square (delta method).

    It holds where the weights vary little. Where annealing took too few steps it is large.

    Args:
        log_weights: [runs], runs ≥ 2.
    """
    most = np.max(log_weights)
    relative = np.exp(log_weights - most)
    mean = relative.mean()
    return float(most + np.log(mean)), float(relative.var(ddof=1) / (len(relative) * mean**2))


def log_partition(machine, runs=_RUNS, steps=_STEPS, seed=0):
    """log Z = log Z₀ + log mean w, Z₀ = 2^H Πᵢ(1 + exp bᵢ), and the variance of this estimate; as of `log_weights`."""
    value, variance = log_mean(log_weights(machine, runs, steps, seed))
    biases = np.asarray(machine.visible_bias, np.float64)
    return machine.hidden_units * math.log(2.0) + float(np.logaddexp(0.0, biases).sum()) + value, variance


def log_likelihood_interval(machine, images, runs=_RUNS, steps=_STEPS, seed=0) -> Interval:
    """E log p(v) of images, made binary at random, in nats per image.

    The interval covers the draw of the images, their pixels and the error of log Z.

    Args:
        machine, runs, steps, seed: as of `log_weights`.
        images: float [N, H, W, 1] in [-1, 1], N ≥ 2.

    Returns:
        An `Interval`.
    """
    import tensorflow as tf

    from zoo.noise import Noise, key_from

    visible = machine.binarise(images, Noise(key_from(seed), tf.range(len(images))))
    unnormalised = -np.asarray(machine.free_energy(visible), np.float64)
    log_z, variance = log_partition(machine, runs, steps, seed)
    return normal_interval(
        unnormalised.mean() - log_z, unnormalised.var(ddof=1) / len(unnormalised) + variance, degrees=runs - 1
    )
