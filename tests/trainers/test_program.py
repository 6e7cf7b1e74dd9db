"""Wrong requests to the training program: exit code 2, one line, no TensorFlow, nothing left on disk. And how
programs end on a signal or a full disk."""

import errno
import logging
import os
import pathlib
import re
import resource
import signal
import subprocess
import sys

import pytest

from trainers import program
from zoo.errors import RequestError

ROOT = pathlib.Path(__file__).parents[2]
RING, DIGITS = "--config=configs/ring.py", "--config=configs/digits.py"

#: Arguments, and text that the error line must contain. HERE stands for a temporary directory of the test.
WRONG = {
    "no config": (["--workdir=HERE/run"], ["--config: missing"]),
    "no workdir": ([RING], ["--workdir: missing"]),
    "config file that is not there": (["--config=configs/rnig.py", "--workdir=HERE/run"], ["configs/rnig.py"]),
    "config file that is no Python": (
        ["--config=HERE/file", "--workdir=HERE/run"],
        ["--config=HERE/file: HERE/file, line 1: SyntaxError: invalid syntax"],
    ),
    "empty workdir": ([RING, "--workdir="], ["--workdir: missing"]),
    "a plus sign with nothing behind": ([f"{RING}:minimax+", "--workdir=HERE/run"], ["config.dynamics: ''"]),
    "unknown objective": (
        [f"{RING}:wassertein", "--workdir=HERE/run"],
        ["config.objective: 'wassertein'; did you mean", "'wasserstein'", "'wasserstein_gp'"],
    ),
    "unknown model to start from": (
        [RING, "--init_from=zoo:ring/unroled", "--workdir=HERE/run"],
        ["config.init_from: 'ring/unroled'; did you mean 'ring/unrolled'"],
    ),
    "unknown dynamics": (
        [RING, "--config.dynamics=alternate", "--workdir=HERE/run"],
        ["config.dynamics: 'alternate'; did you mean", "'alternating'"],
    ),
    "unknown key": (
        [RING, "--config.train.stpes=5", "--workdir=HERE/run"],
        ["config.train.stpes: no such key; did you mean train.steps"],
    ),
    "unknown option of the objective": (
        [RING, "--config.objective_options.clp=1.0", "--workdir=HERE/run"],
        ["config.objective_options.clp: no option of non_saturating, which takes real_label"],
    ),
    "unknown group of keys": ([RING, "--config.trian.steps=5", "--workdir=HERE/run"], ["trian", "no such key"]),
    "wrong type": ([RING, "--config.train.steps=many", "--workdir=HERE/run"], ["train.steps", "many"]),
    "value out of range": (
        [RING, "--config.train.steps=0", "--workdir=HERE/run"],
        ["config.train.steps: 0; expected a whole number, 1 to"],
    ),
    "unknown flag": ([RING, "--wrokdir=HERE/run"], ["wrokdir"]),
    "an argument that is no flag": ([RING, "--workdir=HERE/run", "now"], ["'now': this program takes flags only"]),
    "unknown strategy": ([RING, "--workdir=HERE/run", "--strategy=mirored"], ["--strategy: 'mirored'", "mirrored"]),
    "no workers in TF_CONFIG": (
        [RING, "--workdir=HERE/run", "--strategy=multi_worker"],
        ["--strategy: multi_worker", "TF_CONFIG"],
    ),
    "data directory that is not there": (
        ["--config=configs/fashion_mnist.py", "--config.data.source=idx:HERE/nowhere", "--workdir=HERE/run"],
        ["HERE/nowhere"],
    ),
    "folder without images": (
        ["--config=configs/folder.py", "--config.data.source=folder:HERE/empty", "--workdir=HERE/run"],
        ["HERE/empty"],
    ),
    "unknown data": ([RING, "--config.data.source=rign", "--workdir=HERE/run"], ["'rign'", "ring"]),
    "batch that the replicas cannot share": (
        [RING, "--logical_cpus=3", "--workdir=HERE/run"],
        ["config.train.batch_size: 128; expected a multiple of the 3 replicas"],
    ),
    "image size that the networks cannot make": (
        [DIGITS, "--config.data.image_size=30", "--workdir=HERE/run"],
        ["30x30 pixels", "8, 16, 28, 32, 64, 128"],
    ),
    "points for convolutions": (
        [DIGITS, "--config.data.source=ring", "--workdir=HERE/run"],
        ["(2,) are not images"],
    ),
    "workdir below a file": ([RING, "--workdir=HERE/file/run"], ["--workdir: HERE/file/run cannot be written"]),
    "workdir that is a file": ([RING, "--workdir=HERE/file"], ["--workdir: HERE/file cannot be written"]),
    "workdir of another config": (
        [RING, "--workdir=HERE/other", "--config.seed=7"],
        ["--workdir: HERE/other holds a run of another config", "seed (there 0, asked 7)"],
    ),
    "normalisation that does not exist": (
        [DIGITS, "--config.critic.normalization=bacth", "--workdir=HERE/run"],
        ["config.critic.normalization: 'bacth'; did you mean 'batch'"],
    ),
}
#: Requests that are wrong for a class or for a run that it made, and refused once TensorFlow is imported.
OF_CLASSES = ("unknown option of the objective", "workdir of another config", "normalisation that does not exist")


@pytest.fixture
def here(tmp_path):
    """A directory with what the wrong requests need, and modules that give away an import of TensorFlow."""
    import json

    from configs import ring

    (tmp_path / "file").write_text("not a directory")
    (tmp_path / "empty").mkdir()
    (tmp_path / "other").mkdir()
    held = {"config": json.loads(ring.get_config().to_json_best_effort()), "data_shape": [2]}
    (tmp_path / "other" / "config.json").write_text(json.dumps(held))
    (tmp_path / "guard").mkdir()
    for name in ("tensorflow", "keras"):
        (tmp_path / "guard" / f"{name}.py").write_text(f"raise SystemExit('imported {name}')\n")
    return tmp_path


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_request_is_refused_in_one_line(case, here):
    arguments, expected = WRONG[case]
    before = sorted(here.rglob("*"))
    environment = {**os.environ, "PYTHONDONTWRITEBYTECODE": "1"}
    if case not in OF_CLASSES:
        environment["PYTHONPATH"] = str(here / "guard")
    environment.pop("TF_CONFIG", None)
    spent = resource.getrusage(resource.RUSAGE_CHILDREN)
    done = subprocess.run(
        [sys.executable, "-m", "trainers.train", *(argument.replace("HERE", str(here)) for argument in arguments)],
        cwd=ROOT,
        env=environment,
        capture_output=True,
        text=True,
    )
    spending = resource.getrusage(resource.RUSAGE_CHILDREN)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("train.py: ")
    for text in expected:
        assert text.replace("HERE", str(here)) in done.stderr
    assert sorted(here.rglob("*")) == before
    # Processor time, which a busy machine does not stretch; TensorFlow's import alone takes longer.
    seconds = spending.ru_utime + spending.ru_stime - spent.ru_utime - spent.ru_stime
    assert seconds < 3.0 or case in OF_CLASSES


@pytest.mark.parametrize("flag", ["--help", "--helpfull"])
def test_help_is_no_error(flag):
    done = subprocess.run([sys.executable, "-m", "trainers.train", flag], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0 and "--workdir" in done.stdout and done.stderr == ""


def no_room_in_tensorflow():
    import tensorflow as tf

    where = "{{function_node __wrapped__SaveV2_device_/job:localhost}} /disk/run/weights.index; "
    raise tf.errors.ResourceExhaustedError(None, None, f"{where}No space left on device [Op:SaveV2]")


def no_room_in_python():
    raise OSError(errno.ENOSPC, "No space left on device", "/disk/run/metrics.jsonl")


def no_memory_in_tensorflow():
    import tensorflow as tf

    where = "{{function_node __wrapped__Mul_device_/job:localhost}} "
    asked = "OOM when allocating tensor with shape[9,128] and type float on /job:localhost by allocator cpu [Op:Mul]"
    raise tf.errors.ResourceExhaustedError(None, None, where + asked)


def no_memory_in_python():
    raise MemoryError("Unable to allocate 8.00 GiB for an array")


def ask_wrongly():
    raise RequestError("a value, as a library\n\ttells of it")


def press_ctrl_c():
    os.kill(os.getpid(), signal.SIGINT)


def terminate():
    os.kill(os.getpid(), signal.SIGTERM)


@pytest.fixture
def usual_signals():
    """Signals as a program finds them. A shell starts what runs in the background with Ctrl-C ignored."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler), signal.getsignal(signal.SIGTERM)
    yield
    signal.signal(signal.SIGINT, before[0])
    signal.signal(signal.SIGTERM, before[1])


@pytest.mark.parametrize(
    "happen, code, line",
    [
        (no_room_in_tensorflow, 1, "the disk is full (/disk/run/weights.index); what was finished before is whole"),
        (no_room_in_python, 1, "the disk is full (/disk/run/metrics.jsonl); what was finished before is whole"),
        (no_memory_in_tensorflow, 1, "out of memory; smaller networks and batches take less (OOM when allocating"),
        (no_memory_in_python, 1, "out of memory; smaller networks and batches take less (Unable to allocate"),
        (ask_wrongly, 2, "a value, as a library tells of it"),
        (press_ctrl_c, 130, "SIGINT: stopped before the end"),
        (terminate, 143, "SIGTERM: stopped before the end"),
    ],
)
def test_what_ends_a_program_early_is_told_in_one_line(happen, code, line, monkeypatch, capsys, usual_signals):
    monkeypatch.setattr(sys, "argv", ["anything.py"])
    cleaned = []

    def main(argv):
        try:
            happen()
        finally:
            cleaned.append(happen)

    with pytest.raises(SystemExit) as ended:
        program.run(main)
    assert ended.value.code == code and cleaned == [happen]
    told = capsys.readouterr().err
    assert told.startswith(f"anything.py: {line}") and len(told.splitlines()) == 1


def test_what_nobody_foresaw_keeps_its_traceback(monkeypatch, usual_signals):
    monkeypatch.setattr(sys, "argv", ["anything.py"])
    with pytest.raises(ZeroDivisionError):
        program.run(lambda argv: 1 // 0)


@pytest.mark.parametrize(
    "line, gpu, kept",
    [
        ("WARNING: All log messages before absl::InitializeLog() is called are written to STDERR", True, False),
        ("I0000 00:00:1795416961.907554    9108 port.cc:153] oneDNN custom operations are on.", True, False),
        ("E0000 00:00:1795416962.757724    9108 cuda_platform.cc:52] failed call to cuInit: INTERNAL", False, False),
        ("E0000 00:00:1795416962.757724    9108 cuda_platform.cc:52] failed call to cuInit: INTERNAL", True, True),
        ("W0000 00:00:1795416962.757724    9108 gpu_device.cc:2365] Cannot dlopen some GPU libraries.", True, True),
        ("F0000 00:00:1795416962.757724    9108 cpu_feature_guard.cc:38] compiled to use AVX512F", False, True),
        ("Traceback (most recent call last):", False, True),
    ],
)
def test_lines_of_tensorflows_log_that_nobody_can_act_on_are_hidden(line, gpu, kept):
    hidden = re.compile("|".join(program.hidden_lines(gpu)))
    assert (hidden.search(line) is None) == kept


def test_what_is_written_while_tensorflow_loads_passes_through_even_if_that_crashes(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import os\n"
        "os.write(2, b'I0000 00:00:1.2 port.cc:1] hidden\\nF0000 00:00:1.2 guard.cc:1] the last words\\n')\n"
        "os.abort()\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "2"}
    code = "from trainers import program; program.start_tensorflow()"
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == -signal.SIGABRT and done.stderr == "F0000 00:00:1.2 guard.cc:1] the last words\n"


def test_tensorflow_is_imported_where_the_interpreter_cannot_be_started_again(tmp_path):
    code = "import sys; sys.executable = '/proc/version'; from trainers import program; program.start_tensorflow()"
    (tmp_path / "tensorflow.py").write_text(
        "import logging, types\n"
        "config = types.SimpleNamespace(list_physical_devices=lambda: print('imported'))\n"
        "get_logger = lambda: logging.getLogger('tensorflow')\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "2"}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert (done.returncode, done.stdout, done.stderr) == (0, "imported\n", "")


def test_warnings_of_tensorflows_python_code_are_hidden(tmp_path):
    (tmp_path / "tensorflow.py").write_text(
        "import logging, types\n"
        "config = types.SimpleNamespace(list_physical_devices=list)\n"
        "get_logger = lambda: logging.getLogger('tensorflow')\n"
    )
    environment = {**os.environ, "PYTHONPATH": f"{tmp_path}{os.pathsep}{ROOT}", "TF_CPP_MIN_LOG_LEVEL": "2"}
    code = (
        "from trainers import program; program.start_tensorflow()\n"
        "import logging; log = logging.getLogger('tensorflow'); log.warning('deprecated'); log.error('broken')"
    )
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, cwd=tmp_path)
    assert done.returncode == 0 and done.stderr == "broken\n"


@pytest.mark.parametrize(
    "request_of",
    [
        f"trainers.train {RING} --workdir=HERE/new",
        "export.evaluate --workdir=HERE/other",
        "export.saved_model --workdir=HERE/other --model_base_path=HERE/models",
        "export.sample --saved_model=HERE/model/1 --out=HERE/x.npy",
        "export.sample --server=localhost:1 --model=any --out=HERE/x.npy",
        "export.metrics.train_classifier --data=digits --out=HERE/weights",
        "export.serving.server --model_base_path=HERE/model --port=0 --rest_api_port=1",
        "export.serving.config --model_base_path=HERE/model --model_name=any --out=HERE/serving",
    ],
)
def test_every_program_leaves_out_what_tensorflow_prints_as_it_loads(request_of, here):
    (here / "other" / "checkpoints" / "step_00000001").mkdir(parents=True)
    (here / "model" / "1").mkdir(parents=True)
    (here / "model" / "1" / "saved_model.pb").write_bytes(b"")
    (here / "guard" / "tensorflow.py").write_text(
        "import os\nos.write(2, b'I0000 00:00:1.2 port.cc:1]\\n')\nos._exit(7)"
    )
    environment = {**os.environ, "PYTHONPATH": f"{here / 'guard'}{os.pathsep}{ROOT}"}
    del environment["TF_CPP_MIN_LOG_LEVEL"]
    command = [sys.executable, "-m", *request_of.replace("HERE", str(here)).split()]
    done = subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
    assert (done.returncode, done.stdout, done.stderr) == (7, "", "")


@pytest.mark.parametrize(
    "path, level, kept",
    [
        (program.__file__, logging.INFO, True),
        ("/site-packages/matplotlib/font_manager.py", logging.INFO, False),
        ("/site-packages/matplotlib/font_manager.py", logging.WARNING, True),
    ],
)
def test_other_libraries_are_heard_from_warnings_on(path, level, kept):
    assert program._is_worth_a_line(logging.LogRecord("any", level, path, 1, "", (), None)) == kept
