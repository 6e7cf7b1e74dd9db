"""Time of the signatures `serving_default` (latents), `sample` and `png` (seeds) for the same number of images; for a
new model also of `serving_default` of its export in bfloat16.

    python -m benchmarks.sample_signature --batches=1,8,64,100,256
    python -m benchmarks.sample_signature --saved_model=models/digits

Medians of interleaved runs: wall time, and processor time of all cores, which other work on the machine hardly changes.
"""

import statistics
import time

import numpy as np
from absl import app, flags

_SAVED_MODEL = flags.DEFINE_string("saved_model", None, "A model or version; a new 32×32×3 DCGAN if not given.")
_BATCHES = flags.DEFINE_list("batches", ["1", "8", "64", "100", "256"], "Images a call.")
_ROUNDS = flags.DEFINE_integer("rounds", 15, "Turns of each side.")


def main(argv):
    del argv
    import tensorflow as tf

    if _SAVED_MODEL.value:
        from zoo.pretrained import find_saved_model

        model = tf.saved_model.load(str(find_saved_model(_SAVED_MODEL.value))).signatures
    else:
        import zoo
        from export.saved_model import in_precision
        from export.signatures import signatures

        sampler = zoo.DCGANGenerator((32, 32, 3))
        sampler.build((None, sampler.latent_dim))
        functions = signatures(sampler, sampler.latent_dim, (32, 32, 3))
        coarse = signatures(in_precision(sampler, "bfloat16"), sampler.latent_dim, (32, 32, 3))
        functions["bfloat16"] = coarse["serving_default"]
        model = {name: function.get_concrete_function() for name, function in functions.items()}
    for batch in map(int, _BATCHES.value):
        seeds = tf.range(batch, dtype=tf.int64)
        latents = model["latents"](seeds=seeds)["latents"]
        sides = {
            "serving_default": lambda latents=latents: model["serving_default"](latents=latents),
            "sample": lambda seeds=seeds: model["sample"](seeds=seeds),
            "png": lambda seeds=seeds: model["png"](seeds=seeds),
        }
        if "bfloat16" in model:
            sides["bfloat16"] = lambda latents=latents: model["bfloat16"](latents=latents)
        spent = {name: [] for name in sides}
        for run in sides.values():
            run()
        for _ in range(_ROUNDS.value):
            for name, run in sides.items():
                clock, cores = time.perf_counter(), time.process_time()
                run()
                spent[name].append((time.perf_counter() - clock, time.process_time() - cores))
        medians = {name: np.array([statistics.median(column) for column in zip(*spent[name])]) for name in sides}
        print(f"{batch} images")
        for name, (clock, cores) in medians.items():
            of_clock, of_cores = medians[name] / medians["serving_default"]
            print(
                f"  {name:16s} {clock * 1e3:8.2f} ms {of_clock:6.2f} ×   all cores {cores * 1e3:8.2f} ms "
                f"{of_cores:6.2f} ×"
            )


if __name__ == "__main__":
    app.run(main)
