"""Statistics of the global batch, and assignments, across the replicas of a step.

Each replica's loss is a mean over its own examples and gradients are averaged over replicas. A statistic that enters a
loss in any other way, such as a mean that is squared, must be that of all replicas' examples, or the number of replicas
would change the weights.
"""

import tensorflow as tf


def replica_count():
    """Number of replicas that take this step together; 1 outside of a strategy's replica."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def mean_over_replicas(values):
    """The mean over all replicas of a tensor, or of each of a list of tensors. Differentiable."""
    if replica_count() == 1:
        return values
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, values)


def batch_mean(x):
    """The mean over the examples of all replicas: [N, ...] on each → [...], the same on each. Differentiable.

    A replica's gradient through it is that of the global statistic with respect to this replica's examples, times the
    number of replicas; the mean over replicas in `mean_gradients` makes it exact.
    """
    return mean_over_replicas(tf.reduce_mean(x, axis=0))


def global_batch(x):
    """The examples of all replicas: [N, ...] on each → [replicas · N, ...], the same on each. Differentiable, twice."""
    if replica_count() == 1:
        return x
    return tf.distribute.get_replica_context().all_gather(x, axis=0)


def next_rows(x):
    """For each example that of the next row of the global batch, of the first row for the last: [N, ...], not
    differentiable."""
    rows, context = tf.roll(global_batch(tf.stop_gradient(x)), -1, axis=0), tf.distribute.get_replica_context()
    if replica_count() == 1:
        return rows
    count = tf.shape(x)[0]
    first = tf.cast(context.replica_id_in_sync_group, tf.int32) * count
    return tf.ensure_shape(rows[first : first + count], x.shape)


def mean_gradients(tape, loss, variables):
    """List of gradients of the mean loss over all replicas with respect to Keras variables, zero where unconnected."""
    gradients = tape.gradient(loss, [variable.value for variable in variables], unconnected_gradients="zero")
    return mean_over_replicas(gradients)


def assign_all(variables, values):
    """Assigns to Keras variables on each replica the values that it computed, without communication.

    All replicas must have computed the same values. (Keras' optimizers update their variables this way.)
    """

    def assign(variable, value):
        return variable.assign(value)

    def assign_pairs(strategy, pairs):
        for variable, value in pairs:
            strategy.extended.update(variable, assign, args=(value,), group=False)

    pairs = [(variable.value, value) for variable, value in zip(variables, values, strict=True)]
    tf.__internal__.distribute.interim.maybe_merge_call(assign_pairs, tf.distribute.get_strategy(), pairs)
