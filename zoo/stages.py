"""Networks that are trained stage by stage.

All stages exist from the start, and inputs and outputs keep their shapes, so that checkpoints, dynamics and exports
need not know of stages. A network's `level` says which stage it is in; only the operations of that stage are run.
"""

import contextlib
import math

import keras
import tensorflow as tf

from zoo.network import Network


def at_stage(level, stages, branch):
    """`branch(k)`, a tensor, of the stage k = ⌈level⌉. Only its operations are run, and from stage 2 on those of the
    second stage, which are few beside them.

    A level that is a Python number makes the operations of its stage and no other.
    """
    if isinstance(level, float):
        return branch(math.ceil(level))
    stage = tf.cast(tf.math.ceil(level), tf.int32)
    if not stages:
        return branch(0)
    # Not tf.switch_case: XLA looks for the values of all that goes into its branches, by interpreting the networks
    # before, for minutes. Nor conditions within conditions: three deep, TensorFlow cannot take the gradient's gradient.
    found = tf.cond(stage <= 0, lambda: branch(0), lambda: branch(1))
    for later in range(2, stages + 1):
        found = tf.cond(tf.equal(stage, later), lambda later=later: branch(later), lambda found=found: found)
    return found


class Staged(Network):
    """Base class.

    Args:
        data_shape, **kwargs: as of `Network`.
        stages: the last stage; the first is 0.

    Attributes:
        stages: the last stage.
        level: float32 variable in [0, stages], the last stage at first.
    """

    def __init__(self, data_shape, stages, **kwargs):
        super().__init__(data_shape, **kwargs)
        self.stages, self._fixed_level = stages, None
        self.level = self.add_weight(
            name="level",
            initializer=keras.initializers.Constant(stages),
            dtype="float32",
            autocast=False,
            trainable=False,
            aggregation="only_first_replica",
        )

    @property
    def present_level(self):
        """The level, for `at_stage`."""
        return tf.convert_to_tensor(self.level) if self._fixed_level is None else self._fixed_level

    def fix_level(self):
        """Takes the present level for a constant from now on: what is traced holds the operations of its stage alone,
        and gradients of gradients of gradients take seconds in place of minutes."""
        self._fixed_level = float(self.level)

    @contextlib.contextmanager
    def converted(self):
        self.fix_level()
        try:
            yield
        finally:
            self._fixed_level = None
