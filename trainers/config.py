"""Checks a config before any long work. Free of TensorFlow.

`configs/base.py` documents the keys.
"""

import difflib
import functools
import importlib.machinery
import importlib.util
import math
import numbers
import os
import traceback

import ml_collections
from absl import flags

from trainers import dynamics, former, objectives, optimizers, registry, techniques
from trainers.techniques.base import is_amount
from zoo import datasets, families
from zoo.errors import RequestError

#: The largest count that a 32-bit integer of TensorFlow or of a file format holds.
_MOST = 2**31 - 1
#: The most moves of a dynamics' step; its graph holds a copy of the networks for each.
_MOST_MOVES = 100
_COUNT = f"a whole number, 1 to {_MOST}"


def _is_whole(value):
    return isinstance(value, numbers.Integral) and not isinstance(value, bool)


def _is_count(value):
    return _is_whole(value) and 1 <= value <= _MOST


def _is_number(value):
    return isinstance(value, numbers.Real) and not isinstance(value, bool)


def _one_of(*values):
    return lambda value: value in values, f"one of {', '.join(map(repr, values))}"


_TEXT = (lambda value: isinstance(value, str), "a text")
_WHOLE = (lambda value: _is_whole(value) and 0 <= value <= _MOST, f"a whole number, 0 to {_MOST}")
_POSITIVE = (_is_count, _COUNT)
_OPTIONAL_COUNT = (lambda value: value is None or _is_count(value), f"{_COUNT}, or none")
_OPTIONS = (lambda value: hasattr(value, "keys"), "a dict of options")
_AMOUNT = (is_amount, "a number, 0 or more")
_SWITCH = (lambda value: isinstance(value, bool), "true or false")

_SCHEMA = {
    # Keras seeds the weights with 32 bits.
    "seed": (lambda value: _is_whole(value) and 0 <= value < 2**32, f"a whole number, 0 to {2**32 - 1}"),
    "objective": _TEXT,
    "objective_options": _OPTIONS,
    "dynamics": _TEXT,
    "dynamics_options": _OPTIONS,
    "data.source": _TEXT,
    "data.image_size": _OPTIONAL_COUNT,
    "data.channels": (lambda value: value in (None, 1, 3), "1, 3 or none"),
    "data.on_corrupt": _one_of("error", "skip"),
    "data.data_dir": (lambda value: value is None or isinstance(value, str), "a directory, or none"),
    "techniques": _OPTIONS,
    # A step computes every pair of generator and critic.
    "mixture.components": (lambda value: _is_count(value) and value <= 100, "a whole number, 1 to 100"),
    "mixture.entropy_weight": _AMOUNT,
    "mixture.shared_layers": _WHOLE,
    "conditional.critic": _one_of("none", *families.CONDITIONAL_CRITICS),
    "conditional.embedding_dim": _POSITIVE,
    "generator": _OPTIONS,
    "critic": _OPTIONS,
    "encoder": _OPTIONS,
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


#: Ranges of the networks' options, for every family; the networks check the others themselves.
_NETWORK_OPTIONS = {
    "latent_dim": _POSITIVE,
    "base_filters": _POSITIVE,
    "code_dim": _POSITIVE,
    "components": _POSITIVE,
    "hidden_units": (
        lambda value: isinstance(value, (tuple, list)) and all(map(_is_count, value)),
        f"a tuple of whole numbers, each 1 to {_MOST}",
    ),
    "orthogonal_gain": _AMOUNT,
    "initial_scale": (lambda value: is_amount(value) and value > 0, "a number above 0"),
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
    for key, (holds, expected) in _SCHEMA.items():
        value = _get(config, key)
        if not holds(value):
            raise RequestError(f"config.{key}: {value!r}; expected {expected}")
    for key in given:
        if not any(key == known or key.startswith(f"{known}.") for known in _SCHEMA):
            near = difflib.get_close_matches(key, _SCHEMA, 3, 0.7)
            if moved := former.MOVED.get(key.partition(".")[0]):
                raise RequestError(f"config.{key}: no key of this release any more; use config.{moved}")
            hint = f"did you mean {' or '.join(near)}?" if near else "see configs/base.py"
            raise RequestError(f"config.{key}: no such key; {hint}")
    for key, value in given.items():
        for number in value if isinstance(value, (tuple, list)) else (value,):
            if isinstance(number, numbers.Real) and not math.isfinite(number):
                raise RequestError(f"config.{key}: {value!r}; expected finite numbers")
    check_objective_options(config)
    dynamics.METHODS.check_options(config.dynamics, config.dynamics_options, "config.dynamics_options")
    for option, least in (("critic_steps", 1), ("steps", 0)):
        value = config.dynamics_options.get(option, 1)
        if not (_is_whole(value) and least <= value <= _MOST_MOVES):
            where = f"config.dynamics_options.{option}"
            raise RequestError(f"{where}: {value!r}; expected a whole number, {least} to {_MOST_MOVES}")
    for player in ("generator", "critic"):
        _check_network(config[player], player)
        optimizers.check(config[f"{player}_optimizer"], f"config.{player}_optimizer")
    if config.encoder:
        _check_network({"family": config.critic.family, **config.encoder}, "encoder")
    check_batch_size(config.train.batch_size, replicas)
    normalization = config.critic.get("normalization", "auto")
    if normalization != "auto":
        families.check_normalization(normalization, "config.critic.normalization")
    techniques.read(config.techniques, config.train.steps)
    _check_minibatch_discrimination(config.critic, config.train.batch_size)
    data = datasets.load(**config.data)
    for player in ("generator", "critic"):
        if families.FAMILIES[config[player].family].images_only:
            families.check_image_shape(data.data_shape, f"config.data, {config.data.source}")
    if config.conditional.critic != "none" and data.num_classes is None:
        told = config.conditional.critic
        raise RequestError(f"config.conditional.critic: {told!r}; {config.data.source!r} has no classes, use none")
    return data


def check_objective_options(config):
    """Raises RequestError for an objective that does not exist, or an option that it does not take."""
    name, options = config.objective, config.objective_options
    objectives.METHODS.check_options(name, options, "config.objective_options", _of_the_template())


def _of_the_template():
    """Constructor arguments of an objective that are not its options: a config has separate keys for them."""
    return {"generator", "critic", "dynamics", "techniques", *registry.keywords("trainers.model", "GenerativeModel")}


def _check_network(network, player):
    name = network.get("family")
    if name not in families.names(player):
        raise RequestError(f"config.{player}.family: {name!r}; expected one of {', '.join(families.names(player))}")
    known = _network_options(player, name)
    for option, value in network.items():
        if option == "family":
            continue
        if option not in known:
            takes = f"takes {', '.join(known)}" if known else "takes none"
            raise RequestError(f"config.{player}.{option}: no option of {name}, which {takes}")
        if option in _NETWORK_OPTIONS:
            holds, expected = _NETWORK_OPTIONS[option]
            if not holds(value):
                raise RequestError(f"config.{player}.{option}: {value!r}; expected {expected}")


def _check_minibatch_discrimination(critic, batch_size):
    """Raises RequestError for a `minibatch_discrimination` that is no number of kernels, or on batches of 1."""
    kernels = critic.get("minibatch_discrimination", 0)
    if not is_amount(kernels) or kernels != int(kernels):
        where = "config.critic.minibatch_discrimination"
        raise RequestError(f"{where}: {kernels!r}; expected a number of kernels, 0 or more")
    if kernels and batch_size == 1:
        where = "config.train.batch_size"
        raise RequestError(
            f"{where}: 1; config.critic.minibatch_discrimination compares the examples of a batch, use 2"
        )


def _network_options(player, name):
    """Names of the options of the `player` ("generator", "critic") of a family; () for an unknown family."""
    if name not in families.names(player):
        return ()
    family = families.FAMILIES[name]
    return registry.keywords(family.module, getattr(family, player))


def _method_options(table, name):
    """Names of the options of a method of `table`, a `trainers.registry.Registry`; () for an unknown method."""
    if name not in table.names():
        return ()
    return [option for option in registry.keywords(f"{table.package}.{name}") if option not in _of_the_template()]


#: Keys whose value decides which options another key may hold: key → (that other key, value → names of the options).
_CHOICES = {
    "objective": ("objective_options", functools.partial(_method_options, objectives.METHODS)),
    "dynamics": ("dynamics_options", functools.partial(_method_options, dynamics.METHODS)),
    "generator.family": ("generator", functools.partial(_network_options, "generator")),
    "critic.family": ("critic", functools.partial(_network_options, "critic")),
    "generator_optimizer.name": ("generator_optimizer", optimizers.options_of),
    "critic_optimizer.name": ("critic_optimizer", optimizers.options_of),
}


def drop_former_options(config, flags_given):
    """Drops a config file's options of a choice that a flag replaced by one that does not take them.

    For example, --config.critic_optimizer.name=sgd drops the `beta_1` that the file sets for Adam. Options that flags
    set stay, to be checked like all others, and so do those that the new choice takes.

    Args:
        config: ml_collections.ConfigDict, changed in place.
        flags_given: keys that flags set, as "critic_optimizer.name".
    """
    for choice, (group, options_of) in _CHOICES.items():
        known = options_of(_get(config, choice)) if choice in flags_given else ()
        if not known:  # Not chosen by flag; or an unknown name, which `check` refuses.
            continue
        for key in [f"{group}.{option}" for option in config[group] if option not in known]:
            if key != choice and key not in flags_given:
                del config[group][key.removeprefix(f"{group}.")]


class ConfigFile(flags.ArgumentParser):
    """Reads FILE or FILE:VARIANT, a Python file with `get_config`, as ml_collections' own parser does; but a file that
    cannot be read, or fails, gives one line that names the file, the line and the error."""

    def parse(self, argument):
        """The `ml_collections.ConfigDict` that the file makes. Raises ValueError, as absl expects."""
        file, colon, variant = argument.partition(":")
        if not os.path.isfile(file):
            raise ValueError("no such file")
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
