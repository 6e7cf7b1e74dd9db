"""f-divergences, and functions to train on their variational bounds. Nowozin, Cseke & Tomioka 2016, "f-GAN", tables 2
and 6 (of the supplement).

D_f(P‖Q) = E_Q f(p/q) ≥ E_P T - E_Q f*(T), tight at T = f'(p/q). The critic's raw output v becomes T = g(v), in the
domain of the conjugate f*. All activations g increase, so that a high v means "real" (where the printed table shows
-exp(v) or 1 - exp(v), exp(-v) is meant).
"""

import dataclasses
import math
from collections.abc import Callable

import tensorflow as tf

_LOG_2 = math.log(2.0)


def _log_omega(s):
    """y with exp(y) + y = s: the logarithm of the Wright omega function, ω(s) = W(exp(s)), W being Lambert's.

    Newton's method on a convex increasing function, started right of its root: six rounds reach float64 from anywhere.
    The loop is unrolled, so that derivatives of any order come from automatic differentiation.
    """
    y = tf.where(s > 1.0, tf.math.log(tf.maximum(s, 1.0)), s)
    for _ in range(6):
        y -= (tf.exp(y) + y - s) / (tf.exp(y) + 1.0)
    return y


def _jeffrey_conjugate(t):
    # f*(t) = w + 1/w + t - 2 with w = W(exp(1 - t)), which is where f'(1/w) = t.
    log_w = _log_omega(1.0 - t)
    return tf.exp(log_w) + tf.exp(-log_w) + t - 2.0


def _jeffrey_curvature(v):
    log_w = _log_omega(1.0 - v)
    return tf.exp(-log_w) * tf.sigmoid(-log_w)


@dataclasses.dataclass(frozen=True)
class Divergence:
    """One row of the table: elementwise functions of tensors of any float dtype.

    Attributes:
        f: convex, of the ratio u = p/q > 0.
        derivative: f', the optimal T.
        conjugate: f*(t) = sup_u ut - f(u), on its domain. That of `pearson` takes the sup over all real u, as the
            paper does; for u > 0 alone it would be constant, without a gradient, below t = -2.
        activation: g(v).
        composed: f*(g(v)), rearranged so that nothing overflows or cancels before the result itself would.
        curvature: f*''(g(v)) g'(v)², the weight of ‖∇v‖² in Roth et al. 2017.
    """

    f: Callable
    derivative: Callable
    conjugate: Callable
    activation: Callable
    composed: Callable
    curvature: Callable


def _xlogx(u):
    return tf.math.xlogy(u, u)


DIVERGENCES = {
    # KL(p‖q)
    "kl": Divergence(
        f=_xlogx,
        derivative=lambda u: 1.0 + tf.math.log(u),
        conjugate=lambda t: tf.exp(t - 1.0),
        activation=tf.identity,
        composed=lambda v: tf.exp(v - 1.0),
        curvature=lambda v: tf.exp(v - 1.0),
    ),
    # KL(q‖p)
    "reverse_kl": Divergence(
        f=lambda u: -tf.math.log(u),
        derivative=lambda u: -1.0 / u,
        conjugate=lambda t: -1.0 - tf.math.log(-t),
        activation=lambda v: -tf.exp(-v),
        composed=lambda v: v - 1.0,
        curvature=tf.ones_like,
    ),
    "pearson": Divergence(
        f=lambda u: tf.square(u - 1.0),
        derivative=lambda u: 2.0 * (u - 1.0),
        conjugate=lambda t: 0.25 * tf.square(t) + t,
        activation=tf.identity,
        composed=lambda v: 0.25 * tf.square(v) + v,
        curvature=lambda v: 0.5 * tf.ones_like(v),
    ),
    "neyman": Divergence(
        f=lambda u: tf.square(1.0 - u) / u,
        derivative=lambda u: 1.0 - 1.0 / tf.square(u),
        conjugate=lambda t: 2.0 - 2.0 * tf.sqrt(1.0 - t),
        activation=lambda v: -tf.math.expm1(-v),
        composed=lambda v: -2.0 * tf.math.expm1(-0.5 * v),
        curvature=lambda v: 0.5 * tf.exp(-0.5 * v),
    ),
    "squared_hellinger": Divergence(
        f=lambda u: tf.square(tf.sqrt(u) - 1.0),
        derivative=lambda u: 1.0 - tf.math.rsqrt(u),
        conjugate=lambda t: t / (1.0 - t),
        activation=lambda v: -tf.math.expm1(-v),
        composed=tf.math.expm1,
        curvature=lambda v: 2.0 * tf.exp(v),
    ),
    # 2 JSD
    "jensen_shannon": Divergence(
        f=lambda u: _xlogx(u) - (u + 1.0) * tf.math.log(0.5 * (u + 1.0)),
        derivative=lambda u: tf.math.log(2.0 * u / (u + 1.0)),
        conjugate=lambda t: -tf.math.log(2.0 - tf.exp(t)),
        activation=lambda v: _LOG_2 - tf.nn.softplus(-v),
        composed=lambda v: tf.nn.softplus(v) - _LOG_2,
        curvature=tf.sigmoid,
    ),
    # 2 JSD - log 4: the critic's loss is that of `minimax`.
    "gan": Divergence(
        f=lambda u: _xlogx(u) - (u + 1.0) * tf.math.log(u + 1.0),
        derivative=lambda u: tf.math.log(u / (u + 1.0)),
        conjugate=lambda t: -tf.math.log(-tf.math.expm1(t)),
        activation=lambda v: -tf.nn.softplus(-v),
        composed=tf.nn.softplus,
        curvature=tf.sigmoid,
    ),
    "total_variation": Divergence(
        f=lambda u: 0.5 * tf.abs(u - 1.0),
        derivative=lambda u: 0.5 * tf.sign(u - 1.0),
        conjugate=tf.identity,
        activation=lambda v: 0.5 * tf.tanh(v),
        composed=lambda v: 0.5 * tf.tanh(v),
        curvature=tf.zeros_like,
    ),
    # KL(p‖q) + KL(q‖p)
    "jeffrey": Divergence(
        f=lambda u: (u - 1.0) * tf.math.log(u),
        derivative=lambda u: 1.0 + tf.math.log(u) - 1.0 / u,
        conjugate=_jeffrey_conjugate,
        activation=tf.identity,
        composed=_jeffrey_conjugate,
        curvature=_jeffrey_curvature,
    ),
}
