"""Learning rates that decay towards the end of a run, so that the players stop circling and converge."""

import keras
import tensorflow as tf


@keras.saving.register_keras_serializable("trainers")
class LinearTail(keras.optimizers.schedules.LearningRateSchedule):
    """Constant until update `start`, then linearly to zero at update `end`.

    Args:
        learning_rate: the constant rate.
        start, end: numbers of this optimizer's updates.
    """

    def __init__(self, learning_rate, start, end):
        self.learning_rate, self.start, self.end = learning_rate, start, end

    def __call__(self, step):
        left = (self.end - tf.cast(step, tf.float32)) / max(self.end - self.start, 1)
        return self.learning_rate * tf.clip_by_value(left, 0.0, 1.0)

    def get_config(self):
        return {"learning_rate": self.learning_rate, "start": self.start, "end": self.end}
