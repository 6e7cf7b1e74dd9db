"""Trains, evaluates and publishes the models of configs/zoo.py that an index lacks, one after the other.

    python -m export.make_zoo [--list] [--models=NAME,NAME] [--runs=runs/zoo] [--home=FOLDER]

from the project's directory runs, for each model, `trainers.train`, `export.evaluate` unless there is a report of the
newest step, and `export.publish`, each in a process of its own. Started again it goes on where it stopped: the training
resumes, and where it was finished its program only compares the config. A model that fails does not stop the next one.
"""

import functools
import os
import statistics
import subprocess
import sys

from absl import flags
from tqdm import tqdm

from configs.zoo import RECIPES
from export import publish, report
from trainers import config as config_checks
from trainers import program
from trainers import workdir as workdirs
from zoo.errors import RequestError
from zoo.files import check_writable
from zoo.options import one_of
from zoo.pretrained import index

#: Folder of the runs, in the commands that the index tells whatever the folder was: theirs name no path of a machine.
_RUNS = "runs/zoo"


class Model:
    """A model of configs/zoo.py, and how far its run is; the latter is read from disk each time.

    Args:
        name: DATA/METHOD.
        runs: folder of the runs.
    """

    def __init__(self, name, runs=_RUNS):
        self.name, self.workdir = name, os.path.join(runs, name.replace("/", "_"))

    @property
    def arguments(self):
        """The command-line arguments of `trainers.train`, a list."""
        return [f"--config={RECIPES[self.name]}", f"--workdir={self.workdir}"]

    @functools.cached_property
    def config(self):
        """The ml_collections.ConfigDict of the recipe. Raises RequestError where its file cannot be read."""
        try:
            return config_checks.ConfigFile().parse(RECIPES[self.name])
        except ValueError as error:
            raise RequestError(f"configs/zoo.py, {self.name}: {RECIPES[self.name]}: {error}") from error

    @property
    def step(self):
        """Step of the newest checkpoint, 0 without one."""
        return max(workdirs.checkpoint_steps(os.path.join(self.workdir, "checkpoints")), default=0)

    @property
    def steps_left(self):
        """Steps to the last one of the config."""
        return max(self.config.train.steps - self.step, 0)

    @property
    def reported(self):
        """Whether there is a report of the newest step."""
        return report.step(os.path.join(self.workdir, "report")) == self.step

    @property
    def state(self):
        """How far the run is, in words."""
        if not self.steps_left:
            return f"trained, {'evaluated' if self.reported else 'not evaluated'}"
        return f"trained to step {self.step:,} of {self.config.train.steps:,}" if self.step else "missing"

    @property
    def seconds_per_step(self):
        """The run's mean time of a step as its metrics.jsonl tells it, without pauses; None where it tells none."""
        speeds = [row.get("images_per_second") for row in workdirs.read_metrics(self.workdir)]
        speeds = [speed for speed in speeds if speed]
        if not speeds:
            return None
        config = workdirs.read_config(self.workdir)["config"]
        images = config["train"]["batch_size"] * config["dynamics_options"].get("critic_steps", 1)
        return images / statistics.harmonic_mean(speeds)

    def make(self, home):
        """Trains, evaluates and publishes to the folder `home`, as far as it is not done. Raises RunFailed."""
        recipe = " ".join(["python -m trainers.train", *Model(self.name).arguments])
        _run("trainers.train", *self.arguments)
        if not self.reported:
            _run("export.evaluate", f"--workdir={self.workdir}")
        _run(
            "export.publish",
            f"--workdir={self.workdir}",
            f"--name={self.name}",
            f"--recipe={recipe}",
            f"--home={home}",
        )


def _run(module, *arguments):
    """Runs one of our programs in a process of its own. Raises RunFailed unless its exit code is 0."""
    # A session of its own, so that Ctrl-C reaches it once, from here: a second signal would keep it from saving.
    process = subprocess.Popen([sys.executable, "-m", module, *arguments], start_new_session=True)
    if code := _wait(process):
        raise program.RunFailed(f"{module} ended with exit code {code}")


def _wait(process):
    """The exit code of a process; SIGINT and SIGTERM to this one reach it as SIGTERM, and it ends first."""
    try:
        return process.wait()
    except KeyboardInterrupt:
        process.terminate()
        _wait(process)
        raise


def time_left(models, measured):
    """The time that the training of `models` will take, in words: at the speed of each run so far, or else at the mean
    of the runs on the same data.

    Args:
        models: list of `Model`.
        measured: list of `Model` whose runs count.
    """
    seconds, guessed, unknown = 0.0, [], []
    for model in (model for model in models if model.steps_left):
        data, speed = os.path.dirname(model.name), model.seconds_per_step
        others = [other.seconds_per_step for other in measured if os.path.dirname(other.name) == data]
        others = [other for other in others if other]
        if speed is None and not others:
            unknown.append(model.name)
            continue
        if speed is None:
            guessed.append(model.name)
        seconds += model.steps_left * (speed or statistics.mean(others))
    if unknown and len(unknown) == len(models):
        return "training time left: unknown"
    told = f"training time left: about {tqdm.format_interval(seconds)}"
    if guessed:
        told += f" ({', '.join(guessed)} at the speed of others on its data)"
    return f"{told}, unknown for {', '.join(unknown)}" if unknown else told


def make(models, home, measured):
    """Makes the models that the index of a folder lacks, and tells before each what is left.

    Args:
        models: list of `Model`.
        home: folder of the index.
        measured: list of `Model` whose runs tell how long a step takes.

    Raises:
        RunFailed: some could not be made; the message names them with the reasons.
    """
    models = [model for model in models if model.name not in publish.published(home)]
    failed, able = {}, []
    for model in models:
        try:
            config_checks.check(model.config)
            able.append(model)
        except RequestError as error:
            failed.setdefault(f"{error}; see {RECIPES[model.name].partition(':')[0]}", []).append(model.name)
    for reason, names in failed.items():
        print(f"left out: {', '.join(names)} ({reason})", flush=True)
    for number, model in enumerate(able, 1):
        left = time_left(able[number - 1 :], measured)
        print(f"model {number} of {len(able)}, {model.name}: {model.state}; {left}", flush=True)
        try:
            model.make(home)
        except program.RunFailed as error:
            print(f"{model.name}: {error}", file=sys.stderr, flush=True)
            failed.setdefault(str(error), []).append(model.name)
    if failed:
        reasons = (f"{', '.join(names)} ({reason})" for reason, names in failed.items())
        raise program.RunFailed(f"not published: {'; '.join(reasons)}")
    print(f"{len(able)} made; the index of {home} has every model that was asked for")


def main(argv):
    del argv
    given = flags.FLAGS
    for name in given.models:
        one_of(*RECIPES).check(name, "--models")
    every = [Model(name, given.runs) for name in RECIPES]
    models = [model for model in every if model.name in (given.models or RECIPES)]
    if given.list:
        published, width = publish.published(given.home), max(map(len, RECIPES))
        for model in models:
            print(f"{model.name:{width}}  {'published' if model.name in published else model.state}")
        return
    check_writable(given.runs, "--runs")
    check_writable(given.home, "--home")
    make(models, given.home, measured=every)


def run():
    """Entry point."""
    flags.DEFINE_bool("list", False, "Print the models and how far each is, and end.")
    flags.DEFINE_list("models", [], "Names of the models to make, DATA/METHOD; all if empty.")
    flags.DEFINE_string("runs", _RUNS, "Folder of the runs; DATA_METHOD in it is a workdir.")
    flags.DEFINE_string("home", os.fspath(index.HOME), "Folder of the index and its models; the package's own.")
    program.run(main)


if __name__ == "__main__":
    run()
