"""Techniques: critic regularisers and changes to the critic's inputs. One per file; METHODS lists this folder.

Free of TensorFlow until a technique computes.
"""

import dataclasses

from trainers.registry import Registry
from zoo.errors import RequestError

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


def read(entries, steps, where="config.techniques"):
    """The techniques that a config turns on.

    Args:
        entries: {technique: its options}; a technique without options is off, a value of None is the paper's. An option
            "name" gives the technique in place of the key, so that one can be used twice.
        steps: number of steps of the run.
        where: name of `entries` in messages.

    Returns:
        Tuple of `trainers.techniques.base.Technique`s, in the order of `entries`.

    Raises:
        RequestError: no such technique or option, or a value out of range.
    """
    found = []
    for key, entry in entries.items():
        if not hasattr(entry, "keys"):
            raise RequestError(f"{where}.{key}: {entry!r}; expected a dict of options")
        options = dict(entry)
        name = options.pop("name", key)
        METHODS.check(name, f"{where}.{key}.name" if "name" in entry else f"{where}.{key}")
        if options:
            technique = METHODS.load(name)
            known = [field.name for field in dataclasses.fields(technique)]
            for option in options:
                if option not in known:
                    raise RequestError(f"{where}.{key}.{option}: no option of {name}, which takes {', '.join(known)}")
            options = {option: value for option, value in options.items() if value is not None}
            found.append(technique.of_run(options, steps, f"{where}.{key}"))
    return tuple(found)
