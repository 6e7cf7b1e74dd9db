"""What a run needs of memory at the least, before any of it is taken."""

import contextlib
import math
import pathlib

import psutil
import tensorflow as tf

from trainers import networks, objectives
from zoo.errors import RequestError

_GIB = 2**30
#: The most that a container may take: control groups of version 2, and of version 1.
_LIMITS = ("/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes")
#: Operations whose results a step keeps until it has gone back through them.
_KEPT = ("MatMul", "Conv2D", "Conv2DBackpropInput")


def check(config, spec, replicas=1, available=None):
    """Raises RequestError for networks or a batch that this machine's memory cannot hold.

    Counted are the weights, the generator's a second time for their average, and the outputs of the linear layers on
    one replica's generated batch. A step takes several times as much, so that what passes may still run out of memory.

    Args:
        config: checked by `trainers.config.check`.
        spec: `zoo.datasets.DataSpec` of the data.
        replicas: number of replicas that share a batch.
        available: bytes; if None what the machine has free, or a container's limit where that is less. Where there is
            a GPU or TPU its memory counts, which TensorFlow manages: nothing is checked then.
    """
    if available is None:
        if any(device.device_type != "CPU" for device in tf.config.list_physical_devices()):
            return
        available = _available()
    weights, batch = _least(config, spec, config.train.batch_size // replicas)
    if weights + batch > available:
        weights, batch, available = (f"{size / _GIB:,.1f} GiB" for size in (weights, batch, available))
        keys = [f"config.{network}" for network in objectives.METHODS.load(config.objective).configured]
        raise RequestError(
            f"{', '.join(keys)}, config.train.batch_size: at least {weights} of weights and {batch} for a batch of "
            f"{config.train.batch_size // replicas}; expected less than the {available} of memory that are free here"
        )


def _available():
    """Bytes that this process can take at most."""
    # psutil tells the machine's. A limit counts as a whole: what was taken of it includes files that the system caches.
    sizes = [psutil.virtual_memory().available]
    for path in map(pathlib.Path, _LIMITS):
        with contextlib.suppress(OSError, ValueError):  # of the other version; or "max"
            sizes.append(int(path.read_text()))
    return min(sizes)


def _least(config, spec, batch_size):
    """Bytes that `check` counts: (of weights, of a batch). The networks are laid out in a graph that is never run."""
    # The scope, because some layers' names start with an underscore, and a graph takes none such at its root.
    with tf.Graph().as_default() as graph, tf.name_scope("least"):
        objective = objectives.METHODS.load(config.objective)
        generator, *others = networks.make(config, spec, objective)
        weights = sum(
            math.prod(variable.shape) * tf.as_dtype(variable.dtype).size
            for part in (generator, generator, *others)
            for variable in part.variables
        )
        before = len(graph.get_operations())
        dtype = tf.as_dtype(generator.variable_dtype)
        latents = tf.compat.v1.placeholder(dtype, [batch_size, generator.latent_dim])
        conditions = {
            "label": tf.zeros([batch_size], tf.int64),
            "caption": tf.zeros([batch_size, spec.caption_words or 0], tf.int64),
        }
        made = generator(latents, training=True)
        for part in others:
            part(made, training=True, **{name: conditions[name] for name in getattr(part, "conditions", ())})
        kept = [op for op in graph.get_operations()[before:] if op.type in _KEPT]
        batch = sum(output.shape.num_elements() * output.dtype.size for op in kept for output in op.outputs)
    return weights, batch
