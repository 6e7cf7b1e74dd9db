"""Table of every objective and every dynamics on the ring of eight Gaussians, three seeds each.

python -m benchmarks.ring --runs=runs/ring --jobs=2
python -m benchmarks.ring --runs=runs/ring --only=unrolled,wasserstein_gp --seeds=0,1

A row is a variant of configs/ring.py, trained as by the training program, on one thread. Finished runs are not
repeated, stopped runs resume. The results of all runs go to docs/ring.md and, with each run's config and history, to
docs/ring.json, beside those of runs that were made elsewhere.
"""

import dataclasses
import json
import multiprocessing
import os
import pathlib
import queue
import re
import signal
import statistics
import sys
import time

from absl import flags
from tqdm import tqdm

from configs import ring
from trainers import build, dynamics, objectives, program, workdir
from trainers import config as config_checks
from zoo import families
from zoo.errors import RequestError
from zoo.files import check_writable, write_whole

_RUNS = flags.DEFINE_string("runs", "runs/ring", "Directory of the runs: ROW/seed_N is a workdir.")
_OUT = flags.DEFINE_string("out", "docs/ring.md", "The table; its numbers go beside it, to the same name in .json.")
_ONLY = flags.DEFINE_list("only", [], "Rows to train, by name or by the dynamics; all if empty.")
_SEEDS = flags.DEFINE_list("seeds", ["0", "1", "2"], "Seeds.")
_STEPS = flags.DEFINE_integer("steps", 8_000, "Generator steps.", lower_bound=20)
_JOBS = flags.DEFINE_integer("jobs", 1, "Runs at once.", lower_bound=1)

#: Number of equally spaced checkpoints of a run at which samples are measured, and number of samples.
_MOMENTS, _SAMPLES = 20, 2_500
#: Dynamics → the objective of its row, where its paper does not use `non_saturating`.
_PLAYED_WITH = {"unrolled": "minimax"}
#: Objectives that a second table compares on equal networks: hidden units of the critic → weights γ of R1 and R2.
_COMPARED = ("relativistic", "non_saturating")
_EQUAL_NETWORKS = {(128,): (0.0, 0.01, 0.1, 1.0), (128, 128): (0.0, 0.1, 1.0)}


@dataclasses.dataclass(frozen=True)
class Training:
    """One run of a table: its row, which begins with a variant of configs/ring.py, seed, steps and root directory.

    `critic` and `weight` are those of the second table.
    """

    row: str
    seed: int
    steps: int
    root: pathlib.Path
    critic: tuple = ()
    weight: float = 0.0

    @property
    def workdir(self):
        return self.root / self.row / f"seed_{self.seed}"

    @property
    def config(self):
        config = ring.get_config(self.row.partition(" ")[0])
        if self.critic:
            config.critic.hidden_units = self.critic
        if self.weight:
            config.techniques.zero_centred = {"weight": self.weight, "at": "both"}
        config.seed, config.train.jit_compile = self.seed, True  # XLA: 2.8 times as fast on one thread
        config.train.steps = config.train.sample_every = self.steps
        config.train.checkpoint_every, config.train.keep_checkpoints = self.steps // _MOMENTS, _MOMENTS + 2
        return config

    @property
    def result(self):
        """The dict that `run` wrote, or None while the run is not finished."""
        path = self.workdir / "ring.json"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def steps_taken(self):
        """Step of the newest checkpoint, 0 without one."""
        found = [int(path.name.removeprefix("step_")) for path in self.workdir.glob("checkpoints/step_*")]
        return max(found, default=0)

    def run(self):
        """Trains, from the newest checkpoint if there is one, measures, and writes the result."""
        import keras

        from trainers import training

        keras.backend.clear_session()
        config = self.config
        run = build.build(config, config_checks.check(config), workdir=self.workdir)
        failed = None
        try:
            training.train(run)
        except program.Interrupted:
            raise
        except program.RunFailed as error:
            failed = str(error)
        found = {"row": self.row, "seed": self.seed, "failed": failed, **measure(run), "config": config.to_dict()}
        write_whole(self.workdir / "ring.json", json.dumps(found).encode())


def trainings(seeds, steps, root):
    """All runs of the table in row order, a list of `Training`."""
    found = [name for name in objectives.METHODS.names() if _for_points(name)]
    # Variants that are no plain objective. Those with a slash, the divergences, replace the row of their objective.
    more = [variant for variant in ring.VARIANTS if variant not in found]
    of = {variant.partition("/")[0] for variant in more}
    rows = sorted([each for each in found if each not in of] + [each for each in more if "/" in each])
    rows += [each for each in more if "/" not in each]
    # The rows of the objectives use alternating descent.
    played = [name for name in dynamics.METHODS.names() if name != "alternating"]
    rows += [f"{_PLAYED_WITH.get(name, 'non_saturating')}+{name}" for name in played]
    more = [
        (f"{name} {_units(critic)} γ={weight:g}", critic, weight)
        for critic, weights in _EQUAL_NETWORKS.items()
        for weight in weights
        for name in _COMPARED
    ]
    settings = [*((row,) for row in rows), *more]
    return [Training(row, seed, steps, root, *changes) for row, *changes in settings for seed in seeds]


def _for_points(objective):
    return not families.FAMILIES[ring.get_config(objective).generator.family].images_only


def measure(run):
    """Modes found and high-quality share at every checkpoint, and generator steps per second of processor time."""
    from export.metrics import toy
    from trainers import training
    from trainers.checkpoints import Checkpoints

    checkpoints, history = Checkpoints(run.workdir / "checkpoints"), []
    for step in checkpoints.steps():
        checkpoints.restore(run.model, step)
        counts = toy.mode_counts(run.model.sample(range(_SAMPLES)).numpy(), run.data.modes, run.data.std)
        history.append({"step": step, "modes": counts.modes_found, "high_quality": counts.high_quality_share})
    # Processor time hardly depends on other work on the machine, so rows measured at different times compare.
    run.model.last_step.assign(2**62)
    steps, feed, seconds = run.model.make_train_function(), iter(training.batches(run, 0)), []
    for _ in range(4):
        start = time.process_time()
        float(steps(feed)["generator_loss"])
        seconds.append(time.process_time() - start)
    return {"history": history, "steps_per_second": run.config.train.steps_per_execution / min(seconds)}


def _work(waiting, done):
    """A worker process: runs the queued trainings on one thread until it is terminated."""
    try:
        import tensorflow as tf

        tf.config.threading.set_intra_op_parallelism_threads(1)
        tf.config.threading.set_inter_op_parallelism_threads(1)
        while True:
            each = waiting.get()
            each.run()
            done.put(each)
    except (program.Interrupted, KeyboardInterrupt):
        pass


def train_all(wanted, jobs):
    """Runs each `Training` of `wanted`, in `jobs` worker processes at once."""
    context = multiprocessing.get_context("spawn")
    waiting, done = context.Queue(), context.Queue()
    for each in wanted:
        waiting.put(each)
    workers = [context.Process(target=_work, args=(waiting, done)) for _ in range(min(jobs, len(wanted)))]
    left = set(wanted)
    try:
        for worker in workers:
            worker.start()
        with tqdm(total=sum(each.steps for each in wanted), unit="step", mininterval=10) as bar:
            while left:
                try:
                    each = done.get(timeout=10)
                    left.remove(each)
                    bar.write(f"{each.row} seed {each.seed}: {_told(each.result)}", file=sys.stderr)
                except queue.Empty:
                    if any(worker.exitcode is not None for worker in workers):
                        raise program.RunFailed("a worker died; what it was about is above") from None
                bar.update(sum(each.steps_taken if each in left else each.steps for each in wanted) - bar.n)
    finally:
        for worker in workers:
            worker.terminate()
        for worker in workers:
            worker.join()


def _told(found):
    if found["failed"]:
        return found["failed"]
    end = found["history"][-1]
    return f"{end['modes']} modes, fewest {_fewest(found)}, {end['high_quality']:.3f} of high quality"


def _fewest(found):
    """Fewest modes at any checkpoint of the run's second half; for a run that failed earlier, at its last one."""
    half = [at["modes"] for at in found["history"] if 2 * at["step"] >= found["config"]["train"]["steps"]]
    return min(half, default=found["history"][-1]["modes"])


def page(results, name):
    """The tables in Markdown; `results` are the dicts of `Training.result`, in row order, `name` their file's."""
    rows = {}
    for found in results:
        rows.setdefault(found["row"], []).append(found)
    steps = " or ".join(f"{n:,}" for n in sorted({found["config"]["train"]["steps"] for found in results}))
    lines = [
        "# Ring of eight Gaussians",
        "",
        f"Every method on the ring (radius 2, standard deviation 0.02), {steps} generator steps, one number a seed. "
        "Written by `python -m benchmarks.ring`; the settings of each row are the variant of "
        "its name in `configs/ring.py`, every run's config and history are in "
        f"[{name}]({name}).",
        "",
        f"- Modes: those with at least 1 % of their even share of {_SAMPLES:,} samples within 3 standard deviations of "
        "their centre. Fewest: at the worst of the moments of the run's second half, "
        f"{_MOMENTS // 2 + 1} of them.",
        "- †: broke off at a gradient that is not finite; what its last checkpoint had.",
        "- High quality: share of samples within 3 standard deviations of a mode's centre; the data's own is 0.989.",
        "- Steps/s: generator steps, with the critic's that go with them, a second of one core's time.",
        "- Critic: its hidden units.",
        "",
        "What the sources say of this picture: plain descent of `minimax` and `non_saturating` with a critic as small "
        "as this collapses, or goes around the modes and holds few of them at any time (Metz et al. 2016, figure 2); "
        "`unrolled`, `consensus`, `locally_stable`, `wasserstein_gp` and `mixture` (MIX+GAN) find all eight.",
        "",
        "| method | critic | modes | fewest | high quality | steps/s |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(row, found) for row, found in rows.items() if " " not in row]
    lines += [
        "",
        "`relativistic` and `non_saturating` on equal networks, without a penalty and with R1 and R2 of weight γ:",
        "",
        "| method | critic | modes | fewest | high quality | steps/s |",
        "|---|---|---|---|---|---|",
    ]
    lines += [_row(row, found) for row, found in rows.items() if " " in row]
    return "\n".join(lines) + "\n"


def _row(row, found):
    """A row of a table from the results of its seeds."""
    of_seeds = zip(*([_end(one), _fewest(one), f"{one['history'][-1]['high_quality']:.2f}"] for one in found))
    cells = [" ".join(map(str, values)) for values in of_seeds]
    speed = statistics.median(one["steps_per_second"] for one in found)
    variant, _, weight = row.partition(" ")[0], *row.partition("γ=")[1:]
    method = f"`{variant}`, γ = {weight}" if weight else f"`{variant}`"
    return f"| {method} | {_critic(found[0]['config'])} | {' | '.join(cells)} | {speed:,.0f} |"


def _units(units):
    return "-".join(map(str, units))


def _critic(config):
    """The critic's hidden units, with "autoencoder" if it is one; "none" for objectives without a critic."""
    if "critic" not in objectives.METHODS.load(config["objective"]).configured:
        return "none"
    kind = " autoencoder" if config["critic"]["family"] == "mlp_autoencoder" else ""
    return _units(config["critic"]["hidden_units"]) + kind


def _end(found):
    return f"{found['history'][-1]['modes']}{'†' if found['failed'] else ''}"


def main(argv):
    del argv
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    if not all(seed.isdigit() for seed in _SEEDS.value):
        raise RequestError(f"--seeds: {','.join(_SEEDS.value)}; expected whole numbers, 0 or more")
    everything = trainings([int(seed) for seed in _SEEDS.value], _STEPS.value, pathlib.Path(_RUNS.value))
    rows = {each.row for each in everything}
    # Names for --only: a row's own, and those of its parts (objective, divergence, dynamics) that are no row.
    names = {each: {each.row, *re.split("[+/ ]", each.row)} - (rows - {each.row}) for each in everything}
    known = set().union(*names.values())
    for name in _ONLY.value:
        if name not in known:
            raise RequestError(f"--only: {name!r} is in no row; there are {', '.join(sorted(known))}")
    out = pathlib.Path(_OUT.value)
    check_writable(out.parent, "--out")
    wanted = [each for each in everything if not _ONLY.value or names[each] & set(_ONLY.value)]
    for each in wanted:
        config_checks.check(each.config)
        workdir.check_workdir(each.workdir, each.config)
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        # One seed of every row before the next seed, so that the table is informative early.
        left = sorted((each for each in wanted if each.result is None), key=lambda each: each.seed)
        train_all(left, _JOBS.value)
    except KeyboardInterrupt as stop:
        raise program.Interrupted(signal.SIGINT, "stopped; the same command goes on from there") from stop
    numbers = out.with_suffix(".json")
    # Runs of an earlier table that are not among --runs stay in it.
    known = (
        {(found["row"], found["seed"]): found for found in json.loads(numbers.read_text())} if numbers.exists() else {}
    )
    known |= {(each.row, each.seed): found for each in everything if (found := each.result) is not None}
    results = [known[each.row, each.seed] for each in everything if (each.row, each.seed) in known]
    out.parent.mkdir(parents=True, exist_ok=True)
    write_whole(out, page(results, numbers.name).encode())
    write_whole(numbers, (json.dumps(results, indent=1) + "\n").encode())
    print(out)


if __name__ == "__main__":
    program.run(main)
