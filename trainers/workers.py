"""Several processes that train one GAN: their addresses, waiting for each other, and checks that they agree.

The environment variable TF_CONFIG lists them, as TensorFlow's multi-worker strategies expect. TensorFlow is imported
only by functions that take a strategy.
"""

import contextlib
import functools
import json
import math
import os
import socket
import time

import numpy as np
from absl import logging

from trainers.program import RunFailed
from zoo.errors import RequestError

_JOBS = ("chief", "worker")
_SECONDS_BETWEEN_LINES = 10.0


def cluster():
    """The workers that TF_CONFIG lists.

    Returns:
        (addresses, index): their HOST:PORT, the chief first, and the index of this process; ([], 0) if TF_CONFIG lists
        no workers.

    Raises:
        RequestError: TF_CONFIG cannot be read, or its task is none of its workers.
    """
    try:
        given = json.loads(os.environ.get("TF_CONFIG") or "{}")
        jobs = {job: [str(address) for address in given.get("cluster", {}).get(job, [])] for job in _JOBS}
        task = given.get("task", {})
        job, index = task.get("type"), task.get("index")
    except (ValueError, AttributeError, TypeError) as error:
        raise RequestError(f"TF_CONFIG: expected a JSON object that names the workers ({error})") from error
    addresses = [address for job_addresses in jobs.values() for address in job_addresses]
    if not addresses:
        return [], 0
    for address in addresses:
        if not address.rpartition(":")[2].isdecimal():
            raise RequestError(f"TF_CONFIG: worker {address!r}; expected HOST:PORT")
    named = [(job, index) for job in _JOBS for index in range(len(jobs[job]))]
    if isinstance(index, bool) or (job, index) not in named:
        expected = " or ".join(f"{job} 0 to {len(jobs[job]) - 1}" for job in _JOBS if jobs[job])
        raise RequestError(f"TF_CONFIG: task {json.dumps(task)}; expected a type and an index, {expected}")
    return addresses, named.index((job, index))


def wait(addresses, index):
    """Waits until every worker has answered once, and logs the missing ones every ten seconds. Signals interrupt it.

    TensorFlow's own wait is silent and ignores signals, so it begins only when no worker is missing. Until then this
    worker accepts connections at its own address, so that the others see it.

    Args:
        addresses, index: as of `cluster`.

    Raises:
        RequestError: the port of this worker is taken.
    """
    missing = {address for number, address in enumerate(addresses) if number != index}
    if not missing:
        return
    port = int(addresses[index].rpartition(":")[2])
    both = socket.has_dualstack_ipv6()
    family = socket.AF_INET6 if both else socket.AF_INET
    try:
        listening = socket.create_server(("", port), family=family, backlog=1024, dualstack_ipv6=both)
    except OSError as error:
        why = os.strerror(error.errno)
        raise RequestError(f"TF_CONFIG: worker {addresses[index]}: the port cannot be used ({why})") from error
    told = -math.inf
    with listening:
        listening.setblocking(False)
        while True:
            missing = {address for address in missing if not _answers(address)}
            with contextlib.suppress(BlockingIOError):
                while True:
                    listening.accept()[0].close()
            if not missing:
                return
            if time.monotonic() - told >= _SECONDS_BETWEEN_LINES:
                told = time.monotonic()
                logging.info(
                    "Waiting for %d of %d workers: %s", len(missing), len(addresses), ", ".join(sorted(missing))
                )
            time.sleep(0.2)


def _answers(address):
    host, _, port = address.rpartition(":")
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=1.0).close()
    except OSError:
        return False
    return True


def are_several(strategy):
    """Whether `strategy` joins several processes."""
    import tensorflow as tf

    return isinstance(strategy, tf.distribute.MultiWorkerMirroredStrategy) and len(cluster()[0]) > 1


@contextlib.contextmanager
def loss_told(strategy):
    """Raises `RunFailed` where TensorFlow reports inside the block that another worker of `strategy` is lost."""
    import tensorflow as tf

    errors = tf.errors
    gone = (errors.UnavailableError, errors.InternalError, errors.CancelledError, errors.AbortedError)
    gone += (errors.DeadlineExceededError, errors.FailedPreconditionError, errors.UnknownError)
    try:
        yield
    except gone as error:
        if not are_several(strategy):
            raise
        raise RunFailed(
            "another worker of TF_CONFIG ended or is out of reach; the same command on all of them goes on from the "
            "newest checkpoint"
        ) from error


def check_same(strategy, facts, expected):
    """Checks that all workers have the same `facts`; all must call it. A single process passes.

    Args:
        strategy: a tf.distribute strategy.
        facts: {name: JSON value}.
        expected: the text that a message gives as expected.

    Raises:
        RequestError: on every worker, naming the first worker that differs from worker 0, and the differences.
    """
    if not are_several(strategy):
        return
    told = _exchange(strategy, facts)
    for worker, theirs in enumerate(told):
        differing = sorted(key for key in told[0].keys() | theirs.keys() if told[0].get(key) != theirs.get(key))
        if differing:
            shown = ", ".join(f"{key} (there {told[0].get(key)!r}, here {theirs.get(key)!r})" for key in differing)
            raise RequestError(f"TF_CONFIG: worker {worker} differs from worker 0 in {shown}; expected {expected}")


def _exchange(strategy, value):
    """The JSON `value` of every worker, in the workers' order."""
    add, (addresses, index) = total(strategy), cluster()
    text = json.dumps(value).encode()
    lengths = np.zeros(len(addresses))
    lengths[index] = len(text)
    lengths = add(lengths).astype(int)
    # Each worker fills a row of its own, zero at the others, so that the sum keeps its bytes.
    rows = np.zeros([len(addresses), lengths.max()])
    rows[index, : len(text)] = np.frombuffer(text, np.uint8)
    rows = add(rows).astype(np.uint8)
    return [json.loads(row[:length].tobytes()) for row, length in zip(rows, lengths)]


@functools.cache
def total(strategy):
    """A function that sums a float32 tensor over all workers. It blocks until all have called it, equally often."""
    import tensorflow as tf

    # Every device of a worker adds the worker's tensor.
    devices = strategy.num_replicas_in_sync // len(cluster()[0])

    @tf.function(autograph=False)
    def add(x):
        def on_replica():
            # A copy on this replica's device, which decides how all_reduce sums.
            return tf.distribute.get_replica_context().all_reduce(tf.distribute.ReduceOp.SUM, tf.identity(x))

        return strategy.experimental_local_results(strategy.run(on_replica))[0] / devices

    return lambda x: add(tf.convert_to_tensor(x, tf.float32)).numpy()
