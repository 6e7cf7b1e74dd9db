import numpy as np
import pytest
import tensorflow as tf

from zoo.pixels import to_float, to_uint8

#: As arrays, as tensors, and as tensors in a graph that TensorFlow's optimiser has been through.
KINDS = {
    "NumPy": lambda function, values: function(values),
    "tensor": lambda function, values: function(tf.constant(values)).numpy(),
    "graph": lambda function, values: tf.function(function, autograph=False)(tf.constant(values)).numpy(),
}


@pytest.mark.parametrize("kind", KINDS)
def test_bytes_survive_the_conversion(kind):
    levels = np.arange(256, dtype=np.uint8).reshape(1, 16, 16, 1)
    floats = KINDS[kind](to_float, levels)
    assert floats.dtype == np.float32 and floats.min() == -1.0 and floats.max() == 1.0
    np.testing.assert_array_equal(floats, levels * np.float32(1 / 127.5) - np.float32(1))
    back = KINDS[kind](to_uint8, floats)
    assert back.dtype == np.uint8
    np.testing.assert_array_equal(back, levels)


@pytest.mark.parametrize("kind", KINDS)
def test_floats_are_rounded_to_the_nearest_level_and_clipped(kind):
    floats = np.concatenate([np.linspace(-1.1, 1.1, 100_001), (np.arange(255) + 0.5) / 127.5 - 1]).astype(np.float32)
    expected = np.clip(np.rint((floats + np.float32(1)) * np.float32(127.5)), 0, 255)
    assert {0.0, 255.0} < set(expected)
    np.testing.assert_array_equal(KINDS[kind](to_uint8, floats), expected)
    # The one float that lies exactly between two levels.
    np.testing.assert_array_equal(KINDS[kind](to_uint8, np.zeros([1], np.float32)), [128])
