"""The lock of a workdir: one holder at a time, and none after a kill."""

import errno
import fcntl
import os
import pathlib
import re
import signal
import socket
import subprocess
import sys

import pytest

from trainers import lock
from zoo.errors import RequestError

ROOT = pathlib.Path(__file__).parents[2]

HOLDER = """
import sys, time
from trainers import lock
with lock.held(sys.argv[1]):
    print("held", flush=True)
    time.sleep(60)
"""


def test_a_second_process_is_refused_by_name_until_the_first_is_killed(tmp_path):
    holder = subprocess.Popen([sys.executable, "-c", HOLDER, tmp_path], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout.readline() == "held\n"
        named = f"process {holder.pid} on {re.escape(socket.gethostname())} since 20"
        for ask in (lambda: lock.check_free(tmp_path), lambda: lock.held(tmp_path).__enter__()):
            with pytest.raises(RequestError, match=f"--workdir: {tmp_path} is being trained in by {named}") as caught:
                ask()
            assert "\n" not in str(caught.value)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.wait()
    assert [path.name for path in tmp_path.iterdir()] == ["lock"]
    lock.check_free(tmp_path)
    with lock.held(tmp_path):
        assert f"process {os.getpid()} on" in (tmp_path / "lock").read_text()
    assert list(tmp_path.iterdir()) == []


def test_whoever_looks_leaves_nothing_and_does_not_hold_it(tmp_path):
    lock.check_free(tmp_path / "nowhere")
    lock.check_free(tmp_path)
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "lock").write_text("process 1 on a host that is gone")
    lock.check_free(tmp_path)
    with lock.held(tmp_path):
        pass


def test_the_lock_of_a_file_that_was_removed_meanwhile_counts_for_nothing(tmp_path, monkeypatch):
    take, taken = lock._take, []

    def take_after_the_former_holder(file, kind):
        if not taken:
            (tmp_path / "lock").unlink()
        taken.append(file)
        return take(file, kind)

    monkeypatch.setattr(lock, "_take", take_after_the_former_holder)
    with lock.held(tmp_path):
        monkeypatch.undo()
        assert len(taken) == 2
        with pytest.raises(RequestError):
            lock.check_free(tmp_path)


def test_a_file_system_without_locks_is_warned_about_and_trained_on(tmp_path, monkeypatch):
    told = []

    def flock(file, kind):
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(fcntl, "flock", flock)
    monkeypatch.setattr(lock.logging, "warning", lambda message, *args: told.append(message % args))
    with lock.held(tmp_path):
        pass
    assert told == [f"{tmp_path}/lock cannot be locked (No locks available); let one process at a time train there"]


def test_object_stores_are_not_locked():
    with lock.held("gs://bucket/run"):
        lock.check_free("gs://bucket/run")
