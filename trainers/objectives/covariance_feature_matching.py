"""Covariance feature matching: the difference of second moments of features along learned directions. Mroueh, Sercu &
Goel 2017, "McGan: mean and covariance feature matching GAN", section 4."""

import keras
import tensorflow as tf

from trainers.objectives._directed import Directed
from zoo.errors import RequestError
from zoo.options import Option, whole


class _Directions(keras.layers.Layer):
    """U and V [m, k] with orthonormal columns: features [N, m] → Σᵢ ⟨uᵢ, φ⟩⟨vᵢ, φ⟩, [N, 1]."""

    def __init__(self, features, count, dtype):
        super().__init__(dtype=dtype, name="directions")
        shape = {"shape": (features, count), "initializer": "orthogonal"}
        self.left, self.right = self.add_weight(name="left", **shape), self.add_weight(name="right", **shape)
        self.built = True

    def call(self, features):
        products = tf.matmul(features, self.left) * tf.matmul(features, self.right)
        return tf.reduce_sum(products, axis=1, keepdims=True)


class CovarianceFeatureMatching(Directed):
    """Critic: E D(G(z)) - E D(x); generator: -E D(G(z)); D(x) = ⟨Uᵀφ(x), Vᵀφ(x)⟩, φ the critic, a vector of
    `config.critic.output_dim` features, U and V with k orthonormal columns each.

    E D(x) - E D(G(z)) = Tr Uᵀ(Σ_p - Σ_q)V, Σ = E φφᵀ. The best U and V are its singular vectors, and the value then is
    the sum of the k largest singular values of Σ_p - Σ_q, its truncated nuclear norm. Where the means of features
    agree, second moments still tell p from q: a mean may favour one of two modes, a second moment gives both their
    weight.

    U and V are moved with the critic, by its optimizer, and after each move brought back to orthonormal columns by a QR
    decomposition, a retraction to the Stiefel manifold. Clipping is for φ alone, whose features it bounds.

    Args:
        count: k, up to the number of features.
        clip: as of `wasserstein`.

    Raises:
        RequestError: k out of range, or a negative clip.
    """

    critic_output_dim = 32

    count = Option(16, whole(1))

    def make_directions(self, features, dtype):
        if self.count > features:
            where = f"config.objective_options.count: {self.count}"
            raise RequestError(f"{where}; expected at most the {features} of config.critic.output_dim")
        return _Directions(features, self.count, dtype)

    def retract(self, value):
        columns, upper = tf.linalg.qr(value)
        # The decomposition is unique, and the retraction smooth, with a positive diagonal.
        diagonal = tf.linalg.diag_part(upper)
        return columns * tf.where(diagonal < 0.0, -tf.ones_like(diagonal), tf.ones_like(diagonal))
