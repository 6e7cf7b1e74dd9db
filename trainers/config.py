"""Reads a config against what training needs, before any long work. Free of TensorFlow.

The keys and their meaning are laid out in `configs/base.py`.
"""

import difflib
import numbers

from trainers import dynamics, methods, objectives, techniques
from zoo import datasets, families
from zoo.errors import RequestError

_COUNT = "a whole number, 1 or more"


def _is_count(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool) and value >= 1


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _one_of(*values):
    return lambda value: value in values, f"one of {', '.join(map(repr, values))}"


_TEXT = (lambda value: isinstance(value, str) and value != "", "a text")
_WHOLE = (lambda value: isinstance(value, numbers.Integral) and value >= 0, "a whole number, 0 or more")
_POSITIVE = (_is_count, _COUNT)
_OPTIONAL_COUNT = (lambda value: value is None or _is_count(value), f"{_COUNT}, or none")
_OPTIONS = (lambda value: hasattr(value, "keys"), "a dict of options")
_AMOUNT = (techniques.is_amount, "a number, 0 or more")
_SWITCH = (lambda value: isinstance(value, bool), "true or false")

_SCHEMA = {
    "seed": _WHOLE,
    "objective": _TEXT,
    "objective_options": _OPTIONS,
    "dynamics": _TEXT,
    "dynamics_options": _OPTIONS,
    "data.source": _TEXT,
    "data.image_size": _OPTIONAL_COUNT,
    "data.channels": (lambda value: value in (None, 1, 3), "1, 3 or none"),
    "data.on_corrupt": _one_of("error", "skip"),
    "data.data_dir": (lambda value: value is None or isinstance(value, str), "a directory, or none"),
    "instance_noise.std": _AMOUNT,
    "instance_noise.until": (
        lambda value: _is_number(value) and 0 < value <= 1,
        "a share of the run, above 0, up to 1",
    ),
    "penalties": (lambda value: isinstance(value, (tuple, list)), "a tuple of dicts, one a penalty"),
    "weight_clip": _AMOUNT,
    "mixture.components": _POSITIVE,
    "mixture.entropy_weight": _AMOUNT,
    "mixture.shared_layers": _WHOLE,
    "generator": _OPTIONS,
    "critic": _OPTIONS,
    "generator_optimizer": _OPTIONS,
    "critic_optimizer": _OPTIONS,
    "train.batch_size": _POSITIVE,
    "train.steps": _POSITIVE,
    "train.ema_decay": (lambda value: _is_number(value) and 0 <= value < 1, "a number in [0, 1)"),
    "train.decay_from": (lambda value: _is_number(value) and 0 <= value <= 1, "a share of the run, 0 to 1"),
    "train.precision": _one_of("float32", "mixed_bfloat16", "float64"),
    "train.jit_compile": _SWITCH,
    "train.steps_per_execution": _POSITIVE,
    "train.checkpoint_every": _POSITIVE,
    "train.keep_checkpoints": _POSITIVE,
    "train.log_every": _POSITIVE,
    "train.sample_every": _POSITIVE,
    "train.on_nonfinite": _one_of("stop", "rollback"),
}


def flatten(tree, prefix=""):
    """Nested dict → {"a.b": value}; an empty dict keeps its place."""
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
    for key, (holds, expected) in _SCHEMA.items():
        value = _get(config, key)
        if not holds(value):
            raise RequestError(f"config.{key}: {value!r}; expected {expected}")
    for key in given:
        if not any(key == known or key.startswith(f"{known}.") for known in _SCHEMA):
            near = difflib.get_close_matches(key, _SCHEMA, 3, 0.7)
            hint = f"did you mean {' or '.join(near)}?" if near else "see configs/base.py"
            raise RequestError(f"config.{key}: no such key; {hint}")
    check_objective_options(config)
    dynamics.METHODS.check_options(config.dynamics, config.dynamics_options, "config.dynamics_options")
    for player in ("generator", "critic"):
        name = config[player].get("family")
        if name not in families.names(player):
            raise RequestError(f"config.{player}.family: {name!r}; expected one of {', '.join(families.names(player))}")
    check_batch_size(config.train.batch_size, replicas)
    normalization = config.critic.get("normalization", "auto")
    if normalization != "auto":
        families.check_normalization(normalization, "config.critic.normalization")
    techniques.read_penalties(config.penalties)
    techniques.check_minibatch_discrimination(config.critic, config.train.batch_size)
    data = datasets.load(**config.data)
    for player in ("generator", "critic"):
        if families.FAMILIES[config[player].family].images_only:
            families.check_image_shape(data.data_shape, f"config.data, {config.data.source}")
    return data


def check_objective_options(config):
    """Raises RequestError for an objective that does not exist, or an option that it does not take."""
    # A config has keys of their own for the template's.
    template = {"generator", "critic", *methods.keywords("trainers.gan", "GAN")}
    objectives.METHODS.check_options(config.objective, config.objective_options, "config.objective_options", template)


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
