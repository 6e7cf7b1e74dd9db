"""Checks a config before any long work. Free of TensorFlow.

`configs/base.py` documents the keys.
"""

import difflib
import importlib.machinery
import importlib.util
import json
import math
import numbers
import os
import pathlib
import traceback

import ml_collections
from absl import flags

from trainers import dynamics, former, objectives, techniques
from zoo import datasets, families
from zoo.errors import RequestError
from zoo.options import OPTIONS, SWITCH, TEXT, Values, number, one_of, optional, whole

#: Allowed values by key. The options of a method or a network are declared by its class, see `trainers.resolve`.
_SCHEMA = {
    "seed": whole(0, 2**32 - 1),  # Keras seeds the weights with 32 bits.
    "objective": TEXT,
    "objective_options": OPTIONS,
    "dynamics": TEXT,
    "dynamics_options": OPTIONS,
    "data.source": TEXT,
    "data.image_size": optional(whole(1)),
    "data.channels": Values(lambda value: value in (None, 1, 3), "1, 3 or none"),
    "data.on_corrupt": one_of("error", "skip"),
    "data.data_dir": Values(optional(TEXT).hold, "a directory, or none"),
    "techniques": OPTIONS,
    "mixture.components": whole(1, 100),  # A step computes every pair of generator and critic.
    "mixture.entropy_weight": number(0),
    "mixture.shared_layers": whole(0),
    "conditional.critic": one_of("none", *families.CONDITIONAL_CRITICS),
    "conditional.embedding_dim": whole(1),
    "generator": OPTIONS,
    "critic": OPTIONS,
    "encoder": OPTIONS,
    "init_from": optional(TEXT),
    "generator_optimizer": OPTIONS,
    "critic_optimizer": OPTIONS,
    "train.batch_size": whole(1),
    "train.steps": whole(1),
    "train.ema_decay": number(0, below=1),
    "train.decay_from": number(0, most=1),
    "train.precision": one_of("float32", "mixed_bfloat16", "float64"),
    "train.jit_compile": SWITCH,
    "train.steps_per_execution": whole(1),
    "train.checkpoint_every": whole(1),
    "train.keep_checkpoints": whole(1),
    "train.log_every": whole(1),
    "train.sample_every": whole(1),
    "train.diagnose_every": whole(0),
    "train.on_nonfinite": one_of("stop", "rollback"),
}


def flatten(tree, prefix=""):
    """Nested dict → {"a.b": value}; an empty dict stays as a value."""
    flat = {}
    for key, value in tree.items():
        if hasattr(value, "items") and len(value):
            flat.update(flatten(value, f"{prefix}{key}."))
        else:
            flat[f"{prefix}{key}"] = value
    return flat


def check(config, replicas=1):
    """Checks a whole request and opens its data.

    Args:
        config: ml_collections.ConfigDict.
        replicas: number of replicas, where it is known already.

    Returns:
        The `zoo.datasets.Dataset` that the config names.

    Raises:
        RequestError: naming the key, its value and what was expected.
    """
    given = flatten(config)
    for key, values in _SCHEMA.items():
        values.check(_get(config, key), f"config.{key}")
    for key in given:
        if not any(key == known or key.startswith(f"{known}.") for known in _SCHEMA):
            near = difflib.get_close_matches(key, _SCHEMA, 3, 0.7)
            if moved := former.MOVED.get(key.partition(".")[0]):
                raise RequestError(f"config.{key}: no key of this release any more; use config.{moved}")
            hint = f"did you mean {' or '.join(near)}?" if near else "see configs/base.py"
            raise RequestError(f"config.{key}: no such key; {hint}")
    for key, value in given.items():
        for part in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(part, numbers.Real) and not math.isfinite(part):
                raise RequestError(f"config.{key}: {value!r}; expected finite numbers")
    objectives.METHODS.check(config.objective)
    dynamics.METHODS.check(config.dynamics)
    for player in ("generator", "critic"):
        one_of(*families.names(player)).check(config[player].get("family"), f"config.{player}.family")
    check_batch_size(config.train.batch_size, replicas)
    techniques.resolve(config.techniques)
    data = datasets.load(**config.data)
    for player in ("generator", "critic"):
        if check_shape := families.FAMILIES[config[player].family].check_shape:
            check_shape(data.data_shape, f"config.data, {config.data.source}")
        if families.FAMILIES[config[player].family].reads_captions and data.captions is None:
            family, source = config[player].family, config.data.source
            raise RequestError(
                f"config.{player}.family: {family!r} makes images of captions; {source!r} has none, see captions.jsonl "
                "in docs/training.md"
            )
    if config.conditional.critic != "none" and data.num_classes is None:
        told = config.conditional.critic
        raise RequestError(f"config.conditional.critic: {told!r}; {config.data.source!r} has no classes, use none")
    return data


class ConfigFile(flags.ArgumentParser):
    """Reads FILE or FILE:VARIANT, a Python file with `get_config`, as ml_collections' own parser does; or the
    `config.json` of a run. A file that cannot be read, or fails, gives one line that names the file, the line and the
    error."""

    def parse(self, argument):
        """The `ml_collections.ConfigDict` that the file makes. Raises ValueError, as absl expects."""
        file, colon, variant = argument.partition(":")
        if not os.path.isfile(file):
            raise ValueError("no such file")
        if file.endswith(".json"):
            return _of_run(file)
        loader = importlib.machinery.SourceFileLoader("config_file", file)
        module = importlib.util.module_from_spec(importlib.util.spec_from_loader("config_file", loader))
        try:
            loader.exec_module(module)
            config = module.get_config(*[variant] if colon else [])
        except Exception as error:
            raise ValueError(_told(error, file)) from error
        if not isinstance(config, ml_collections.ConfigDict):
            raise ValueError(f"get_config() gives a {type(config).__name__}; expected an ml_collections.ConfigDict")
        return config

    def flag_type(self):
        return "config object"


def _of_run(file):
    """The config in a run's `config.json`."""
    try:
        text = json.loads(pathlib.Path(file).read_text())
        return ml_collections.ConfigDict(former.upgrade(text["config"], text.get("schema_version", 1)))
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ValueError(f"no config.json of a run ({type(error).__name__}: {error})") from error


def _told(error, file):
    """An exception that a config file raised, as "FILE, line N: KIND: MESSAGE"."""
    if isinstance(error, SyntaxError) and error.lineno:
        return f"{error.filename}, line {error.lineno}: {type(error).__name__}: {error.msg}"
    frames = [frame for frame in traceback.extract_tb(error.__traceback__) if frame.filename == file]
    where = f"{file}, line {frames[-1].lineno}" if frames else file
    return f"{where}: {type(error).__name__}: {error}"


def check_batch_size(batch_size, replicas):
    """Raises RequestError unless every replica gets the same number of examples."""
    if batch_size % replicas:
        raise RequestError(f"config.train.batch_size: {batch_size}; expected a multiple of the {replicas} replicas")


def _get(config, key):
    value = config
    for part in key.split("."):
        if not hasattr(value, "keys") or part not in value:
            raise RequestError(f"config.{key}: missing; see configs/base.py")
        value = value[part]
    return value
