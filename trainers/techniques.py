"""Techniques: what the networks see, and what keeps the critic honest, as parts that compose with any objective and
any dynamics by config. This module also reads those keys of a config; it is free of TensorFlow until a part computes.
"""

import dataclasses
import difflib
import numbers

from zoo.errors import RequestError

#: The table of techniques: name → what it is, its source, and the config key that turns it on.
TECHNIQUES = {
    "one_sided_label_smoothing": "Real targets of 0.9 in place of 1, so that no critic gains by being certain. "
    "Salimans et al. 2016, section 3.4. config.objective_options.real_label=0.9",
    "minibatch_discrimination": "The critic sees how close an example is to the others of its batch. Salimans et al. "
    "2016, section 3.2. config.critic.minibatch_discrimination=KERNELS",
    "virtual_batch_normalization": "Each example normalised by a reference batch fixed at the start, and itself. "
    "Salimans et al. 2016, section 3.5. config.generator.normalization=virtual_batch (config.critic too)",
    "instance_noise": "Gaussian noise on the critic's inputs, real and generated, annealed to zero. Sønderby et al. "
    "2017; Arjovsky & Bottou 2017, section 3. config.instance_noise.std=0.1",
    "weight_clipping": "The critic's weights stay in a box. Arjovsky, Chintala & Bottou 2017, algorithm 1. "
    "config.weight_clip=0.01",
    "gradient_norm": "Penalty on the distance of the critic's gradient norm from a target. Gulrajani et al. 2017, "
    "equation 3; Kodali et al. 2017. config.penalties",
    "zero_centred": "Penalty on the critic's squared gradient norm: R1 at real examples, R2 at generated ones. "
    "Mescheder et al. 2018, equation 9. config.penalties",
    "mixture": "Several generators against several critics, with learned weights: mixed strategies. Arora et al. 2017, "
    "section 5. config.mixture.components=5",
    "generator_average": "Samples come from a moving average of the generator's weights. Yazıcı et al. 2019. "
    "config.train.ema_decay=0.999",
}


def names():
    """The names of all techniques, in the table's order."""
    return list(TECHNIQUES)


def summary(name):
    """What a technique is, its source, and the config key that turns it on."""
    return TECHNIQUES[name]


#: Where a penalty looks at the critic's gradient.
PLACES = ("interpolates", "real", "fake", "perturbed")


@dataclasses.dataclass(frozen=True)
class GradientNorm:
    """w E(‖∇ₓD(x)‖₂ - t)², two-sided. Gulrajani et al. 2017, equation 3 (interpolates); Kodali et al. 2017 (perturbed).

    Args:
        weight: w, 0 or more.
        at: x, one of PLACES: between real and generated pairs, at either, or around real ones.
        target: t, 0 or more.
    """

    weight: float = 10.0
    at: str = "interpolates"
    target: float = 1.0

    def __call__(self, critic, real, fake, noise):
        from trainers import penalties

        point = penalties.PLACES[self.at](real, fake, noise)
        return self.weight * penalties.gradient_norm_penalty(critic, point, self.target)


@dataclasses.dataclass(frozen=True)
class ZeroCentred:
    """w/2 E‖∇ₓD(x)‖₂²: R1 at "real", R2 at "fake". Mescheder et al. 2018, equation 9, with their weight.

    Args:
        weight: w, 0 or more.
        at: x, one of PLACES.
    """

    weight: float = 10.0
    at: str = "real"

    def __call__(self, critic, real, fake, noise):
        from trainers import penalties

        return self.weight * penalties.zero_centred_penalty(critic, penalties.PLACES[self.at](real, fake, noise))


#: Penalties by the name that a config calls them.
PENALTIES = {"gradient_norm": GradientNorm, "zero_centred": ZeroCentred}


@dataclasses.dataclass(frozen=True)
class InstanceNoise:
    """x + σ(s)·ε, ε standard normal an element, σ(s) = std · max(0, 1 - s/until) at step s.

    Real and generated examples get independent noise, and every draw of a step its own. The generator's gradient passes
    through its noisy examples. Both players then compare p * N(0, σ²) with q * N(0, σ²), which overlap whatever the
    supports of p and q.

    Args:
        std: standard deviation at step 0, in units of the data (images: [-1, 1]).
        until: step at which it reaches zero.
    """

    std: float
    until: int

    def __call__(self, x, kind, noise, step):
        """Noisy examples like `x` [N, ...] under this draw's `noise`; each `kind` ("real", "fake", …) has its own."""
        import tensorflow as tf

        left = 1.0 - tf.cast(step.value, x.dtype) / tf.cast(max(self.until, 1), x.dtype)
        draw = tf.cast(noise.normal(f"instance noise {kind}", x.shape[1:]), x.dtype)
        return x + self.std * tf.maximum(left, 0.0) * draw


def read_penalties(entries, where="config.penalties"):
    """The penalties that a config lists: ({"name": "gradient_norm", "weight": 10.0, "at": "real"}, …) → a tuple.

    Raises:
        RequestError: no list of dicts, no such penalty or option, or a value that it cannot take.
    """
    if not isinstance(entries, (tuple, list)):
        raise RequestError(f"{where}: {entries!r}; expected a tuple of dicts with a name each")
    return tuple(_read_penalty(entry, f"{where}[{index}]") for index, entry in enumerate(entries))


def _read_penalty(entry, where):
    if not hasattr(entry, "keys") or "name" not in entry:
        raise RequestError(f"{where}: {entry!r}; expected a dict with a name, one of {', '.join(PENALTIES)}")
    options = dict(entry)
    name = options.pop("name")
    if name not in PENALTIES:
        raise RequestError(f"{where}.name: {name!r} is no penalty; {_near(name, PENALTIES)}")
    known = [field.name for field in dataclasses.fields(PENALTIES[name])]
    for option, value in options.items():
        if option not in known:
            raise RequestError(f"{where}.{option}: no option of {name}, which takes {', '.join(known)}")
        if option == "at":
            if value not in PLACES:
                raise RequestError(f"{where}.at: {value!r} is no place; {_near(value, PLACES)}")
        elif not is_amount(value):
            raise RequestError(f"{where}.{option}: {value!r}; expected a number, 0 or more")
    return PENALTIES[name](**options)


def check_minibatch_discrimination(critic, batch_size):
    """Raises RequestError for a critic's `minibatch_discrimination` that is no number of kernels, or has no batch."""
    kernels = critic.get("minibatch_discrimination", 0)
    if not is_amount(kernels) or kernels != int(kernels):
        where = "config.critic.minibatch_discrimination"
        raise RequestError(f"{where}: {kernels!r}; expected a number of kernels, 0 or more")
    if kernels and batch_size == 1:
        where = "config.train.batch_size"
        raise RequestError(
            f"{where}: 1; config.critic.minibatch_discrimination compares the examples of a batch, use 2"
        )


def _near(name, names):
    near = difflib.get_close_matches(str(name), list(names), 3, 0.4)
    return f"did you mean {' or '.join(map(repr, near))}?" if near else f"there are {', '.join(names)}"


def is_amount(value):
    """Whether `value` is a finite number, 0 or more."""
    return isinstance(value, numbers.Real) and not isinstance(value, bool) and 0 <= value < float("inf")


def check_composition(gan):
    """Raises RequestError, with what to use, where the parts of a `trainers.gan.GAN` do not go together."""
    objective, play = (type(part).__module__.rpartition(".")[2] for part in (gan, gan.dynamics))
    for trait in gan.dynamics.needs:
        if trait in gan.lacks:
            raise RequestError(f"config.dynamics: {play!r} does not compose with {objective!r}: {gan.lacks[trait]}")
    if not gan.penalises_gradients and not gan.penalties:
        return
    reason = f"{objective if gan.penalises_gradients else 'config.penalties'} penalises the gradient at each"
    if getattr(gan.critic, "normalization", None) == "batch":
        where = "config.critic.normalization"
        raise RequestError(f"{where}: 'batch' mixes examples, but {reason}; use 'layer', 'spectral' or 'none'")
    kernels = getattr(gan.critic, "minibatch_discrimination", 0)
    if kernels:
        where = "config.critic.minibatch_discrimination"
        raise RequestError(f"{where}: {kernels} kernels compare examples, but {reason}; use 0")
