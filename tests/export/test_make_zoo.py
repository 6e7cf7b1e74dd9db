"""`make zoo`: what it does of what is left, in which order, and what it says."""

import json
import os
import pathlib
import signal
import subprocess
import sys
import time

import pytest

from configs.zoo import RECIPES
from export import make_zoo, publish
from trainers import config as config_checks
from trainers import dynamics, objectives, program
from zoo import pretrained
from zoo.pretrained import index

ROOT = pathlib.Path(__file__).parents[2]
TINY = """
from configs import ring

def get_config(variant="minimax"):
    config = ring.get_config(variant)
    config.train.update(batch_size=50, steps=2, steps_per_execution=1, checkpoint_every=1, log_every=1)
    return config
"""
#: Another data set, which no machine has.
NO_DATA = TINY.replace("    return", "    config.data.source = 'idx:/nowhere'\n    return")


@pytest.fixture
def models(tmp_path, monkeypatch):
    """Two models of two steps and one without data, in an empty directory, which is the current one."""
    (tmp_path / "tiny.py").write_text(TINY)
    (tmp_path / "no_data.py").write_text(NO_DATA)
    table = {"ring/a": "tiny.py", "ring/b": "tiny.py:wasserstein", "none/c": "no_data.py"}
    monkeypatch.setattr(make_zoo, "RECIPES", table)
    monkeypatch.setenv("PYTHONPATH", os.fspath(ROOT))
    monkeypatch.chdir(tmp_path)
    return [make_zoo.Model(name, "runs") for name in table]


class Runner:
    """In the place of the three programs: leaves the files that tell how far they were, and notes the calls.

    Attributes:
        calls: the programs that ran, "train a" for `trainers.train` on the workdir of a.
        failing: those that end with exit code 3; a value that is an exception is raised.
    """

    def __init__(self):
        self.calls, self.failing = [], {}

    def __call__(self, module, *arguments):
        given = dict(argument.removeprefix("--").split("=", 1) for argument in arguments)
        workdir = pathlib.Path(given["workdir"])
        call = f"{module.rpartition('.')[2]} {workdir.name[-1]}"
        self.calls.append(call)
        if call in self.failing:
            raise self.failing[call]
        if module == "trainers.train":
            (workdir / "checkpoints" / "step_00000002").mkdir(parents=True, exist_ok=True)
        elif module == "export.evaluate":
            (workdir / "report").mkdir(exist_ok=True)
            (workdir / "report" / "report.json").write_text(json.dumps({"generator": {"step": 2}}))
        else:
            home = pathlib.Path(given["home"])
            home.mkdir(exist_ok=True)
            entries = {**publish.published(home), given["name"]: index.read()["ring/mixture"]}
            (home / "index.json").write_bytes(index.dump(entries))


@pytest.fixture
def runner(monkeypatch):
    runner = Runner()
    monkeypatch.setattr(make_zoo, "_run", runner)
    return runner


def make(models):
    return make_zoo.make(models, "home", models)


def test_a_model_is_made_by_the_programs_and_a_second_pass_does_nothing(models, tmp_path, monkeypatch, capfd):
    run, called = make_zoo._run, []

    def with_few_samples(module, *arguments):
        called.append(module)
        run(module, *arguments, *["--num_samples=20", "--quick"] * (module == "export.evaluate"))

    monkeypatch.setattr(make_zoo, "_run", with_few_samples)
    (model, *_) = models
    assert model.state == "missing"
    make([model])
    assert called == ["trainers.train", "export.evaluate", "export.publish"]
    assert model.state == "trained, evaluated" and model.seconds_per_step > 0
    assert "model 1 of 1, ring/a: missing; training time left: unknown\n" in capfd.readouterr().out
    (name, entry), *_ = index.read("home").items()
    assert (name, entry["recipe"]) == (
        "ring/a",
        "python -m trainers.train --config=tiny.py --workdir=runs/zoo/ring_a",
    )
    version = pretrained.locate("ring/a", home="home")
    assert not [path for path in version.rglob("*") if path.is_file() and bytes(tmp_path) in path.read_bytes()]
    make([model])
    assert len(called) == 3
    assert capfd.readouterr().out == "0 made; the index of home has every model that was asked for\n"


def test_a_stopped_pass_goes_on_with_what_is_not_done(models, runner):
    first, second, _ = models
    runner.failing = {"evaluate a": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        make([first, second])
    assert (first.state, second.state) == ("trained, not evaluated", "missing")
    runner.calls.clear()
    runner.failing = {"publish a": KeyboardInterrupt()}
    with pytest.raises(KeyboardInterrupt):
        make([first, second])
    # On a finished run the training program compares the config.
    assert runner.calls == ["train a", "evaluate a", "publish a"]
    runner.calls.clear()
    runner.failing = {}
    make([first, second])
    assert runner.calls == ["train a", "publish a", "train b", "evaluate b", "publish b"]
    assert list(index.read("home")) == ["ring/a", "ring/b"]
    make([first, second])
    assert len(runner.calls) == 5


def test_a_report_of_an_earlier_step_is_made_again(models, runner):
    (model, *_) = models
    folder = pathlib.Path(model.workdir)
    (folder / "checkpoints" / "step_00000001").mkdir(parents=True)
    (folder / "report").mkdir()
    (folder / "report" / "report.json").write_text(json.dumps({"generator": {"step": 1}}))
    assert model.state == "trained to step 1 of 2" and model.reported
    make([model])
    assert runner.calls == ["train a", "evaluate a", "publish a"]


def test_models_that_cannot_be_made_are_named_with_their_reasons_and_stop_no_other(models, runner, capsys, monkeypatch):
    monkeypatch.setattr(make_zoo, "time_left", lambda left, measured: f"{len(left)} left")
    runner.failing = {"train a": program.RunFailed("trainers.train ended with exit code 3")}
    no_data = r"none/c \(data.source 'idx:/nowhere': no such directory; see no_data.py\)"
    with pytest.raises(program.RunFailed, match=rf"^not published: {no_data}; ring/a \(trainers.train ended with exit"):
        make(models)
    assert runner.calls == ["train a", "train b", "evaluate b", "publish b"]
    told = capsys.readouterr()
    assert told.out.startswith("left out: none/c (data.source 'idx:/nowhere': no such directory")
    assert told.out.endswith("model 1 of 2, ring/a: missing; 2 left\nmodel 2 of 2, ring/b: missing; 1 left\n")
    assert told.err == "ring/a: trainers.train ended with exit code 3\n"


def test_the_time_left_is_that_of_measured_runs_on_the_same_data(models):
    one, two, three = models

    def measure(model, speeds, step, critic_steps):
        folder = pathlib.Path(model.workdir)
        (folder / "checkpoints" / f"step_{step:08d}").mkdir(parents=True)
        config = {"train": {"batch_size": 50}, "dynamics_options": {"critic_steps": critic_steps}}
        text = {"schema_version": 3, "config": config, "data_shape": [2]}
        (folder / "config.json").write_text(json.dumps(text))
        rows = ({"step": 1 + row, "images_per_second": speed} for row, speed in enumerate(speeds))
        (folder / "metrics.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))

    for model in models:
        model.config.train.steps = 1000
    assert make_zoo.time_left(models, models) == "training time left: unknown"
    # Two logs that took 5 and 1 units of time: 300 images/s on the average, thus half a second for 150 images.
    measure(one, [180.0, 900.0], 600, 3)
    assert one.seconds_per_step == pytest.approx(0.5)
    # 400 steps of its own, and 1,000 at the same speed.
    told = "training time left: about 11:40 (ring/b at the speed of others on its data), unknown for none/c"
    assert make_zoo.time_left(models, models) == told
    measure(two, [250.0], 900, 5)
    assert make_zoo.time_left([one, two], models) == "training time left: about 05:00"
    assert make_zoo.time_left([three], models) == "training time left: unknown"


#: A program that notes how many signals arrive in the second after the first.
CHILD = """
import pathlib, signal, sys, time
arrived = []
for signum in (signal.SIGINT, signal.SIGTERM):
    signal.signal(signum, lambda signum, frame: arrived.append(signum))
pathlib.Path("ready").touch()
end = time.monotonic() + 30
while not arrived and time.monotonic() < end:
    time.sleep(0.01)
end = time.monotonic() + 1
while time.monotonic() < end:
    time.sleep(0.01)
pathlib.Path("saved").write_text(str(len(arrived)))
"""


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_reaches_the_running_program_once_and_waits_for_it(signum, tmp_path):
    (tmp_path / "child.py").write_text(CHILD)
    # Where this process is in the background of a shell, SIGINT is ignored, and what it starts inherits that.
    code = "import signal; signal.signal(signal.SIGINT, signal.default_int_handler)\n"
    code += "from export import make_zoo; make_zoo.program.run(lambda argv: make_zoo._run('child'))"
    environment = {**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{tmp_path}"}
    command = [sys.executable, "-c", code]
    options = {"cwd": tmp_path, "env": environment, "start_new_session": True}
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True, **options) as process:
        end = time.monotonic() + 60
        while not (tmp_path / "ready").exists():
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.01)
        # A terminal's Ctrl-C goes to every process of its group.
        os.killpg(process.pid, signum)
        try:
            process.wait(timeout=20)
            saved = (tmp_path / "saved").read_text()
        finally:
            process.kill()
        errors = process.stderr.read()
    assert process.returncode == 128 + signum and saved == "1"
    assert errors == f"-c: {signum.name}: stopped before the end\n"


def test_an_exit_code_is_told(models, tmp_path):
    with pytest.raises(program.RunFailed, match=r"^export\.publish ended with exit code 2$"):
        make_zoo._run("export.publish", "--workdir=nowhere")


@pytest.mark.parametrize("name", RECIPES)
def test_every_recipe_is_a_config_whose_methods_are_known(name, monkeypatch):
    monkeypatch.chdir(ROOT)
    config = make_zoo.Model(name).config
    objectives.METHODS.check(config.objective)
    dynamics.METHODS.check(config.dynamics)
    assert publish._NAME.fullmatch(name)
    assert pathlib.Path(RECIPES[name].partition(":")[0]).stem == os.path.dirname(name)
    if "fashion_mnist" not in name:
        config_checks.check(config)


def test_the_list_tells_how_far_each_model_is(tmp_path):
    command = [sys.executable, "-m", "export.make_zoo", "--list", f"--runs={tmp_path}"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    rows = dict(line.split(maxsplit=1) for line in done.stdout.splitlines())
    assert rows == {name: "published" if name in index.read() else "missing" for name in RECIPES}


def test_a_name_that_is_no_model_of_the_table_is_refused_in_one_line():
    command = [sys.executable, "-m", "export.make_zoo", "--models=ring/mixtures"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert done.returncode == 2
    assert done.stderr.startswith("make_zoo.py: --models: 'ring/mixtures'; did you mean 'ring/mixture'")
    assert done.stderr.count("\n") == 1
