"""Checks of TF_CONFIG, and how workers wait for each other; their training is in test_multi_worker.py."""

import json
import socket
import threading

import pytest
import tensorflow as tf

from trainers import strategies, workers
from trainers.program import RunFailed
from zoo.errors import RequestError

TWO = {"worker": ["a:1", "b:2"]}


@pytest.mark.parametrize(
    "given, expected",
    [
        ({}, ([], 0)),
        ({"cluster": TWO, "task": {"type": "worker", "index": 1}}, (["a:1", "b:2"], 1)),
        ({"cluster": {**TWO, "chief": ["c:3"]}, "task": {"type": "worker", "index": 0}}, (["c:3", "a:1", "b:2"], 1)),
        ({"cluster": {**TWO, "chief": ["c:3"]}, "task": {"type": "chief", "index": 0}}, (["c:3", "a:1", "b:2"], 0)),
    ],
)
def test_the_workers_are_those_of_tf_config(given, expected, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", json.dumps(given))
    assert workers.cluster() == expected
    for name in ("auto", "multi_worker") if expected[0] else ("auto",):
        strategies.check(name)
        assert strategies.writes(name) == (expected[1] == 0)


@pytest.mark.parametrize(
    "given, message",
    [
        ("{", "TF_CONFIG: expected a JSON object that names the workers"),
        ("[]", "TF_CONFIG: expected a JSON object"),
        ('{"cluster": {"worker": 3}}', "TF_CONFIG: expected a JSON object"),
        (json.dumps({"cluster": TWO}), r"TF_CONFIG: task \{\}; expected a type and an index, worker 0 to 1"),
        (json.dumps({"cluster": TWO, "task": {"type": "worker"}}), "expected a type and an index"),
        (
            json.dumps({"cluster": TWO, "task": {"type": "worker", "index": 2}}),
            r'"index": 2\}; expected .* worker 0 to 1',
        ),
        (json.dumps({"cluster": TWO, "task": {"type": "worker", "index": -1}}), r'"index": -1\}; expected'),
        (json.dumps({"cluster": TWO, "task": {"type": "worker", "index": "0"}}), r'"index": "0"\}; expected'),
        (json.dumps({"cluster": TWO, "task": {"type": "chief", "index": 0}}), r'"chief", "index": 0\}; expected'),
        (json.dumps({"cluster": {"worker": ["a", "b:2"]}}), "TF_CONFIG: worker 'a'; expected HOST:PORT"),
    ],
)
def test_a_tf_config_that_names_no_such_worker_is_refused(given, message, monkeypatch):
    monkeypatch.setenv("TF_CONFIG", given)
    for name in ("auto", "multi_worker"):
        with pytest.raises(RequestError, match=message) as caught:
            strategies.check(name)
        assert "\n" not in str(caught.value)


@pytest.fixture
def addresses():
    """Three addresses on this machine that nobody uses."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(3)]
    found = [f"localhost:{one.getsockname()[1]}" for one in sockets]
    for one in sockets:
        one.close()
    return found


def test_workers_wait_for_the_last_and_say_for_whom(addresses, monkeypatch):
    told, absent_was_named = [], threading.Event()

    def info(message, *args):
        told.append(message % args)
        if told[-1] == f"Waiting for 1 of 3 workers: {addresses[2]}":
            absent_was_named.set()

    monkeypatch.setattr(workers.logging, "info", info)
    monkeypatch.setattr(workers, "_SECONDS_BETWEEN_LINES", 0.1)
    came, all_came = [threading.Event() for _ in range(3)], threading.Event()

    def work(index):
        workers.wait(addresses, index)
        # Like TensorFlow: a worker that has seen the others listens at the same address from then on.
        with socket.create_server(("", int(addresses[index].rpartition(":")[2]))):
            came[index].set()
            all_came.wait(20.0)

    waiting = [threading.Thread(target=work, args=(index,), daemon=True) for index in range(3)]
    for one in waiting[:2]:
        one.start()
    assert absent_was_named.wait(20.0)
    # The worker closes every connection at once, so that connections cannot fill the accept queue.
    with socket.create_connection(("localhost", int(addresses[0].rpartition(":")[2])), timeout=20.0) as call:
        assert call.recv(1) == b""
    assert not any(one.is_set() for one in came)
    waiting[2].start()
    assert all(one.wait(20.0) for one in came)
    all_came.set()


def test_a_worker_whose_port_is_taken_is_told(addresses):
    told = f"TF_CONFIG: worker {addresses[0]}: the port cannot be used"
    with socket.create_server(("", int(addresses[0].rpartition(":")[2]))), pytest.raises(RequestError, match=told):
        workers.wait(addresses, 0)


def test_one_worker_alone_waits_for_nobody(addresses):
    # It does not listen either: its port is in use here.
    with socket.create_server(("", int(addresses[0].rpartition(":")[2]))):
        workers.wait(addresses[:1], 0)


def test_a_worker_that_is_gone_ends_the_others_in_one_line(monkeypatch):
    gone = tf.errors.UnavailableError(None, None, "{{node CollectiveReduceV2}} heartbeat\ntimeout")
    with pytest.raises(tf.errors.UnavailableError), workers.loss_told(tf.distribute.get_strategy()):
        raise gone
    monkeypatch.setattr(workers, "are_several", lambda strategy: True)
    message = "another worker of TF_CONFIG ended or is out of reach"
    with pytest.raises(RunFailed, match=message) as caught, workers.loss_told(None):
        raise gone
    assert caught.value.code == 1 and "\n" not in str(caught.value)
