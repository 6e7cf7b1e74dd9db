"""Trains a generative model from a config, or resumes the run that the workdir holds.

python -m trainers.train --config=configs/fashion_mnist.py:wasserstein_gp --workdir=runs/fashion
"""

from absl import flags, logging
from ml_collections import config_flags

from trainers import config as config_checks
from trainers import program, registry
from zoo import pretrained
from zoo.errors import RequestError

# Accepts options of an objective or a dynamics that the config does not list; they are checked with the others.
_CONFIG = config_flags.DEFINE_config_file(
    "config",
    None,
    "Config file, the objective after a colon. Any of its values: --config.train.steps=1000.",
    lock_config=False,
    accept_new_attributes=True,
)
flags.FLAGS["config"].parser = config_checks.ConfigFile()
_LIST = flags.DEFINE_bool("list", False, "Print the objectives, dynamics and techniques with their sources, and end.")
_WORKDIR = flags.DEFINE_string("workdir", None, "Directory of the run; made if it is not there, resumed if it is.")
_INIT_FROM = flags.DEFINE_string(
    "init_from", None, "Weights to start from: zoo:NAME, or an exported model; the same as --config.init_from."
)
_STRATEGY = flags.DEFINE_string(
    "strategy", "auto", "Where to compute: auto, one_device, mirrored, multi_worker or tpu."
)
_LOGICAL_CPUS = flags.DEFINE_integer(
    "logical_cpus", 0, "Split the CPU into so many devices, to rehearse replicas without a GPU.", 0, 64
)


def main(argv):
    del argv
    if _LIST.value:
        from trainers import dynamics, objectives, techniques

        tables = {
            "objectives, config.objective": objectives.METHODS,
            "dynamics, config.dynamics": dynamics.METHODS,
            "techniques, config.techniques.NAME.OPTION": techniques.METHODS,
        }
        for kind, table in tables.items():
            print(registry.listing(kind, {name: table.summary(name) for name in table.names()}), end="\n\n")
        print(registry.listing("techniques that are options of another part", techniques.ELSEWHERE))
        return
    config = _CONFIG.value
    if config and _INIT_FROM.value:
        config.init_from = _INIT_FROM.value
    for name, value in (("config", config), ("workdir", _WORKDIR.value)):
        if not value:
            raise RequestError(f"--{name}: missing; see --help")
    from trainers import build, lock, resolve, strategies, workdir, workers

    strategies.check(_STRATEGY.value)
    data = config_checks.check(config, replicas=max(1, _LOGICAL_CPUS.value))
    if strategies.writes(_STRATEGY.value):
        lock.check_free(_WORKDIR.value)
    workdir.check_writable_run(_WORKDIR.value)
    # A run that is resumed has its weights; what it began with may be gone.
    if config.init_from is not None and not workdir.holds_checkpoint(_WORKDIR.value):
        pretrained.find_saved_model(config.init_from, "config.init_from")

    program.start_tensorflow()
    resolve.drop_former_options(config, config_flags.get_override_values(flags.FLAGS["config"]))
    config = resolve.resolve(config)
    workdir.check_workdir(_WORKDIR.value, config)
    logging.set_verbosity(logging.INFO)
    from trainers import memory, training

    strategy = strategies.make(_STRATEGY.value, _LOGICAL_CPUS.value)
    config_checks.check_batch_size(config.train.batch_size, strategy.num_replicas_in_sync)
    memory.check(config, data.spec, strategy.num_replicas_in_sync)
    with workers.loss_told(strategy):
        run = build.build(config, data, strategy=strategy, workdir=_WORKDIR.value)
        for line in build.summary(run):
            logging.info(line)
        training.train(run)
    logging.info("Done: %s", _WORKDIR.value)


def run():
    """Console entry point."""
    program.run(main)


if __name__ == "__main__":
    run()
