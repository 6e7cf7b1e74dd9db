"""TF-GAN, made importable on TensorFlow releases without Estimator."""

from __future__ import annotations

import importlib
import sys
import types


def import_tfgan():
    """Imports and returns `tensorflow_gan`.

    TF-GAN 2.1 names `tf.estimator.SessionRunHook` while it is imported, and its own subpackage for Estimator needs the
    rest of it. TensorFlow 2.16 removed `tf.estimator`. The one class lives on as `tf.compat.v1.train.SessionRunHook`,
    and an empty module stands in for the subpackage. The losses, the evaluation and the TPU normalisation then work;
    what is built on Estimator does not.

    Returns:
      The module `tensorflow_gan`.

    Raises:
      ImportError: where TF-GAN or what it fails to declare (`tf-keras`, `tensorflow-probability`, `tensorflow-hub`,
        `setuptools<81` for `pkg_resources`) is not installed.
    """
    if "tensorflow_gan" not in sys.modules:
        import tensorflow as tf

        if not hasattr(tf, "estimator"):
            tf.estimator = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)
            sys.modules.setdefault(
                "tensorflow_gan.python.estimator", types.ModuleType("tensorflow_gan.python.estimator")
            )
    return importlib.import_module("tensorflow_gan")
