"""Statistics of the global batch, for losses that are not a mean over examples.

Each replica's loss is a mean over its own examples and gradients are averaged over replicas. A statistic that enters a
loss in any other way, such as a mean that is squared, must be that of all replicas' examples, or the number of replicas
would change the weights.
"""

import tensorflow as tf


def replica_count():
    """Number of replicas that take this step together; 1 outside of a strategy's replica."""
    context = tf.distribute.get_replica_context()
    return 1 if context is None else context.num_replicas_in_sync


def batch_mean(x):
    """The mean over the examples of all replicas: [N, ...] on each → [...], the same on each. Differentiable.

    The gradient that a replica computes through it is that of the global statistic by this replica's examples, times
    the number of replicas; the mean of gradients over replicas that `GAN.gradients` takes then makes it exact.
    """
    mean = tf.reduce_mean(x, axis=0)
    if replica_count() == 1:
        return mean
    return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.MEAN, mean)
