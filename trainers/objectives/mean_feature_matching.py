"""Mean feature matching: the norm of the difference of mean features. Mroueh, Sercu & Goel 2017, "McGan: mean and
covariance feature matching GAN", section 3."""

import keras
import tensorflow as tf

from trainers.objectives._directed import Directed
from zoo.options import Option, one_of


def _into_l1_ball(v):
    """Projection by Duchi et al. 2008, "Efficient projections onto the ℓ₁-ball", figure 1."""
    sizes = tf.sort(tf.abs(v), axis=0, direction="DESCENDING")
    ranks = tf.cast(tf.range(1, tf.shape(v)[0] + 1), v.dtype)[:, tf.newaxis]
    thresholds = (tf.cumsum(sizes) - 1.0) / ranks
    # Zero in the ball; outside, the last of those that are exceeded.
    count = tf.reduce_sum(tf.cast(sizes > thresholds, tf.int32))
    threshold = tf.maximum(thresholds[count - 1], 0.0)
    return tf.sign(v) * tf.maximum(tf.abs(v) - threshold, 0.0)


#: q → projection to the unit ball of ℓ_p, 1/p + 1/q = 1.
_PROJECTIONS = {
    "l1": lambda v: tf.clip_by_value(v, -1.0, 1.0),
    "l2": lambda v: v / tf.maximum(tf.norm(v), 1.0),
    "linf": _into_l1_ball,
}


class _Direction(keras.layers.Layer):
    """v [m, 1]: features [N, m] → ⟨v, φ⟩, [N, 1]."""

    def __init__(self, features, project, dtype):
        super().__init__(dtype=dtype, name="directions")
        start = keras.initializers.Orthogonal()
        self.direction = self.add_weight(
            name="direction", shape=(features, 1), initializer=lambda shape, dtype: project(start(shape, dtype))
        )
        self.built = True

    def call(self, features):
        return tf.matmul(features, self.direction)


class MeanFeatureMatching(Directed):
    """Critic: E D(G(z)) - E D(x); generator: -E D(G(z)); D(x) = ⟨v, φ(x)⟩, φ the critic, a vector of
    `config.critic.output_dim` features, v in the unit ball of ℓ_p.

    E D(x) - E D(G(z)) = ⟨v, μ_p - μ_q⟩, μ = E φ. The best v of the ball gives ‖μ_p - μ_q‖_q, 1/p + 1/q = 1: an
    integral probability metric whose critics are linear in the features. `wasserstein` has one feature, here the
    critic has several that the best direction combines.

    This is the paper's primal form: v is moved with the critic, by its optimizer, and after each move projected
    to the ball. The dual form, with the norm in place of v, has the same optimum, but near equal means the sign of its
    gradient is that of a batch's noise, and on the ring it finds no mode.

    In difference to `feature_matching`, whose critic plays `minimax`, both players play for the same quantity.

    Args:
        norm: "l1", "l2" or "linf": q = 1, 2 or ∞, for directions bounded in ℓ∞, ℓ₂ or ℓ₁.
        clip: as of `wasserstein`.

    Raises:
        RequestError: an unknown norm, or a negative clip.
    """

    norm = Option("l2", one_of(*_PROJECTIONS))

    def make_directions(self, features, dtype):
        return _Direction(features, self.retract, dtype)

    def retract(self, value):
        return _PROJECTIONS[self.norm](value)
