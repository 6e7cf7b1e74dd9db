"""tf.distribute strategies by name."""

import os
import signal

from trainers import workers
from trainers.program import RunFailed
from zoo.errors import RequestError

STRATEGIES = ("auto", "one_device", "mirrored", "multi_worker", "tpu")


def check(name):
    """Raises RequestError where `name` is no strategy, or needs workers and TF_CONFIG lists none. No TensorFlow."""
    if name not in STRATEGIES:
        raise RequestError(f"--strategy: {name!r}; expected one of {', '.join(STRATEGIES)}")
    if name == "multi_worker" and not workers.cluster()[0]:
        raise RequestError("--strategy: multi_worker needs the environment variable TF_CONFIG to name the workers")
    _joins_workers(name)


def _joins_workers(name):
    """Whether a strategy of this name joins the workers of TF_CONFIG."""
    return name == "multi_worker" or (name == "auto" and len(workers.cluster()[0]) > 1)


def writes(name):
    """Whether this process will write the workdir: of several workers only the first does. Free of TensorFlow."""
    return not _joins_workers(name) or workers.cluster()[1] == 0


def check_compiled(strategy):
    """Raises RequestError where XLA cannot compile the replicas of `strategy`: several of them on CPUs."""
    count = strategy.num_replicas_in_sync
    if count > 1 and any("CPU" in device for device in strategy.extended.worker_devices):
        # XLA has no CPU collectives, and treats the variables of all of a process' CPUs as the first CPU's.
        raise RequestError(f"config.train.jit_compile: True; XLA does not compile {count} replicas on CPUs, use False")


def make(name="auto", logical_cpus=0):
    """A tf.distribute strategy.

    Args:
        name: "auto" takes a TPU if TPU_NAME is set, several workers if TF_CONFIG lists them, all GPUs if there are
            several, one device otherwise; "one_device"; "mirrored", all GPUs of this host; "multi_worker", the workers
            of TF_CONFIG; "tpu", the TPU of TPU_NAME (or "local").
        logical_cpus: number of devices to split the CPU into, to test replicas without a GPU; 0 for no split. Must come
            before TensorFlow's first operation.

    Raises:
        RequestError: no such strategy, or the machine lacks what it needs.
    """
    check(name)

    import tensorflow as tf

    if logical_cpus:
        split = [tf.config.LogicalDeviceConfiguration()] * logical_cpus
        tf.config.set_logical_device_configuration(tf.config.list_physical_devices("CPU")[0], split)
    if name == "tpu" or (name == "auto" and os.environ.get("TPU_NAME")):
        try:
            resolver = tf.distribute.cluster_resolver.TPUClusterResolver.connect(os.environ.get("TPU_NAME", ""))
        except (ValueError, KeyError, tf.errors.OpError) as error:
            raise RequestError(f"--strategy: no TPU answers ({str(error).splitlines()[0]})") from error
        return tf.distribute.TPUStrategy(resolver)
    if _joins_workers(name):
        return _of_workers()
    gpus = [device.name for device in tf.config.list_logical_devices("GPU")]
    cpus = [device.name for device in tf.config.list_logical_devices("CPU")]
    if name == "mirrored" or (name == "auto" and (len(gpus) > 1 or logical_cpus > 1)):
        return tf.distribute.MirroredStrategy(gpus or cpus)
    # The default strategy computes on the first GPU, or the CPU. OneDeviceStrategy would pass every batch through a
    # multi-device iterator, whose end was seen to hang for half a minute where several steps run in one call.
    return tf.distribute.get_strategy()


def _of_workers():
    import tensorflow as tf

    workers.wait(*workers.cluster())
    try:
        strategy = tf.distribute.MultiWorkerMirroredStrategy()
    except (RuntimeError, tf.errors.OpError) as error:
        raise RunFailed(f"the workers of TF_CONFIG did not come together ({str(error).splitlines()[0]})") from error
    # TensorFlow replaces Python's handler of this signal by one that does nothing.
    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))
    return strategy
