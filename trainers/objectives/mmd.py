"""MMD-GAN: the maximum mean discrepancy under a kernel of learned features. Li et al. 2017, "MMD GAN: Towards deeper
understanding of moment matching network"; Bińkowski et al. 2018, "Demystifying MMD GANs", sections 2.1 and 3.2."""

import types

import tensorflow as tf

from trainers.gan import GAN
from trainers.penalties import gradient_norm_penalty, interpolates
from trainers.players import score
from zoo.errors import RequestError
from zoo.options import Option, number, one_of
from zoo.replicas import global_batch

#: Bandwidths σ of the Gaussian kernels (Li et al., the released code), exponents α of the rational quadratic ones
#: (Bińkowski et al., section 3.1).
_SIGMAS, _ALPHAS = (1.0, 2.0, 4.0, 8.0, 16.0), (0.2, 0.5, 1.0, 2.0, 5.0)

#: Name → function of squared distances, a list: the kernels that are summed. Each is 1 at distance 0.
_KERNELS = {
    "rational_quadratic": lambda squares: [
        tf.exp(-alpha * tf.math.log1p(squares / (2.0 * alpha))) for alpha in _ALPHAS
    ],
    "rbf": lambda squares: [tf.exp(-squares / (2.0 * sigma**2)) for sigma in _SIGMAS],
}


class MMD(GAN):
    """Critic: -M² + λ E(‖∇f(x̂)‖₂ - 1)²; generator: M² = E k(x, x') + E k(y, y') - 2 E k(x, y), x real, y generated.

    k(x, y) = Σ κ(‖φ(x) - φ(y)‖), φ the critic, a vector of `config.critic.output_dim` features, and κ fixed kernels of
    several widths. M² compares all moments of the features, so few of them suffice, and its estimate by the pairs of
    different examples has no bias: it is zero on average where p = q, and sometimes negative. Pairs are those of the
    global batch.

    The penalty bounds the slope of the witness f(x) = E k(x, real) - E k(x, generated), which is to M what the critic
    is to `wasserstein_gp`, at the same points x̂; features that only grow would make M as large as the kernels allow.
    Li et al. clip the weights instead: `penalty_weight=0` with `techniques.weight_clipping`, `kernel="rbf"`. Without
    their autoencoder and ordering terms, and Bińkowski et al.'s dot-product kernel and its penalty on features.

    Args:
        kernel: "rational_quadratic", Σ (1 + r²/2α)^-α with heavy tails, or "rbf", Σ exp(-r²/2σ²).
        penalty_weight: λ, 0 or more.

    Raises:
        RequestError: an option out of range, a critic that mixes examples, or a global batch of one example.
    """

    critic_output_dim = 16
    critic_normalization = "none"
    penalises_gradients = True
    lacks = dict.fromkeys(("mixture", "conditional", "score"), "its critic gives features, not a score")
    default_dynamics_options = types.MappingProxyType({"critic_steps": 5})
    default_optimizer = types.MappingProxyType({"name": "adam", "learning_rate": 1e-4, "beta_1": 0.5, "beta_2": 0.9})

    kernel = Option("rational_quadratic", one_of(*_KERNELS))
    penalty_weight = Option(1.0, number(0))

    def kernels(self, here, others):
        """k of each pair: features [N, d] and [M, d] → [N, M]."""
        # Not by the Gram matrix: in float32 its differences lose the distances of close features.
        squares = tf.reduce_sum(tf.square(here[:, None] - others[None]), axis=-1)
        return tf.add_n(_KERNELS[self.kernel](squares))

    def discrepancy(self, real, fake):
        """M² of features [N, d] each: a scalar, whose mean over replicas is the unbiased estimate."""
        return self._within(real) + self._within(fake) - 2.0 * tf.reduce_mean(self.kernels(real, global_batch(fake)))

    def _within(self, here):
        """The mean of k over pairs of an example here and another one anywhere."""
        everywhere = global_batch(here)
        if everywhere.shape[0] == 1:
            raise RequestError("config.train.batch_size: 1; mmd compares the examples of a batch, use 2 or more")
        own = float(len(_KERNELS[self.kernel](tf.zeros([]))))
        others = tf.cast(tf.shape(everywhere)[0] - 1, here.dtype)
        return tf.reduce_mean(tf.reduce_sum(self.kernels(here, everywhere), axis=1) - own) / others

    def compute_critic_loss(self, real, fake, noise):
        of_real, of_fake = score(self.critic, real), score(self.critic, fake)
        every_real, every_fake = global_batch(of_real), global_batch(of_fake)

        def witness(x, **how):
            features = self.critic(x, **how)
            difference = self.kernels(features, every_real) - self.kernels(features, every_fake)
            return tf.reduce_mean(difference, axis=1, keepdims=True)

        penalty = gradient_norm_penalty(witness, interpolates(real, fake, noise))
        return self.penalty_weight * penalty - self.discrepancy(of_real, of_fake)

    def compute_generator_loss(self, real, fake, noise):
        return self.discrepancy(score(self.critic, real), score(self.critic, fake))
