"""Techniques: critic regularisers and changes to the critic's inputs. One per file; METHODS lists this folder.

Free of TensorFlow until a technique computes.
"""

from trainers.registry import Registry
from zoo.options import OPTIONS
from zoo.options import resolve as resolve_options

METHODS = Registry(__name__, "technique")

#: Techniques that are options of an objective, a network or the run: name → description, source and config key.
ELSEWHERE = {
    "one_sided_label_smoothing": "Real targets of 0.9 in place of 1, so that no critic gains by being certain. "
    "Salimans et al. 2016, section 3.4. config.objective_options.real_label=0.9",
    "minibatch_discrimination": "The critic sees how close an example is to the others of its batch. Salimans et al. "
    "2016, section 3.2. config.critic.minibatch_discrimination=KERNELS",
    "virtual_batch_normalization": "Each example normalised by a reference batch fixed at the start, and itself. "
    "Salimans et al. 2016, section 3.5. config.generator.normalization=virtual_batch (config.critic too)",
    "class_conditional": "Generator and critic are told the label of each example, the critic by projection (Miyato & "
    "Koyama 2018) or concatenation (Mirza & Osindero 2014). config.conditional.critic=projection",
    "mixture": "MIX+GAN: several generators against several critics, with learned weights. Arora et al. 2017, "
    "section 5. config.mixture.components=5",
    "generator_average": "Samples come from a moving average (EMA) of the generator's weights. Yazıcı et al. 2019. "
    "config.train.ema_decay=0.999",
}


def resolve(entries, where="config.techniques"):
    """Checks the techniques of a config and fills in their options.

    Args:
        entries: {technique: its options}; a technique without options is off, a value of None is the paper's. An option
            "name" gives the technique in place of the key, so that one can be used twice.
        where: name of `entries` in messages.

    Returns:
        A dict like `entries`, with all options of the techniques that are on.

    Raises:
        RequestError: no such technique or option, or a value out of range.
    """
    resolved = {}
    for key, entry in entries.items():
        OPTIONS.check(entry, f"{where}.{key}")
        options = dict(entry)
        name = options.pop("name", key)
        METHODS.check(name, f"{where}.{key}.name" if "name" in entry else f"{where}.{key}")
        if options:
            known = METHODS.load(name).options_of_a_run()
            options = resolve_options(known, options, f"{where}.{key}", name)
        resolved[key] = {**({"name": name} if "name" in entry else {}), **options}
    return resolved


def read(entries, steps, where="config.techniques"):
    """The techniques that a config turns on, for a run of `steps` steps.

    Args, Raises: as of `resolve`.

    Returns:
        Tuple of `trainers.techniques.base.Technique`s, in the order of `entries`.
    """
    found = []
    for key, options in resolve(entries, where).items():
        name = options.pop("name", key)
        if options:
            found.append(METHODS.load(name).of_run(options, steps))
    return tuple(found)
