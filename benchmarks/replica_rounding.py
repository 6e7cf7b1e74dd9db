"""Difference between the weights of training on one and on two replicas after the same steps, in float64 and float32.

Two replicas add the same numbers in another order. The rounding difference, which is half a billion times larger in
float32 than in float64, is amplified by training.

  python -m benchmarks.replica_rounding --config=configs/digits.py --objectives=non_saturating,wasserstein_gp
"""

import importlib.util

import numpy as np
from absl import app, flags

_CONFIG = flags.DEFINE_string("config", "configs/digits.py", "Config file.")
_OBJECTIVES = flags.DEFINE_list("objectives", ["non_saturating", "wasserstein_gp"], "Variants of the config.")
_STEPS = flags.DEFINE_integer("steps", 50, "Steps of training.", lower_bound=1)


def weights(objective, precision, strategy, steps):
    """All trainable weights of generator and critic after `steps` steps of the config's variant, float64 [P]."""
    from trainers import build, training
    from trainers import config as config_checks

    spec = importlib.util.spec_from_file_location("config", _CONFIG.value)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    config = module.get_config(objective)
    # One call takes at least steps_per_execution steps.
    config.train.update(precision=precision, steps_per_execution=1)
    run = build.build(config, config_checks.check(config, replicas=2), strategy=strategy)
    run.model.fit(training.batches(run, 0), steps_per_epoch=steps, verbose=0, shuffle=False)
    variables = [*run.model.generator.trainable_variables, *run.model.critic.trainable_variables]
    return np.concatenate([variable.numpy().astype(np.float64).ravel() for variable in variables])


def main(argv):
    del argv
    import tensorflow as tf

    from trainers import strategies

    two = strategies.make("mirrored", logical_cpus=2)
    assert two.num_replicas_in_sync == 2, "a GPU is in the way: set CUDA_VISIBLE_DEVICES="
    for objective in _OBJECTIVES.value:
        for precision in ("float64", "float32"):
            alone, shared = (
                weights(objective, precision, strategy, _STEPS.value)
                for strategy in (tf.distribute.get_strategy(), two)
            )
            apart = np.abs(alone - shared).max()
            print(f"{objective:20s} {precision}  largest difference of a weight {apart:.1e}", flush=True)


if __name__ == "__main__":
    app.run(main)
