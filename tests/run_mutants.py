"""Mutation tests: applies each patch of `mutants/` to a copy of this tree and runs the tests that it names.

python tests/run_mutants.py                              # all mutants, as `make mutants`
python tests/run_mutants.py --only='dynamics|penalties'  # mutants whose file or change matches this expression

A mutant is killed if a test fails or the tests take more than two minutes of a core; it survives if all pass. The tests
run once without a patch first, because a test that fails anyway kills nothing. Exit code: 0 if at least 95 % of the
mutants that are not equivalent die, 1 if fewer do, 2 if a patch does not apply or breaks more than a test.
"""

import argparse
import collections
import contextlib
import os
import pathlib
import re
import resource
import shlex
import shutil
import signal
import subprocess
import sys
import tempfile
import time

# Before TensorFlow is imported: the settings of tests/conftest.py, and no threads, because a fork would lose them.
os.environ.update(CUDA_VISIBLE_DEVICES="", TF_CPP_MIN_LOG_LEVEL="3", OPENBLAS_NUM_THREADS="1")

from mutants import every_mutant

ROOT = pathlib.Path(__file__).resolve().parent.parent
#: Share of the mutants that must die.
ENOUGH = 0.95
#: Limits of one run of tests in seconds of processor time, and of wall time, which means little on a busy machine.
LIMITS = 120, 1200


def misfits(mutants):
    """What keeps patches from being applied, a list of lines."""
    found = []
    for mutant in mutants:
        count = (ROOT / mutant.file).read_text().count(mutant.old) if (ROOT / mutant.file).exists() else 0
        if count != 1:
            found.append(f"{mutant}: {mutant.old!r} occurs {count} times, expected once")
        for path in mutant.tests.split():
            if path.startswith("tests/") and not (ROOT / path.split("::")[0]).exists():
                found.append(f"{mutant}: {path} is not there")
    return found


def snapshot(directory):
    """Copies what git tracks, or would, as it is in the working tree."""
    listed = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"]
    for name in subprocess.run(listed, cwd=ROOT, capture_output=True, text=True, check=True).stdout.split("\0"):
        if name and (ROOT / name).is_file():
            (directory / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, directory / name)


def start(tests, mutant, pristine, directory):
    """Runs `tests` in a copy of `pristine` with the patch of `mutant`, if any, in a process of its own: its id."""
    tree = directory / "tree"
    shutil.copytree(pristine, tree)
    if mutant:
        file = tree / mutant.file
        file.write_text(file.read_text().replace(mutant.old, mutant.new))
    process = os.fork()
    if process:
        return process
    try:
        os.setsid()  # What the tests start ends with them.
        resource.setrlimit(resource.RLIMIT_CPU, (LIMITS[0], LIMITS[0]))
        signal.alarm(LIMITS[1])
        output = os.open(directory / "output", os.O_CREAT | os.O_WRONLY)
        os.dup2(output, 1)
        os.dup2(output, 2)
        os.chdir(tree)
        os.environ.update(PYTHONPATH=str(tree), PYTHONDONTWRITEBYTECODE="1")
        sys.dont_write_bytecode = True
        sys.path[0] = str(tree)  # It was this script's folder.
        import pytest

        options = ["-x", "-q", "-p", "no:cacheprovider", f"--basetemp={directory / 'temporary'}"]
        os._exit(pytest.main([*options, *shlex.split(tests)]))
    finally:
        os._exit(70)


def ended(status):
    """What the exit status of tests says: "passed", "failed", "time out" or "broken"."""
    if os.WIFSIGNALED(status):
        return "time out" if os.WTERMSIG(status) in (signal.SIGALRM, signal.SIGXCPU, signal.SIGKILL) else "broken"
    return {0: "passed", 1: "failed"}.get(os.WEXITSTATUS(status), "broken")


def run(jobs, pristine, work, parallel):
    """Yields (job, how its tests ended, their output, seconds of a core), job a pair (tests, mutant or None)."""
    waiting, running = collections.deque(enumerate(jobs)), {}
    while waiting or running:
        while waiting and len(running) < parallel:
            number, job = waiting.popleft()
            directory = work / str(number)
            directory.mkdir()
            running[start(*job, pristine, directory)] = job, directory
        process, status, used = os.wait4(-1, 0)
        job, directory = running.pop(process)
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process, signal.SIGKILL)
        output = (directory / "output").read_text(errors="replace")
        yield job, ended(status), output, used.ru_utime + used.ru_stime
        shutil.rmtree(directory)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--only", default="", help="expression to find in a mutant's file or change")
    parser.add_argument("--jobs", type=int, default=2, help="test runs at a time")
    arguments = parser.parse_args()
    mutants = [mutant for mutant in every_mutant() if re.search(arguments.only, str(mutant))]
    if found := misfits(mutants):
        sys.exit("\n".join(found) + "\nA patch that no longer applies is a row of tests/mutants/ to bring up to date.")
    equivalent = [mutant for mutant in mutants if mutant.equivalent]
    mutants = [mutant for mutant in mutants if not mutant.equivalent]

    # Imported once, because each test run is a fork of this process. Not this package's modules, which get patched.
    import keras  # noqa: F401
    import pytest  # noqa: F401
    import scipy.optimize
    import scipy.stats  # noqa: F401
    import sklearn.datasets  # noqa: F401
    import tensorflow  # noqa: F401

    began, of_cores, survivors, troubles = time.monotonic(), 0.0, [], []
    with tempfile.TemporaryDirectory(prefix="mutants_") as work:
        work = pathlib.Path(work)
        snapshot(work / "pristine")
        work, pristine = work / "runs", work / "pristine"
        for part, jobs in (
            ("unpatched", [(tests, None) for tests in dict.fromkeys(mutant.tests for mutant in mutants)]),
            ("mutants", [(mutant.tests, mutant) for mutant in mutants]),
        ):
            (work / part).mkdir(parents=True)
            for (tests, mutant), end, output, seconds in run(jobs, pristine, work / part, arguments.jobs):
                of_cores += seconds
                expected = ("failed", "time out") if mutant else ("passed",)
                verdict = {"failed": "killed", "time out": "killed (time out)", "passed": "SURVIVED"}.get(end, end)
                print(f"{verdict if mutant else end:10} {seconds:5.1f} s  {mutant or tests}", flush=True)
                if mutant and end == "passed":
                    survivors.append(mutant)
                elif end not in expected:
                    troubles.append(mutant or tests)
                    print(output[-3_000:], flush=True)
            if troubles:
                break
    if troubles:
        print(f"{len(troubles)} did not end in a verdict: tests that fail unpatched, or a patch that breaks the import")
        sys.exit(2)
    killed = len(mutants) - len(survivors)
    for mutant in survivors:
        print(f"survived: {mutant}")
    for mutant in equivalent:
        print(f"equivalent, not run: {mutant}: {mutant.equivalent}")
    print(
        f"{killed} of {len(mutants)} mutants killed, {killed / max(1, len(mutants)):.1%}, "
        f"in {(time.monotonic() - began) / 60:.0f} minutes, {of_cores / 60:.0f} of a core"
    )
    sys.exit(killed < ENOUGH * len(mutants))


if __name__ == "__main__":
    main()
