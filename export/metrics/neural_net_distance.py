"""Neural-net distance: how well a class of critics separates two samples, and its generalisation gap.

Arora et al. 2017, "Generalization and equilibrium in generative adversarial nets (GANs)", definition 2 (the survey's
definition 1): for a class F of functions into [0, 1] that contains 1 - D with D, and a concave measuring function φ,

    d(μ, ν) = sup over D in F of E_μ φ(D(x)) + E_ν φ(1 - D(x)) - 2 φ(½).

It depends on the class F. Unlike the Jensen-Shannon or Wasserstein distance, it generalises from a number of samples
that grows with the critic's parameters, not with the dimension. For the same reason samples with few modes can be close
to a distribution with many.
"""

from __future__ import annotations

import dataclasses
import itertools

import numpy as np
import scipy.optimize
from scipy.special import expit, log_expit


@dataclasses.dataclass(frozen=True)
class MLPCritics:
    """D(x) = σ(s(x)), s a tanh MLP with unconstrained weights. Without hidden units: logistic regression.

    Points are first standardised by the pooled samples. The first layer can undo this, so the class stays the same.

    Args:
      hidden_units: width of each hidden layer.
    """

    hidden_units: tuple = (16,)

    @property
    def name(self) -> str:
        hidden = f" with {'-'.join(map(str, self.hidden_units))} tanh units" if self.hidden_units else ", linear"
        return f"sigmoid critics{hidden}"

    def measures(self, phi):
        """The functions s → φ(σ(s)) and its derivative by s."""
        if phi == "log":
            return log_expit, lambda s: expit(-s)
        return expit, lambda s: expit(s) * expit(-s)

    def shapes(self, dim):
        """Shapes of the weights, a kernel and a bias for each layer."""
        sizes = [dim, *self.hidden_units, 1]
        return [shape for below, above in itertools.pairwise(sizes) for shape in ((below, above), (above,))]

    def start(self, dim, rng):
        """Initial weights, float64 [P]: normal, of Glorot & Bengio's 2010 scale, biases included."""
        shapes = self.shapes(dim)
        return np.concatenate([rng.normal(size=s).ravel() * (2.0 / sum(s)) ** 0.5 for s in shapes])

    def standardise(self, x, y):
        """The function that standardises points [n, d] by the pooled mean and standard deviation of x and y."""
        both = np.concatenate([x, y])
        mean, scale = both.mean(axis=0), both.std(axis=0)
        return lambda points: (points - mean) / np.where(scale > 0, scale, 1.0)

    def scores(self, weights, x):
        """s [n] of points [n, d], and the backward function: gradient by s [n] → gradient by the weights [P]."""
        shapes = self.shapes(x.shape[1])
        ends = np.cumsum([int(np.prod(shape)) for shape in shapes])[:-1]
        layers = [piece.reshape(shape) for piece, shape in zip(np.split(weights, ends), shapes)]
        inputs = [x]
        for kernel, bias in zip(layers[:-2:2], layers[1:-2:2]):
            inputs.append(np.tanh(inputs[-1] @ kernel + bias))

        def back(gradient):
            gradient, found = gradient[:, None], []
            for position in reversed(range(len(inputs))):
                found += [gradient.sum(axis=0), inputs[position].T @ gradient]
                if position:
                    gradient = (gradient @ layers[2 * position].T) * (1.0 - inputs[position] ** 2)
            return np.concatenate([part.ravel() for part in reversed(found)])

        return (inputs[-1] @ layers[-2] + layers[-1])[:, 0], back


@dataclasses.dataclass(frozen=True)
class UnitLinearCritics:
    """D(x) = ½ + ⟨w, x⟩ with ‖w‖₂ = 1, not bounded to [0, 1]: for φ(t) = t the distance of the means. No other φ."""

    name = "linear critics of unit norm"

    def measures(self, phi):
        if phi != "identity":
            raise ValueError(f"phi={phi!r}: linear critics leave [0, 1], expected 'identity'")
        return lambda s: 0.5 + s, np.ones_like

    def shapes(self, dim):
        return [(dim,)]

    def start(self, dim, rng):
        return rng.normal(size=dim)

    def standardise(self, x, y):
        return lambda points: points

    def scores(self, weights, x):
        norm = np.linalg.norm(weights)
        unit = weights / norm

        def back(gradient):
            free = x.T @ gradient
            return (free - unit * (unit @ free)) / norm

        return x @ unit, back


@dataclasses.dataclass(frozen=True)
class NeuralNetDistance:
    """A neural-net distance and the critic that attains it.

    Attributes:
      value: the largest payoff found on the two samples, at least 0 (the payoff of the constant ½).
      critics: name of the class.
      phi: "log" or "identity".
      parameters: number of weights of a critic.
      starts: float64 [S], payoff that each start reached; if they differ much, the supremum may be higher.
      num_x, num_y: sizes of the samples.
    """

    value: float
    critics: str
    phi: str
    parameters: int
    starts: np.ndarray
    num_x: int
    num_y: int
    _payoff: object = dataclasses.field(repr=False, compare=False)

    def payoff(self, x, y) -> float:
        """Payoff of the found critic on other samples [n, d] and [m, d].

        On fresh samples of the same distributions its expectation is at most the distance of the distributions. That of
        `value`, if the supremum was found, is at least the distance.
        """
        return float(self._payoff(*_pair(x, y)))

    def generalization_gap(self, x, y) -> float:
        """`value` minus `payoff` on held-out samples [n, d] and [m, d] of the same distributions."""
        return self.value - self.payoff(x, y)


def neural_net_distance(
    x, y, critics=MLPCritics(), phi="log", starts=4, seed=0, max_iterations=500
) -> NeuralNetDistance:
    """The neural-net distance between two empirical distributions.

    L-BFGS maximises the payoff on the whole samples from several starts, so the value is a lower bound of the supremum.
    It is tight for logistic critics (no hidden units) with φ = log, a concave problem, and for `UnitLinearCritics`.

    Args:
      x: [n, d].
      y: [m, d].
      critics: `MLPCritics` or `UnitLinearCritics`.
      phi: "log", the original GAN's, values in [0, 2 log 2]; or "identity", φ(t) = t, the Wasserstein GAN's, values in
        [0, 1] for critics in [0, 1].
      starts: number of starts, ≥ 1.
      seed: start i draws its initial weights from the random stream (seed, i).
      max_iterations: limit of L-BFGS iterations of each start.

    Returns:
      A `NeuralNetDistance`.

    Raises:
      ValueError: on wrong shapes, points that are not finite, `starts` < 1, or a `phi` that the class does not support.
    """
    if phi not in ("log", "identity") or starts < 1:
        raise ValueError(f"phi={phi!r}, starts={starts}: expected 'log' or 'identity', and a start or more")
    x, y = _pair(x, y)
    measure, slope = critics.measures(phi)
    seen = critics.standardise(x, y)
    seen_x, seen_y = seen(x), seen(y)
    nothing = 2.0 * float(measure(np.zeros(())))

    def loss(weights):
        (of_x, back_x), (of_y, back_y) = critics.scores(weights, seen_x), critics.scores(weights, seen_y)
        # 1 - D is the critic with the opposite score.
        value = measure(of_x).mean() + measure(-of_y).mean() - nothing
        return -value, back_y(slope(-of_y) / len(y)) - back_x(slope(of_x) / len(x))

    best, reached = None, []
    for index in range(starts):
        first = critics.start(x.shape[1], np.random.default_rng((seed, index)))
        found = scipy.optimize.minimize(
            loss, first, jac=True, method="L-BFGS-B", options={"maxiter": max_iterations, "maxfun": 2 * max_iterations}
        )
        reached.append(max(0.0, -float(found.fun)))
        if best is None or found.fun < best.fun:
            best = found

    def payoff(x, y):
        of_x, of_y = critics.scores(best.x, seen(x))[0], critics.scores(best.x, seen(y))[0]
        return measure(of_x).mean() + measure(-of_y).mean() - nothing

    return NeuralNetDistance(
        max(reached), critics.name, phi, best.x.size, np.array(reached), len(x), len(y), _payoff=payoff
    )


def _pair(x, y):
    x, y = np.asarray(x, np.float64), np.asarray(y, np.float64)
    if x.ndim != 2 or y.ndim != 2 or x.shape[1] != y.shape[1] or not len(x) or not len(y):
        raise ValueError(f"samples have shapes {x.shape} and {y.shape}, expected [n, d] and [m, d]")
    if not (np.isfinite(x).all() and np.isfinite(y).all()):
        raise ValueError("samples hold values that are not finite")
    return x, y
