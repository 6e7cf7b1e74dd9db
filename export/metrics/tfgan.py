"""Imports TF-GAN on TensorFlow releases without Estimator."""

from __future__ import annotations

import importlib
import sys
import types


def import_tfgan():
    """Imports and returns `tensorflow_gan`.

    TF-GAN 2.1 uses `tf.estimator.SessionRunHook` on import, and its Estimator subpackage needs the rest of
    `tf.estimator`, which TensorFlow 2.16 removed. Here `tf.compat.v1.train.SessionRunHook` replaces the class, and an
    empty module the subpackage. The losses, the evaluation and the TPU normalisation then work; Estimator code does
    not.

    Returns:
      The module `tensorflow_gan`.

    Raises:
      ImportError: where TF-GAN or one of its undeclared requirements (`tf-keras`, `tensorflow-probability`,
        `tensorflow-hub`, `setuptools<81` for `pkg_resources`) is not installed.
    """
    if "tensorflow_gan" not in sys.modules:
        import tensorflow as tf

        if not hasattr(tf, "estimator"):
            tf.estimator = types.SimpleNamespace(SessionRunHook=tf.compat.v1.train.SessionRunHook)
            sys.modules.setdefault(
                "tensorflow_gan.python.estimator", types.ModuleType("tensorflow_gan.python.estimator")
            )
    return importlib.import_module("tensorflow_gan")
