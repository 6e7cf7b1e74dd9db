"""Unrolled descent: the generator differentiates through K steps of the critic. Metz, Poole, Pfau & Sohl-Dickstein
2016, "Unrolled generative adversarial networks", equations 7 to 10."""

import numbers

import keras
import tensorflow as tf

from trainers.dynamics.base import MOST_MOVES
from trainers.dynamics.simultaneous import Simultaneous
from zoo.errors import RequestError
from zoo.options import Option, number, one_of, optional, whole
from zoo.replicas import mean_over_replicas


class Unrolled(Simultaneous):
    """θ_G ← θ_G - h d/dθ_G L_G(θ_D^K(θ_D, θ_G), θ_G) and θ_D ← θ_D - h ∇_D L_D(θ_D, θ_G), at the same (θ_D, θ_G).

    θ_D^0 = θ_D, and θ_D^{k+1} is θ_D^k after one optimizer step on L_D(θ_D^k, θ_G): a surrogate for the critic after it
    has adapted to the generator. The derivative goes through those steps as well, so the generator gains nothing from a
    move that the critic undoes at once, such as putting all mass on one mode. The critic itself does not change: the
    surrogate's weights are substituted in the loss, and its other state is not updated.

    All K steps use the batch and the noise of the generator's own loss, as in the authors' released code. K = 0 is
    `simultaneous` exactly. Memory and time grow by about one forward and two backward passes of the critic per
    surrogate step. Adam's first steps divide gradients by their own size, so while its moments are new the derivative
    through them is ill-conditioned; a critic that learns slower than the generator (1e-4 to 1e-3 in the released code)
    works.

    Args:
        steps: K, 0 or more.
        surrogate: "adam", a copy of the critic's optimizer with its current moments and count, differentiated through
            as in the paper (the critic's optimizer must be a plain Adam); or "sgd", plain descent.
        surrogate_rate: learning rate of the surrogate's steps; the critic's current one if None.
        critic_steps: k, the critic's own steps per generator step; the first k - 1 precede the joint one.

    Logs L_G at the surrogate critic, and L_D at the critic's own weights.
    """

    steps = Option(5, whole(0, MOST_MOVES))
    surrogate = Option("adam", one_of("adam", "sgd"))
    surrogate_rate = Option(None, optional(number(above=0)))

    def build(self, gan):
        if self.steps:
            _SURROGATES[self.surrogate].check(gan.players["critic"].optimizer)

    def answered(self, gan, real, fake, noise):
        """A context in which the critic has the weights θ_D^K, differentiable by θ_G through `fake`."""
        if not self.steps:
            return super().answered(gan, real, fake, noise)
        critic = gan.players["critic"]
        variables = critic.variables
        weights = [tf.convert_to_tensor(variable.value) for variable in variables]
        advance = _SURROGATES[self.surrogate](critic.optimizer, self.surrogate_rate)
        for _ in range(self.steps):
            with tf.GradientTape() as tape:
                tape.watch(weights)
                with _substituted(variables, weights):
                    loss = gan.critic_total_loss(real, fake, noise)
            gradients = tape.gradient(loss, weights, unconnected_gradients="zero")
            weights = advance(weights, mean_over_replicas(gradients))
            weights = [gan.constrain(variable, weight) for variable, weight in zip(variables, weights)]
        return _substituted(variables, weights)


def _substituted(variables, weights):
    """A context in which Keras variables have the values `weights`, and assignments to any variable are dropped."""
    return keras.StatelessScope(state_mapping=list(zip(variables, weights)))


def _rate(rate, weight):
    """A number or a variable's value as a learning rate in `weight`'s dtype."""
    return tf.constant(rate, weight.dtype) if isinstance(rate, numbers.Real) else tf.cast(rate, weight.dtype)


class _SGD:
    """θ - h g."""

    def __init__(self, optimizer, rate):
        self.rate = optimizer.learning_rate if rate is None else rate

    @staticmethod
    def check(optimizer):
        """Accepts any optimizer: all have a learning rate."""

    def __call__(self, weights, gradients):
        return [w - _rate(self.rate, w) * g for w, g in zip(weights, gradients)]


class _Adam:
    """Keras' Adam as a function, starting from the state of the critic's optimizer. Kingma & Ba 2015, algorithm 1."""

    #: Options of Keras' optimizers that extend the algorithm.
    _MORE = ("amsgrad", "weight_decay", "clipnorm", "clipvalue", "global_clipnorm", "gradient_accumulation_steps")

    def __init__(self, optimizer, rate):
        self.rate = optimizer.learning_rate if rate is None else rate
        self.betas, self.epsilon = (optimizer.beta_1, optimizer.beta_2), optimizer.epsilon
        self.count = tf.convert_to_tensor(optimizer.iterations.value)
        self.first = [tf.convert_to_tensor(moment.value) for moment in optimizer._momentums]
        self.second = [tf.convert_to_tensor(moment.value) for moment in optimizer._velocities]

    @classmethod
    def check(cls, optimizer):
        """Raises RequestError unless `optimizer` is Adam without such options."""
        more = [option for option in cls._MORE if getattr(optimizer, option, None)]
        if type(optimizer) is not keras.optimizers.Adam or more:
            what = f"{optimizer.name} with {', '.join(more)}" if more else optimizer.name
            raise RequestError(
                f"config.critic_optimizer: {what}; the dynamics 'unrolled' differentiates through a plain adam, "
                "or set config.dynamics_options.surrogate to 'sgd'"
            )

    def __call__(self, weights, gradients):
        self.count = self.count + 1
        moved = []
        for index, (weight, gradient) in enumerate(zip(weights, gradients)):
            one, two = self.betas
            # Rounded as Keras rounds them, so that K surrogate steps equal K steps of the optimizer in float64 too.
            powers = [keras.ops.cast(beta, weight.dtype) ** tf.cast(self.count, weight.dtype) for beta in self.betas]
            rate = _rate(self.rate, weight) * tf.sqrt(1.0 - powers[1]) / (1.0 - powers[0])
            first = self.first[index] + (gradient - self.first[index]) * (1.0 - one)
            second = self.second[index] + (tf.square(gradient) - self.second[index]) * (1.0 - two)
            self.first[index], self.second[index] = first, second
            # sqrt has no derivative at zero, the second moment of a unit that no example activates.
            none = tf.equal(second, 0.0)
            root = tf.where(none, tf.zeros_like(second), tf.sqrt(tf.where(none, tf.ones_like(second), second)))
            moved.append(weight - first * rate / (root + self.epsilon))
        return moved


_SURROGATES = {"adam": _Adam, "sgd": _SGD}
