"""From a config to networks, data and a GAN; from a workdir to the same with its weights.

A workdir is all that a run leaves: `config.json`, `checkpoints/`, `metrics.jsonl`, TensorBoard `logs/`, `samples/`,
`report/`. Any program can be pointed at it and needs nothing else. This module is free of TensorFlow until it builds.
"""

import dataclasses
import json
import re

import ml_collections
from etils import epath

from trainers import config as config_checks
from trainers import dynamics, objectives, techniques, workers
from zoo import datasets, families
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole

#: What may differ when a run is started again, and why the steps already taken are the same under either value.
_MAY_CHANGE = {
    "train.steps": "no step looks at how many follow, unless `_tied_to_steps` says so",
    "train.steps_per_execution": "how many steps one call takes; each is the same",
    "train.log_every": "only what is told",
    "train.sample_every": "only what is drawn",
    "train.checkpoint_every": "only what is saved",
    "train.keep_checkpoints": "only what is kept",
    "train.on_nonfinite": "decides about steps that are still to come",
    "data.on_corrupt": "decides about images still to come; under 'error' no step was taken with a damaged one",
}

_CHECKPOINT = re.compile(r"step_(\d{8,})")


@dataclasses.dataclass
class Run:
    """A config brought to life.

    Attributes:
        config: ml_collections.ConfigDict, see configs/base.py.
        data_shape: shape of one example.
        gan: the `trainers.gan.GAN`, compiled.
        workdir: etils.epath.Path, or None for a run that leaves nothing.
    """

    config: ml_collections.ConfigDict
    data_shape: tuple
    gan: object
    workdir: epath.Path | None = None
    _data: object = None

    @property
    def data(self):
        """The `zoo.datasets.Dataset` that the config names, opened on first use: sampling does without."""
        if self._data is None:
            self._data = datasets.load(**self.config.data)
        return self._data


def build(config, data=None, *, strategy=None, workdir=None, data_shape=None):
    """Builds the networks and the GAN that `config` describes, with untrained weights that are a function of its seed.

    Args:
        config: checked by `trainers.config.check`.
        data: the opened data set; only its shape is needed here.
        strategy: tf.distribute strategy; the current one if None.
        workdir: where the run leaves its files.
        data_shape: shape of one example, where `data` is not at hand.

    Raises:
        RequestError: an option that the objective, dynamics, network or optimizer does not take; or another worker of
            `strategy` has another config.
    """
    import contextlib

    import keras

    from zoo import layers

    data_shape = tuple(data_shape or data.data_shape)
    objective = objectives.METHODS.load(config.objective)
    parts = _techniques(config)
    if _components(config) > 1:
        from trainers.mixture import Mixture

        objective = Mixture.of(objective)
        parts["entropy_weight"] = config.mixture.entropy_weight
    play = dynamics.METHODS.build(config.dynamics, dict(config.dynamics_options), "config.dynamics_options")
    options = dict(config.objective_options)
    config_checks.check_objective_options(config)
    if strategy:
        facts = config_checks.flatten(json.loads(config.to_json_best_effort()))
        facts["training examples"] = data.num_examples("train") if data else None
        workers.check_same(strategy, facts, "the same config and the same data on all workers")
    keras.utils.set_random_seed(config.seed)
    with strategy.scope() if strategy else contextlib.nullcontext():
        generator, critic = (network(config, player, data_shape, objective) for player in ("generator", "critic"))
        if data is not None and layers.needs_reference(critic):
            # Real examples, the same ones whenever the run is built; a resumed run has them in its checkpoint too.
            layers.set_reference(critic, data.arrays("train", layers.REFERENCE_SIZE)[0])
        gan = objective(
            generator,
            critic,
            dynamics=play,
            seed=config.seed,
            ema_decay=config.train.ema_decay,
            **parts,
            **options,
        )
        gan.compile(
            _optimizer(config, "generator", updates=config.train.steps),
            _optimizer(config, "critic", updates=config.train.steps * play.batches_per_step),
            jit_compile=config.train.jit_compile,
            steps_per_execution=config.train.steps_per_execution,
        )
    return Run(config, data_shape, gan, epath.Path(workdir) if workdir else None, data)


def summary(run):
    """What a run trains on what, how large it is, and where: lines of text."""
    config, data = run.config, run.data
    shape = "×".join(map(str, run.data_shape))
    if len(run.data_shape) == 3:
        examples = f"{data.num_examples('train'):,} images of {shape}"
    else:
        examples = f"points of {shape} coordinates, drawn as they are needed"
    sizes = (
        f"{player} {config[player].family} of {getattr(run.gan, player).count_params():,} parameters"
        for player in ("generator", "critic")
    )
    strategy = run.gan.distribute_strategy
    # Where the weights lie: each replica on this host has its copy.
    copies = strategy.experimental_local_results(run.gan.step.value)
    names = ", ".join(copy.device.rpartition("device:")[2] for copy in copies)
    replicas = strategy.num_replicas_in_sync
    return [
        f"{config.objective}, {config.dynamics}, on {data.name}: {examples}",
        f"{', '.join(sizes)}; {config.train.steps:,} steps, batches of {config.train.batch_size}",
        f"{replicas} replica{'s' * (replicas > 1)} on {names}; the run's directory is {run.workdir}",
    ]


def _techniques(config):
    """The parts of the GAN that `trainers.techniques` makes of a config. A run from before there were any has none."""
    noise = config.get("instance_noise", {"std": 0.0, "until": 1.0})
    std, until = noise["std"], noise["until"]
    return {
        "penalties": techniques.read_penalties(config.get("penalties", ())),
        "instance_noise": techniques.InstanceNoise(std, int(until * config.train.steps)) if std else None,
        "weight_clip": config.get("weight_clip", 0.0),
    }


def _components(config):
    """Components of each player. A run from before there were mixtures has one."""
    return config.mixture.components if "mixture" in config else 1


def network(config, player, data_shape, objective):
    """A fresh network of the config's.

    Args:
        config: as of `build`.
        player: "generator" or "critic".
        data_shape: shape of one example.
        objective: the objective's class.

    Raises:
        RequestError: as of `build`.
    """
    options = dict(config[player])
    name = options.pop("family")
    family = families.FAMILIES[name]
    made = family.generator_class() if player == "generator" else family.critic_class()
    if player == "critic" and objective.critic_families and name not in objective.critic_families:
        use = " or ".join(objective.critic_families)
        raise RequestError(f"config.critic.family: {name!r}; {config.objective} needs {use}")
    if player == "critic" and options.get("normalization", "auto") == "auto":
        # Multilayer perceptrons on points are trained without; for images the objective's paper decides.
        options["normalization"] = objective.critic_normalization if family.images_only else "none"
        if options["normalization"] == "batch" and config.get("penalties"):
            options["normalization"] = "layer"
    if _components(config) > 1:
        from zoo import mixture

        made = mixture.MixtureGenerator if player == "generator" else mixture.MixtureDiscriminator
        options = {"family": name, "network": options}
        options.update(components=config.mixture.components, shared_layers=config.mixture.shared_layers)
    try:
        return made(data_shape, dtype=config.train.precision, **options)
    except RequestError:
        raise
    except (TypeError, ValueError) as error:
        raise RequestError(f"config.{player}: {made.__name__} does not take {options}: {error}") from error


def _optimizer(config, player, updates):
    import keras

    from trainers.schedules import LinearTail

    options = dict(config[f"{player}_optimizer"])
    name = options.pop("name", None)
    if name is None:
        return None
    where, falls = f"config.{player}_optimizer", config.train.decay_from < 1
    if falls and "learning_rate" in options:
        start = int(config.train.decay_from * updates)
        options["learning_rate"] = LinearTail(options["learning_rate"], start, updates)
    try:
        optimizer = keras.optimizers.get({"class_name": name, "config": options})
    except (TypeError, ValueError) as error:
        given = dict(config[f"{player}_optimizer"])
        raise RequestError(f"{where}: {given}: {str(error).splitlines()[0]}") from error
    if falls and "learning_rate" not in options:
        raise RequestError(f"{where}.learning_rate: missing; expected the rate that falls from config.train.decay_from")
    return optimizer


def check_workdir(workdir, config):
    """Checks, before any work and leaving nothing behind, that `workdir` can take this config's run.

    Raises:
        RequestError: it cannot be written, holds the run of a config that differs in more than may change (the keys
            are named), or checkpoints of an unknown config.
    """
    workdir = epath.Path(workdir)
    steps = checkpoint_steps(workdir / "checkpoints")
    if (workdir / "config.json").exists():
        changes = _changes(_read_config(workdir)["config"], config)
        barred = {key: why for key in changes if (why := _why_barred(key, config, steps)) is not None}
        if barred:
            shown = ", ".join(
                f"{key} (there {changes[key][0]!r}, asked {changes[key][1]!r}{why})" for key, why in barred.items()
            )
            raise RequestError(f"--workdir: {workdir} holds a run of another config; it differs in {shown}")
    elif steps:
        raise RequestError(
            f"--workdir: {workdir} holds checkpoints and no config.json, which says what they are of; expected that "
            "file put back, or a new directory"
        )
    for name in ("checkpoints", "samples", "logs"):
        if (workdir / name).exists() and not (workdir / name).is_dir():
            raise RequestError(f"--workdir: {workdir / name} is a file; expected a run's directory of that name")
    read_metrics(workdir)
    check_writable(workdir, "--workdir")


def _changes(held, config):
    """What `config` changes in a config that was read from a file: {key: (value there, value asked)}, sorted."""
    held, asked = config_checks.flatten(held), config_checks.flatten(json.loads(config.to_json_best_effort()))
    differing = sorted(key for key in held.keys() | asked.keys() if held.get(key) != asked.get(key))
    return {key: (held.get(key), asked.get(key)) for key in differing}


def _why_barred(key, config, steps):
    """Why `key` must stay in a run with checkpoints at `steps`: what a message adds, or None where it may change."""
    if key not in _MAY_CHANGE:
        return ""
    if key == "train.steps":
        if tied := _tied_to_steps(config):
            return f"; {tied}"
        if steps and config.train.steps < steps[-1]:
            return f"; {steps[-1]} are done"
    return None


def _tied_to_steps(config):
    """Why the weights after some step depend on `train.steps`; None where they do not."""
    if config.train.decay_from < 1:
        return "the learning rates fall with it, train.decay_from"
    if config.get("instance_noise", {}).get("std"):
        return "the noise falls with it, instance_noise.until"
    return None


def write_config(run, step):
    """Writes `config.json` into the workdir; into that of a run at `step`, what its config changes beside the former.

    A key "changes" lists, oldest first, from which step on which values were others: [{"step": 300, "train.steps":
    [300, 400]}].
    """
    target, changes = run.workdir / "config.json", []
    if target.exists():
        former = json.loads(target.read_text())
        changed = _changes(former["config"], run.config)
        if not changed:
            return
        changes = [*former.get("changes", []), {"step": step, **changed}]
    text = {"config": json.loads(run.config.to_json_best_effort()), "data_shape": list(run.data_shape)}
    if changes:
        text["changes"] = changes
    write_whole(target, (json.dumps(text, indent=2) + "\n").encode())


def checkpoint_steps(directory):
    """Steps of the checkpoints in a directory, oldest first; [] where there is none."""
    directory = epath.Path(directory)
    if not directory.is_dir():
        return []
    return sorted(int(match[1]) for entry in directory.iterdir() if (match := _CHECKPOINT.fullmatch(entry.name)))


def _read_config(workdir):
    path = workdir / "config.json"
    if not path.exists():
        raise RequestError(f"--workdir: {workdir} holds no run (no config.json in it)")
    try:
        text = json.loads(path.read_text())
        return {"config": text["config"], "data_shape": tuple(text["data_shape"])}
    except (ValueError, KeyError, TypeError) as error:
        raise RequestError(f"--workdir: {path} is no config of a run ({error})") from error


def check_run(workdir):
    """Raises RequestError unless `workdir` holds a run with a checkpoint; returns the shape of one example. Free of
    TensorFlow."""
    workdir = epath.Path(workdir)
    data_shape = _read_config(workdir)["data_shape"]
    if not checkpoint_steps(workdir / "checkpoints"):
        raise RequestError(f"--workdir: {workdir} holds no checkpoint yet")
    return data_shape


def open_run(workdir):
    """The run that `workdir` holds, with the weights of its newest readable checkpoint.

    Raises:
        RequestError: there is no run, or no checkpoint of it that can be read.
    """
    check_run(workdir)
    from trainers.checkpoints import Checkpoints

    workdir = epath.Path(workdir)
    held = _read_config(workdir)
    run = build(ml_collections.ConfigDict(held["config"]), workdir=workdir, data_shape=held["data_shape"])
    Checkpoints(workdir / "checkpoints").restore_newest(run.gan)
    return run


def read_metrics(workdir):
    """The rows of a workdir's `metrics.jsonl`, a list of dicts with "step" and the logs; [] where there is none.

    Raises:
        RequestError: it cannot be read, or a line before the last is no row; the message names it.
    """
    path = epath.Path(workdir) / "metrics.jsonl"
    if not path.exists():
        return []
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise RequestError(f"--workdir: {path} cannot be read ({error.strerror or error})") from error
    rows = []
    for number, line in enumerate(lines, 1):
        try:
            row = json.loads(line)
            if not isinstance(row["step"], int):
                raise TypeError("step")
        except (ValueError, TypeError, KeyError) as error:
            if number == len(lines):
                # A kill can cut the last line short; nothing behind it was promised.
                break
            raise RequestError(
                f"--workdir: {path}, line {number}: expected a JSON object with a step; take the line out or mend it"
            ) from error
        rows.append(row)
    return rows
