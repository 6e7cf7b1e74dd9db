"""A player: networks that are updated together, and their optimizer."""

import keras
import tensorflow as tf

from zoo.errors import RequestError
from zoo.replicas import assign_all, mean_gradients


class Player:
    """Networks that descend one loss together.

    Args:
        name: used by logs and checkpoints: its loss is logged as ``NAME_loss``, its optimizer is saved as
            ``NAME_optimizer``.
        *networks: Keras models.
        constrain: function (variable, value) → value that projects a weight after an update, or None. Returning `value`
            itself leaves the weight alone.
        like: name of the player whose optimizer is copied if this one is given none; None for the model's
            `default_optimizer`.

    Attributes:
        optimizer: a Keras optimizer for this player alone, set by `prepare`.
    """

    def __init__(self, name, *networks, constrain=None, like=None):
        self.name, self.networks, self.constrain, self.like = name, networks, constrain, like
        self.optimizer = None

    @property
    def variables(self):
        """The trainable variables of all networks, concatenated."""
        return [variable for network in self.networks for variable in network.trainable_variables]

    def prepare(self, optimizer, strategy):
        """Sets `optimizer`, prepared for gradients that are already means over all replicas.

        Raises:
            RequestError: an unsupported option of the optimizer.
        """
        _check_optimizer(optimizer, strategy.num_replicas_in_sync)
        # Keras clips the gradients that it receives, then sums them over the replicas. Here each replica passes the
        # global gradient, so that it is clipped as on a single replica, and there is nothing to sum.
        optimizer._all_reduce_sum_gradients = list
        # Built here, not in the first step: MirroredStrategy cannot create variables inside a traced step.
        with strategy.scope():
            optimizer.build(self.variables)
        self.optimizer = optimizer

    def gradients(self, tape, loss):
        """Gradient of the mean loss over all replicas, a list like `variables`."""
        return mean_gradients(tape, loss, self.variables)

    def update(self, gradients):
        """One optimizer step, then the projection of the weights that are constrained."""
        variables = self.variables
        self.optimizer.apply(gradients, variables)
        if self.constrain is None:
            return
        values = [variable.value for variable in variables]
        projected = [self.constrain(variable, value) for variable, value in zip(variables, values)]
        moved = [index for index, value in enumerate(values) if projected[index] is not value]
        if moved:
            assign_all([variables[index] for index in moved], [projected[index] for index in moved])

    def descend(self, tape, loss):
        """One step down `loss`. Returns the player's logs: the loss, and the norm of its gradient."""
        gradients = self.gradients(tape, loss)
        self.update(gradients)
        return self.logs(loss, gradients)

    def logs(self, loss, gradients):
        """The logs of a step: the loss, and the norm of the global mean gradient."""
        return {f"{self.name}_loss": loss, f"{self.name}_gradient_norm": tf.linalg.global_norm(gradients)}


def make_optimizer(options):
    """The Keras optimizer of a config's dict: "name", and its options.

    Raises:
        TypeError, ValueError: Keras' own, for options that it does not take.
    """
    options = dict(options)
    return keras.optimizers.get({"class_name": options.pop("name"), "config": options})


def score(critic, batch):
    """Scores [N, 1] of a batch by a critic, in training mode."""
    return critic(batch.x, training=True, **batch.conditions)


def _check_optimizer(optimizer, replicas):
    scaled = isinstance(optimizer, keras.optimizers.LossScaleOptimizer) or optimizer.loss_scale_factor is not None
    if scaled:
        raise RequestError(f"{type(optimizer).__name__}: it divides gradients by a loss scale; losses here have none")
    # For these Keras updates within a tf.cond, where TensorFlow allows no update of several replicas.
    for option in ("gradient_accumulation_steps", "ema_overwrite_frequency"):
        value = getattr(optimizer, option)
        if value and replicas > 1:
            raise RequestError(f"{type(optimizer).__name__}: {option} is {value}; expected none on {replicas} replicas")
