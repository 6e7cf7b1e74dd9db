"""Time of a training step of each dynamics, relative to alternating descent, for the same networks and batch size.

python -m benchmarks.dynamics_cost --networks=ring,dcgan
"""

import numpy as np
from absl import app, flags

from benchmarks.interleaved import interleaved

_NETWORKS = flags.DEFINE_list(
    "networks", ["ring", "dcgan"], "ring: 128-128 MLPs on points; dcgan: on 28×28 grey images."
)
_FILTERS = flags.DEFINE_integer("base_filters", 16, "Width of the dcgan.")
_ROUNDS = flags.DEFINE_integer("rounds", 7, "Turns of each side.")
_JIT = flags.DEFINE_bool("jit_compile", False, "Compile the steps with XLA.")

#: Dynamics → options. The first is the baseline.
DYNAMICS = {
    "alternating": {},
    "simultaneous": {},
    "consensus": {"gamma": 0.1},
    "locally_stable": {},
    "unrolled": {"steps": 5},
    "historical_averaging": {},
}
#: Networks → shape of an example, batch size, steps in one turn.
SETTINGS = {"ring": ((2,), 256, 20), "dcgan": ((28, 28, 1), 64, 2)}


def gan_for(networks, dynamics):
    """A compiled GAN of the named networks and dynamics."""
    import keras

    import zoo
    from trainers import dynamics as registry
    from trainers.objectives.non_saturating import NonSaturating

    keras.utils.set_random_seed(0)
    shape, _, steps = SETTINGS[networks]
    if networks == "ring":
        players = zoo.MLPGenerator(shape, latent_dim=16), zoo.MLPCritic(shape)
    else:
        width = {"base_filters": _FILTERS.value}
        players = zoo.DCGANGenerator(shape, **width), zoo.DCGANCritic(shape, **width)
    play = registry.METHODS.load(dynamics)(**DYNAMICS[dynamics])
    gan = NonSaturating(*players, dynamics=play)
    gan.compile(jit_compile=_JIT.value, steps_per_execution=steps)
    return gan


def main(argv):
    del argv
    import tensorflow as tf

    for networks in _NETWORKS.value:
        shape, batch, steps = SETTINGS[networks]
        examples = np.random.default_rng(0).uniform(-1, 1, (4 * batch, *shape)).astype(np.float32)

        def turn(dynamics, networks=networks, batch=batch, examples=examples):
            step = gan_for(networks, dynamics).make_train_function()
            feed = iter(tf.data.Dataset.from_tensor_slices(examples).batch(batch).repeat())
            step(feed)
            return lambda: float(step(feed)["critic_loss"])

        seconds = interleaved({name: turn(name) for name in DYNAMICS}, _ROUNDS.value)
        plain = seconds["alternating"]
        print(f"{networks}, batch {batch}")
        for name, value in seconds.items():
            options = "".join(f" {key}={value}" for key, value in DYNAMICS[name].items())
            print(f"  {name + options:24s} {value / steps * 1e3:7.2f} ms/step   {value / plain:5.2f} × alternating")


if __name__ == "__main__":
    app.run(main)
