"""Builds a model and its data from a config; restores them with their weights from a workdir.

This module is free of TensorFlow until it builds.
"""

import contextlib
import dataclasses
import json

import ml_collections
from etils import epath

from trainers import config as config_checks
from trainers import dynamics, networks, objectives, techniques, workers
from trainers import workdir as workdirs
from trainers.resolve import resolve
from zoo import datasets
from zoo.errors import RequestError


@dataclasses.dataclass
class Run:
    """A config with its model, data and directory.

    Attributes:
        config: ml_collections.ConfigDict, see configs/base.py, completed by `trainers.resolve.resolve`.
        spec: `zoo.datasets.DataSpec` of the data.
        model: the `trainers.model.GenerativeModel`, compiled.
        workdir: etils.epath.Path, or None for a run without files.
    """

    config: ml_collections.ConfigDict
    spec: datasets.DataSpec
    model: object
    workdir: epath.Path | None = None
    _data: object = None

    @property
    def data_shape(self):
        """Shape of one example."""
        return self.spec.data_shape

    @property
    def data(self):
        """The `zoo.datasets.Dataset` that the config names, opened on first use: sampling does not need it."""
        if self._data is None:
            self._data = datasets.load(**self.config.data)
        return self._data


def build(config, data=None, *, strategy=None, workdir=None, spec=None):
    """Builds the `Run` that `config` describes; its initial weights are a function of the config's seed.

    Args:
        config: checked by `trainers.config.check`.
        data: the opened data set.
        strategy: tf.distribute strategy; the current one if None.
        workdir: the run's directory, or None.
        spec: `zoo.datasets.DataSpec` of the data, in place of `data`.

    Raises:
        RequestError: an option that the objective, dynamics, network or optimizer does not take; or another worker of
            `strategy` has another config.
    """
    import keras

    from zoo import layers

    spec = spec or data.spec
    config = resolve(config)
    objective = objectives.METHODS.load(config.objective)
    parts = _parts(config, objective)
    if config.mixture.components > 1:
        from trainers.mixture import Mixture

        objective = Mixture.of(objective)
        parts["entropy_weight"] = config.mixture.entropy_weight
    if strategy:
        facts = config_checks.flatten(json.loads(config.to_json_best_effort()))
        facts["training examples"] = data.num_examples("train") if data else None
        workers.check_same(strategy, facts, "the same config and the same data on all workers")
    keras.utils.set_random_seed(config.seed)
    with strategy.scope() if strategy else contextlib.nullcontext():
        generator, *others = made = networks.make(config, spec, objective)
        if data is not None:
            # A run with a checkpoint takes its weights from there; what it began with may be gone.
            if config.init_from is not None and not (workdir and workdirs.holds_checkpoint(workdir)):
                networks.load_weights(dict(zip(objective.configured, made)), config.init_from)
            # Deterministic functions of the data; a resumed run has them in its checkpoint too.
            if hasattr(generator, "adapt"):
                generator.adapt(data)
            for made in others:
                if layers.needs_reference(made):
                    layers.set_reference(made, data.arrays("train", layers.REFERENCE_SIZE)[0])
        parts.update(config.objective_options)
        model = objective(generator, *others, seed=config.seed, ema_decay=config.train.ema_decay, **parts)
        steps = dict.fromkeys(objective.optimized, config.train.steps)
        if "critic" in steps:
            steps["critic"] *= model.batches_per_step
        model.compile(
            jit_compile=config.train.jit_compile,
            steps_per_execution=config.train.steps_per_execution,
            **{f"{name}_optimizer": _optimizer(config, name, updates) for name, updates in steps.items()},
        )
    return Run(config, spec, model, epath.Path(workdir) if workdir else None, data)


def _parts(config, objective):
    """Arguments of the model's constructor from a config, other than networks and the objective's options."""
    play = dynamics.METHODS.load(config.dynamics)(**config.dynamics_options)
    used = techniques.read(config.techniques, config.train.steps)
    if config.conditional.critic != "none":
        _check_conditional(config, objective)
    if "critic" not in objective.lacks:
        return {"dynamics": play, "techniques": used}
    for trait in play.needs:
        reason = objective.lacks[trait]
        raise RequestError(f"config.dynamics: {config.dynamics!r} does not compose with {config.objective!r}: {reason}")
    if play.batches_per_step > 1:
        where = "config.dynamics_options.critic_steps"
        reason = objective.lacks["critic"]
        raise RequestError(f"{where}: {play.batches_per_step}; {config.objective!r}: {reason}, use 1")
    if used:
        reason = objective.lacks["critic"]
        raise RequestError(f"config.techniques.{used[0].name}: {config.objective!r}: {reason}; leave it out")
    return {}


def _check_conditional(config, objective):
    """Raises RequestError where the objective, or a mixture, does not support labels."""
    where = f"config.conditional.critic: {config.conditional.critic!r}"
    for trait in ("critic", "conditional"):
        if trait in objective.lacks:
            raise RequestError(f"{where}; {config.objective!r}: {objective.lacks[trait]}; use none")
    if config.mixture.components > 1:
        raise RequestError(f"{where}; the networks of a mixture are not told labels, use config.mixture.components=1")


def summary(run):
    """The objective, data, sizes, devices and directory of a run: a list of lines."""
    config, data = run.config, run.data
    shape = "×".join(map(str, run.data_shape))
    if len(run.data_shape) == 3:
        examples = f"{data.num_examples('train'):,} images of {shape}"
    else:
        examples = f"points of {shape} coordinates, drawn as they are needed"
    told = config.conditional.critic
    labels = f", told the labels of {run.spec.num_classes} classes by {told}" if told != "none" else ""
    sizes = (
        f"{name} {config[name].get('family', config.critic.family)} of {network.count_params():,} parameters"
        for name, network in run.model.networks.items()
        if name in run.model.configured
    )
    strategy = run.model.distribute_strategy
    # The devices of the weights: each replica on this host has its copy.
    copies = strategy.experimental_local_results(run.model.step.value)
    names = ", ".join(copy.device.rpartition("device:")[2] for copy in copies)
    replicas = strategy.num_replicas_in_sync
    return [
        f"{config.objective}, {config.dynamics}, on {data.name}: {examples}{labels}",
        f"{', '.join(sizes)}; {config.train.steps:,} steps, batches of {config.train.batch_size}",
        f"{replicas} replica{'s' * (replicas > 1)} on {names}; the run's directory is {run.workdir}",
    ]


def _optimizer(config, player, updates):
    from trainers.players import make_optimizer
    from trainers.schedules import LinearTail

    options = dict(config[f"{player}_optimizer"])
    where, falls = f"config.{player}_optimizer", config.train.decay_from < 1
    if falls and "learning_rate" in options:
        start = int(config.train.decay_from * updates)
        options["learning_rate"] = LinearTail(options["learning_rate"], start, updates)
    try:
        optimizer = make_optimizer(options)
    except (TypeError, ValueError) as error:
        given = dict(config[f"{player}_optimizer"])
        raise RequestError(f"{where}: {given}: {str(error).splitlines()[0]}") from error
    if falls and "learning_rate" not in options:
        raise RequestError(f"{where}.learning_rate: missing; expected the rate that falls from config.train.decay_from")
    return optimizer


def open_run(directory):
    """The run that a workdir holds, with the weights of its newest readable checkpoint.

    Raises:
        RequestError: there is no run, or no checkpoint of it that can be read.
    """
    workdirs.check_run(directory)
    from trainers.checkpoints import Checkpoints

    held = workdirs.read_config(directory)
    run = build(ml_collections.ConfigDict(held["config"]), workdir=directory, spec=held["spec"])
    Checkpoints(run.workdir / "checkpoints").restore_newest(run.model)
    return run
