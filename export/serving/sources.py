"""Versions in a model's base path, and the ones that its config asks for."""

import os
import re

import tensorflow as tf
from tensorflow_serving.config import model_server_config_pb2

from export.serving.errors import invalid

PLATFORM = "tensorflow"
_MAX_VERSION = 2**63 - 1


def check(configs):
    """Raises ServingError unless TensorFlow Serving would accept the ModelConfigs; names must be unique."""
    names = set()
    for config in configs:
        if config.name in names:
            raise invalid(f"Illegal to list model {config.name} multiple times in config list")
        names.add(config.name)
        if not config.name:
            raise invalid("ModelConfig has no name specified.")
        if not (os.path.isabs(config.base_path) or "://" in config.base_path):
            raise invalid(
                f"Expected model {config.name} to have an absolute path or URI; got base_path()={config.base_path}"
            )
        if config.model_type and config.model_platform:
            raise invalid(
                "Illegal setting both ModelServerConfig::model_type (deprecated) and "
                f"ModelServerConfig::model_platform, model name is {config.name}"
            )
        if not config.model_type and not config.model_platform:
            raise invalid(
                "Illegal setting neither ModelServerConfig::model_type (deprecated) nor "
                f"ModelServerConfig::model_platform, model name is {config.name}"
            )
        if config.model_type != model_server_config_pb2.TENSORFLOW and config.model_platform != PLATFORM:
            raise invalid(f"Model {config.name} requests unsupported platform {config.model_platform}")


def found(config):
    """The versions in a config's base path: dict of number → path.

    Raises:
        ServingError: there is no such directory, or it holds a name that is not UTF-8.
        tf.errors.OpError: the directory or a version in it cannot be read. An unreadable version is not left out,
            because it would be taken as deleted.
    """
    try:
        entries = tf.io.gfile.listdir(config.base_path)
    except tf.errors.NotFoundError:
        raise invalid(f"Could not find base path {config.base_path} for servable {config.name}") from None
    except UnicodeDecodeError as error:
        raise invalid(f"Base path {config.base_path} holds a name that is not UTF-8: {error.object}") from None
    versions = {}
    for entry in sorted(entry.rstrip("/") for entry in entries):
        path = tf.io.gfile.join(config.base_path, entry)
        if re.fullmatch("[0-9]{1,19}", entry) and int(entry) <= _MAX_VERSION and _is_directory(path):
            versions[int(entry)] = path
    return versions


def _is_directory(path):
    """Like tf.io.gfile.isdir, but raises where permission is denied instead of returning False."""
    try:
        return tf.io.gfile.stat(path).is_directory
    except tf.errors.NotFoundError:
        return False


def chosen(config, found):
    """Numbers of the versions in `found`, a dict of number → path, that a config asks for: a list of int."""
    policy = config.model_version_policy
    choice = policy.WhichOneof("policy_choice")
    if choice == "all":
        return list(found)
    if choice == "specific":
        return [number for number in policy.specific.versions if number in found]
    return sorted(found)[-max(policy.latest.num_versions, 1) :]


def fingerprint(path):
    """Folder, name, size and modification time of all files of a version; None where they cannot be read."""
    try:
        return [
            (folder, name, stat.length, stat.mtime_nsec)
            for folder, _, names in tf.io.gfile.walk(path)
            for name in sorted(names)
            for stat in [tf.io.gfile.stat(tf.io.gfile.join(folder, name))]
        ]
    except tf.errors.OpError:
        return None
