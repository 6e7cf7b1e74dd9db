"""Two logical CPUs for all tests, so that two replicas need no accelerator; the longest files first, where several
workers share the tests."""

import collections
import gc
import os
import pathlib

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
os.environ["CUDA_VISIBLE_DEVICES"] = ""
# What XLA compiles in tests runs a few times: LLVM's optimizations would take longer than they save.
os.environ["XLA_FLAGS"] = f"--xla_backend_optimization_level=0 {os.environ.get('XLA_FLAGS', '')}".strip()
# Tests compute what they measure, and leave nothing in the user's cache.
os.environ["TF_GAN_ZOO_FEATURE_CACHE"] = "off"

import pytest
import tensorflow as tf

# Must come before TensorFlow's first operation. By default operations still run on the first device.
tf.config.set_logical_device_configuration(
    tf.config.list_physical_devices("CPU")[0], [tf.config.LogicalDeviceConfiguration()] * 2
)


#: Files that take long for the number of their tests, the longest first. Workers begin with these: one that came last
#: would keep one worker busy while the others have nothing left to do.
LONGEST = (
    "trainers/test_every_objective.py",
    "trainers/test_training.py",
    "trainers/test_conditional.py",
    "trainers/test_processes.py",
    "trainers/objectives/test_progressive.py",
    "trainers/test_gan.py",
    "trainers/objectives/test_stacked.py",
    "export/serving/test_models.py",
    "export/serving/test_server_faults.py",
    "trainers/test_multi_worker.py",
    "export/serving/test_client.py",
    "export/serving/test_server_bad_input.py",
    "export/serving/test_server_labels.py",
    "trainers/techniques/test_techniques_compose.py",
    "trainers/test_learning.py",
    "export/test_saved_model.py",
    "export/serving/test_server_tls.py",
    "export/test_caption_signatures.py",
    "export/evaluation/test_standard_features.py",
    "export/evaluation/test_subject.py",
)


def pytest_collection_finish(session):
    # TensorFlow's modules are half a million objects: frozen, they are not searched for garbage again and again.
    gc.collect()
    gc.freeze()
    gc.set_threshold(20_000)


def pytest_configure(config):
    # pytest-xdist would order the files by their numbers of tests alone.
    config.option.loadscopereorder = False


def pytest_collection_modifyitems(config, items):
    """Where workers share the tests: `LONGEST`, then the files of most tests."""
    if not hasattr(config, "workerinput"):
        return
    tests, here = collections.Counter(item.path for item in items), pathlib.Path(__file__).parent
    places = {here / name: place for place, name in enumerate(LONGEST)}
    items.sort(key=lambda item: (places.get(item.path, len(places)), -tests[item.path]))


@pytest.fixture(scope="session")
def two_replicas():
    """The one strategy of two replicas: a second one in this process would count its collectives from the start too,
    and TensorFlow takes equal numbers for the same collective."""
    return tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
