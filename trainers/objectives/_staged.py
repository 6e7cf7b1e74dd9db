"""Training stage by stage, for networks that have stages (`zoo.stages`)."""

import keras
import tensorflow as tf

from zoo.errors import RequestError
from zoo.replicas import assign_all


class Staged:
    """Mixin for an objective: sets its networks' levels before each step, and starts its optimizers anew at seams.

    An optimizer that has started anew leaves a layer alone whose gradient is zero: what another stage trained rests.
    """

    #: Families of networks that have this objective's stages; the first one is recommended.
    critic_families = ()

    def __init__(self, generator, critic, **kwargs):
        for player, network in (("generator", generator), ("critic", critic)):
            if not hasattr(network, "level"):
                kind = type(network).__name__
                use = self.critic_families[0]
                raise RequestError(f"config.{player}.family: a {kind} has no stages; use {use}")
        super().__init__(generator, critic, **kwargs)

    def level(self, step):
        """How far the networks are at `step`, int64 scalar: float32, see `zoo.stages`."""
        raise NotImplementedError(f"{type(self).__name__} defines no level")

    @property
    def seams(self):
        """Steps before which the optimizers start anew, a list."""
        raise NotImplementedError(f"{type(self).__name__} defines no seams")

    def check_trainable(self):
        super().check_trainable()
        for name, player in self.players.items():
            if isinstance(player.optimizer._learning_rate, keras.optimizers.schedules.LearningRateSchedule):
                where = f"config.train.decay_from, or config.{name}_optimizer.learning_rate"
                reason = f"{self.critic_families[0]} starts its optimizers anew"
                raise RequestError(f"{where}: a rate that falls; {reason}, use 1")

    def play(self, batches):
        step = self.step.value
        level = self.level(step)
        levels = [network.level for network in (*self.networks.values(), self.averaged_generator)]
        assign_all(levels, [level] * len(levels))
        starts_anew = tf.reduce_any(tf.equal(step, tf.constant(self.seams, tf.int64)))
        for player in self.players.values():
            rate = player.optimizer._learning_rate
            variables = [variable for variable in player.optimizer.variables if variable is not rate]
            values = [variable.value for variable in variables]
            assign_all(variables, [tf.where(starts_anew, tf.zeros_like(value), value) for value in values])
        return super().play(batches)
