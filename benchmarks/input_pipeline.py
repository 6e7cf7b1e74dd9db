"""Throughput of the input pipeline relative to that of training, in images a second.

python -m benchmarks.input_pipeline --config=configs/fashion_mnist.py
python -m benchmarks.input_pipeline --config=configs/folder.py --config.data.source=folder:DIR
"""

from absl import app, flags
from ml_collections import config_flags

from benchmarks.interleaved import interleaved

_CONFIG = config_flags.DEFINE_config_file("config", "configs/digits.py")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of each side.")


def main(argv):
    del argv
    from trainers import build, training
    from trainers import config as config_checks

    config = _CONFIG.value
    run = build.build(config, config_checks.check(config))
    step = run.model.make_train_function()
    fed, alone = iter(training.batches(run, 0)), iter(training.batches(run, 0))
    images = config.train.batch_size * run.model.dynamics.batches_per_step * config.train.steps_per_execution
    count = 300

    def pipeline():
        for _ in range(count):
            next(alone)

    def train():
        for _ in range(5):
            step(fed)

    pipeline(), train()
    seconds = interleaved({"pipeline": pipeline, "training": train}, _ROUNDS.value)
    delivered = count * config.train.batch_size / seconds["pipeline"]
    consumed = 5 * images / seconds["training"]
    print(f"{config.data.source}, batch {config.train.batch_size}, {config.objective}")
    print(f"pipeline {delivered:,.0f} images/s   training {consumed:,.0f} images/s   ratio {delivered / consumed:.0f}")


if __name__ == "__main__":
    app.run(main)
