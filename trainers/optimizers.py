"""Keras' optimizers as a config names them: their options and ranges. Free of TensorFlow."""

from zoo.errors import RequestError
from zoo.options import SWITCH, number, one_of, optional, whole

#: Options of every optimizer.
_COMMON = (
    "learning_rate",
    "weight_decay",
    "clipnorm",
    "clipvalue",
    "global_clipnorm",
    "use_ema",
    "ema_momentum",
    "ema_overwrite_frequency",
    "loss_scale_factor",
    "gradient_accumulation_steps",
)
_ADAM = ("beta_1", "beta_2", "epsilon")

#: Optimizers, and the options that each has beside the common ones.
OPTIMIZERS = {
    "adadelta": ("rho", "epsilon"),
    "adafactor": ("beta_2_decay", "epsilon_1", "epsilon_2", "clip_threshold", "relative_step"),
    "adagrad": ("initial_accumulator_value", "epsilon"),
    "adam": (*_ADAM, "amsgrad"),
    "adamax": _ADAM,
    "adamw": (*_ADAM, "amsgrad"),
    "ftrl": (
        "learning_rate_power",
        "initial_accumulator_value",
        "l1_regularization_strength",
        "l2_regularization_strength",
        "l2_shrinkage_regularization_strength",
        "beta",
    ),
    "lion": ("beta_1", "beta_2"),
    "nadam": _ADAM,
    "rmsprop": ("rho", "momentum", "epsilon", "centered"),
    "sgd": ("momentum", "nesterov"),
}


_AMOUNT = number(0)
_ABOVE_ZERO = number(above=0)
_DECAY = number(0, below=1)


#: Ranges by option; Keras itself checks the others. A learning rate of 0 freezes a player, None turns an option off.
_RANGES = {
    "learning_rate": _AMOUNT,
    "weight_decay": optional(_AMOUNT),
    "clipnorm": optional(_ABOVE_ZERO),
    "clipvalue": optional(_ABOVE_ZERO),
    "global_clipnorm": optional(_ABOVE_ZERO),
    "loss_scale_factor": optional(_ABOVE_ZERO),
    "gradient_accumulation_steps": optional(whole(2)),
    "ema_overwrite_frequency": optional(whole(1)),
    "use_ema": SWITCH,
    "ema_momentum": _DECAY,
    "beta_1": _DECAY,
    "beta_2": _DECAY,
    "rho": _DECAY,
    "momentum": _DECAY,
    "epsilon": _ABOVE_ZERO,
    "epsilon_1": _ABOVE_ZERO,
    "epsilon_2": _ABOVE_ZERO,
    "clip_threshold": _ABOVE_ZERO,
    "initial_accumulator_value": _AMOUNT,
    "l1_regularization_strength": _AMOUNT,
    "l2_regularization_strength": _AMOUNT,
    "l2_shrinkage_regularization_strength": _AMOUNT,
    "amsgrad": SWITCH,
    "nesterov": SWITCH,
    "centered": SWITCH,
    "relative_step": SWITCH,
}


def options_of(name):
    """Names of the options of optimizer `name`, in upper or lower case; () for an unknown one."""
    name = str(name).lower()
    return (*_COMMON, *OPTIMIZERS[name]) if name in OPTIMIZERS else ()


def check(options, where):
    """Checks a config's optimizer: a dict with "name" and options.

    Args:
        options: the dict.
        where: its name in messages.

    Raises:
        RequestError: no such optimizer or option, or a value out of range.
    """
    name, known = options["name"], options_of(options["name"])
    if not known:
        one_of(*OPTIMIZERS).check(name, f"{where}.name")
    for option, value in options.items():
        if option == "name":
            continue
        if option not in known:
            raise RequestError(f"{where}.{option}: no option of {name}, which takes {', '.join(known)}")
        if option in _RANGES:
            _RANGES[option].check(value, f"{where}.{option}")
