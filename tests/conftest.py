"""Two logical CPUs for all tests, so that two replicas need no accelerator."""

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""

import pytest
import tensorflow as tf

# Must come before TensorFlow's first operation. By default operations still run on the first device.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


@pytest.fixture(scope="session")
def two_replicas():
    """The one strategy of two replicas: a second one in this process would count its collectives from the start too,
    and TensorFlow takes equal numbers for the same collective."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
