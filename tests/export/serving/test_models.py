"""Which versions are loaded, and when: policies, labels, broken versions, draining."""

import asyncio
import itertools
import os
import queue
import re
import shutil
import time
import types
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import served
import tensorflow as tf
from google.protobuf import text_format
from tensorflow.core.protobuf import meta_graph_pb2
from tensorflow_serving.apis import model_pb2, predict_pb2, prediction_log_pb2
from tensorflow_serving.config import model_server_config_pb2

from export.serving import models
from export.serving.batching import Parameters
from export.serving.errors import Code, ServingError
from export.serving.models import Manager, State, config_of_models
from export.serving.monitoring import Metrics
from export.serving.servable import Servable, Signature


@pytest.fixture(scope="module")
def four(tmp_path_factory):
    """Versions 1 to 4, to be copied."""
    base = tmp_path_factory.mktemp("numbered")
    for version in (1, 2, 3, 4):
        served.numbered(base / str(version), version)
    return base


@pytest.fixture
def base(four, tmp_path):
    """A folder with version 1, and a file and a folder that are no versions."""
    base = tmp_path / "numbered"
    shutil.copytree(four / "1", base / "1")
    (base / "7").write_text("no folder")
    (base / ".building-8").mkdir()
    return base


def config_of(base, text="", name="numbered"):
    entry = f'config {{ name: "{name}" base_path: "{base}" model_platform: "tensorflow" {text} }}'
    return text_format.Parse(f"model_config_list {{ {entry} }}", model_server_config_pb2.ModelServerConfig())


def states(manager, name="numbered"):
    return {version.number: version.state for version in manager.status(model_pb2.ModelSpec(name=name))}


async def ask(manager, spec=None):
    """The version that answers."""
    with manager.lease(spec or model_pb2.ModelSpec(name="numbered")) as version:
        x = np.ones([2], np.float32)
        answer = await version.run(version.servable.signature(""), {"x": x}, time.monotonic() + 30)
        assert answer["version"].tolist() == [version.number] * 2
        return version.number


async def unloaded(manager):
    await asyncio.gather(*manager._unloads)


def run(scenario, **options):
    async def whole():
        manager = Manager(**options)
        try:
            # Scenarios wait for an expected state, and fail at a timeout.
            return await asyncio.wait_for(scenario(manager), 60)
        finally:
            await manager.close()

    return asyncio.run(whole())


@pytest.mark.parametrize(
    ("policy", "numbers"),
    [
        ("", [4]),
        ("model_version_policy { latest { num_versions: 3 } }", [2, 3, 4]),
        ("model_version_policy { all {} }", [1, 2, 3, 4]),
        ("model_version_policy { specific { versions: 2 versions: 3 versions: 9 } }", [2, 3]),
    ],
)
def test_policies(four, policy, numbers):
    async def scenario(manager):
        await manager.reload(config_of(four, policy))
        assert states(manager) == dict.fromkeys(numbers, State.AVAILABLE)
        assert await ask(manager) == max(numbers)

    run(scenario)


@pytest.mark.parametrize(("threads", "together"), [(1, 1), (3, 3)])
def test_as_many_versions_load_at_the_same_time_as_there_are_threads(four, monkeypatch, threads, together):
    loading, most = [], []

    def load(*args):
        loading.append(args)
        most.append(len(loading))
        time.sleep(0.1)
        servable = Servable(*args)
        loading.pop()
        return servable

    monkeypatch.setattr(models, "Servable", load)

    async def scenario(manager):
        # Versions of one model, and versions of another.
        config = config_of(four, "model_version_policy { specific { versions: 1 versions: 2 } }")
        config.MergeFrom(config_of(four, name="other"))
        await manager.reload(config)
        assert states(manager) == dict.fromkeys([1, 2], State.AVAILABLE)
        for number in (1, 2):
            spec = model_pb2.ModelSpec(name="numbered")
            spec.version.value = number
            assert await ask(manager, spec) == number

    run(scenario, load_threads=threads)
    assert max(most) == together and len(most) == 3


def test_metrics_tell_of_runs_that_wait_and_forget_a_version_that_is_unloaded(base):
    metrics = Metrics()

    def waiting():
        return re.search(r'gan_zoo_serving_enqueued\{queue="run"\} (\S+)', metrics.page().decode())[1]

    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        with manager.lease(model_pb2.ModelSpec(name="numbered")) as version:
            slow, x = version.servable.signature("slow"), {"x": np.array([1e9], np.float32)}
            # The first occupies the one thread for a second.
            runs = [asyncio.ensure_future(version.run(slow, x, time.monotonic() + 1)) for _ in range(4)]
            await asyncio.sleep(0.1)
            assert waiting() == "3.0"
            runs[3].cancel()
            await asyncio.gather(*runs, return_exceptions=True)
            assert waiting() == "0.0"
        assert f'model_path="{base}/1"' in metrics.page().decode()
        shutil.rmtree(base / "1")
        await manager.poll()
        await unloaded(manager)
        assert str(base) not in metrics.page().decode()

    run(scenario, threads=1, metrics=metrics)


def test_a_new_version_takes_over_and_the_old_one_ends(base, four):
    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        with manager.lease(model_pb2.ModelSpec(name="numbered")) as old:
            shutil.copytree(four / "2", base / "2")
            await manager.poll()
            assert await ask(manager) == 2
            # A request still holds version 1: it is UNLOADING, not END.
            assert states(manager) == {2: State.AVAILABLE, 1: State.UNLOADING} and old.servable
        await unloaded(manager)
        assert states(manager) == {2: State.AVAILABLE, 1: State.END} and old.servable is None
        shutil.rmtree(base / "2")
        await manager.poll()
        await unloaded(manager)
        assert states(manager) == {2: State.END, 1: State.AVAILABLE} and await ask(manager) == 1
        assert manager.ready()
        shutil.rmtree(base / "1")
        await manager.poll()
        await unloaded(manager)
        assert not manager.ready()
        with pytest.raises(ServingError, match=r"Servable not found for request: Latest\(numbered\)"):
            await ask(manager)

    run(scenario)


def test_a_broken_version_never_replaces_a_good_one_and_is_loaded_once_it_is_whole(base, four):
    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        # As a slow copy looks: first a folder, then a file cut short, then all of it.
        (base / "3").mkdir()
        await manager.poll()
        assert states(manager) == {3: State.END, 1: State.AVAILABLE}
        broken = (four / "3" / "saved_model.pb").read_bytes()[:100]
        (base / "3" / "saved_model.pb").write_bytes(broken)
        await manager.poll()
        (entry, _) = manager.status(model_pb2.ModelSpec(name="numbered"))
        assert entry.state == State.END and entry.error.code is not Code.OK and entry.error.message
        assert await ask(manager) == 1
        shutil.copytree(four / "3", base / "3", dirs_exist_ok=True)
        await manager.poll()
        assert await ask(manager) == 3

    run(scenario)


def test_where_the_newest_cannot_be_loaded_a_start_serves_an_older_one(base, four):
    shutil.copytree(four / "2", base / "2")
    for broken in (3, 4):
        (base / str(broken)).mkdir()
        (base / str(broken) / "saved_model.pb").write_bytes(b"no model")

    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        assert states(manager) == {4: State.END, 3: State.END, 2: State.AVAILABLE}
        assert manager.ready() and await ask(manager) == 2
        shutil.copytree(four / "4", base / "4", dirs_exist_ok=True)
        await manager.poll()
        await unloaded(manager)
        assert states(manager) == {4: State.AVAILABLE, 3: State.END, 2: State.END}
        # The policy "specific" has no fallback to other versions.
        with pytest.raises(ServingError, match="did not become available"):
            await manager.reload(config_of(base, "model_version_policy { specific { versions: 3 } }", "other"))

    run(scenario)


@pytest.mark.parametrize(("failures", "tries", "state"), [(2, 3, State.AVAILABLE), (9, 3, State.END)])
def test_a_version_that_cannot_be_loaded_is_tried_again(base, four, monkeypatch, failures, tries, state):
    loads = []

    def load(path, runs):
        if path.endswith("2"):
            loads.append(time.monotonic())
            if len(loads) <= failures:
                raise OSError("the disk is away")
        return Servable(path, runs)

    monkeypatch.setattr(models, "Servable", load)
    monkeypatch.setattr(models, "give_back", lambda: None)  # which takes about as long as the pause between tries

    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        shutil.copytree(four / "2", base / "2")
        polling = asyncio.ensure_future(manager.poll_forever(0.02))
        while len(loads) < tries or states(manager).get(2) != state:
            await asyncio.sleep(0.02)
        await asyncio.sleep(0.5)
        polling.cancel()
        assert len(loads) == tries and all(later - earlier >= 0.2 for earlier, later in itertools.pairwise(loads))
        if state == State.END:
            # Other files are another version.
            (base / "2" / "saved_model.pb").touch()
            await manager.poll()
            assert len(loads) == tries + 1

    run(scenario, max_load_retries=2, load_retry_seconds=0.2)


@pytest.mark.parametrize(
    ("call", "error"),
    [
        ("listdir", tf.errors.PermissionDeniedError(None, None, "Permission denied")),
        ("stat", tf.errors.PermissionDeniedError(None, None, "Permission denied")),
        ("listdir", OSError("Permission denied")),
    ],
)
def test_a_folder_that_cannot_be_read_for_a_while_is_logged_counted_and_polled_again(
    base, four, monkeypatch, caplog, call, error
):
    def refuse(path):
        raise error

    async def scenario(manager):
        with monkeypatch.context() as unreadable:
            unreadable.setattr(tf.io.gfile, call, refuse)
            with pytest.raises((ServingError, OSError), match="Permission denied"):
                await manager.reload(config_of_models({"numbered": base}))
        await manager.reload(config_of_models({"numbered": base}))
        polling = asyncio.ensure_future(manager.poll_forever(0.02))
        with monkeypatch.context() as unreadable:
            unreadable.setattr(tf.io.gfile, call, refuse)
            await asyncio.sleep(0.3)
            assert await ask(manager) == 1 and manager.ready()
        shutil.copytree(four / "2", base / "2")
        while states(manager).get(2) != State.AVAILABLE or "can be looked for again" not in caplog.text:
            await asyncio.sleep(0.02)
            assert not polling.done()
        polling.cancel()

    metrics = Metrics()
    caplog.set_level("INFO", "absl")
    run(scenario, metrics=metrics)
    (count,) = re.findall(r'gan_zoo_serving_poll_errors_total{model_name="numbered"} (.*)', metrics.page().decode())
    assert float(count) > 1
    told = [record.getMessage() for record in caplog.records if "looked for" in record.getMessage()]
    assert len(told) == 2 and "Permission denied" in told[0] and told[1].endswith("can be looked for again")


def test_a_name_that_is_not_utf_8_is_told(base):
    try:
        (base / os.fsdecode(b"\xff")).touch()
    except OSError:
        pytest.skip("this file system takes no such name")

    async def scenario(manager):
        with pytest.raises(ServingError, match=r"numbered holds a name that is not UTF-8: b'\\xff'"):
            await manager.reload(config_of_models({"numbered": base}))

    run(scenario)


def _warmup(path, *requests):
    (path / "assets.extra").mkdir()
    with tf.io.TFRecordWriter(str(path / "assets.extra" / "tf_serving_warmup_requests")) as writer:
        for request in requests:
            log = prediction_log_pb2.PredictionLog(predict_log={"request": request})
            writer.write(log.SerializeToString())


def test_a_version_warms_up_before_it_takes_requests(base, four):
    request = predict_pb2.PredictRequest(inputs={"x": tf.make_tensor_proto([1.0])})

    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        shutil.copytree(four / "2", base / "2")
        _warmup(base / "2", request)
        await manager.poll()
        assert await ask(manager) == 2
        shutil.copytree(four / "3", base / "3")
        request.inputs["x"].CopyFrom(tf.make_tensor_proto(["no number"]))
        _warmup(base / "3", request)
        await manager.poll()
        assert states(manager)[3] == State.END and await ask(manager) == 2

    run(scenario)


def test_labels(four):
    everything = "model_version_policy { all {} }"
    label = 'version_labels { key: "stable" value: %d }'
    spec = model_pb2.ModelSpec(name="numbered", version_label="stable")

    async def scenario(manager):
        with pytest.raises(ServingError, match="not currently available for inference"):
            await manager.reload(config_of(four, everything + label % 2))
        await manager.reload(config_of(four, everything))
        await manager.reload(config_of(four, everything + label % 2))
        assert await ask(manager, spec) == 2
        await manager.reload(config_of(four, everything + label % 3))
        assert await ask(manager, spec) == 3
        with pytest.raises(ServingError, match="version 9 of model numbered"):
            await manager.reload(config_of(four, everything + label % 9))
        assert await ask(manager, spec) == 3
        await manager.reload(config_of(four, everything))
        with pytest.raises(ServingError, match="Unrecognized servable version label: stable"):
            await ask(manager, spec)

    run(scenario)

    async def at_once(manager):
        await manager.reload(config_of(four, everything + label % 2))
        assert await ask(manager, spec) == 2

    run(at_once, allow_labels_for_unavailable=True)


@pytest.mark.parametrize(
    ("entries", "message"),
    [
        ('config { name: "a" base_path: "relative" model_platform: "tensorflow" }', "absolute path"),
        ('config { name: "a" base_path: "/nowhere/at/all" model_platform: "tensorflow" }', "Could not find base path"),
        ('config { name: "a" base_path: "{base}" }', "Illegal setting neither"),
        ('config { name: "a" base_path: "{base}" model_platform: "torch" }', "unsupported platform torch"),
        ('config { base_path: "{base}" model_platform: "tensorflow" }', "no name"),
        ('config { name: "a" base_path: "{base}" model_platform: "tensorflow" }' * 2, "multiple times"),
    ],
)
def test_a_wrong_config_is_refused_and_the_old_one_stays(base, entries, message):
    text = f"model_config_list {{ {entries.replace('{base}', str(base))} }}"
    wrong = text_format.Parse(text, model_server_config_pb2.ModelServerConfig())

    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        with pytest.raises(ServingError, match=message):
            await manager.reload(wrong)
        assert await ask(manager) == 1

    run(scenario)


def test_a_reload_that_names_no_versions_is_refused_but_a_server_may_start_before_them(base, four, tmp_path):
    (tmp_path / "empty").mkdir()

    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        with pytest.raises(ServingError, match="Unable to find a numerical version path"):
            await manager.reload(config_of_models({"other": tmp_path / "empty"}))
        assert await ask(manager) == 1

    run(scenario)

    async def early(manager):
        with pytest.raises(ServingError, match="did not become available"):
            await manager.reload(config_of_models({"numbered": tmp_path / "empty"}))
        assert not manager.ready()
        shutil.copytree(four / "1", tmp_path / "empty" / "1")
        await manager.poll()
        assert await ask(manager) == 1

    run(early)


def test_a_model_that_the_config_names_no_more_ends(base, four):
    async def scenario(manager):
        await manager.reload(config_of_models({"numbered": base}))
        await manager.reload(config_of_models({"other": four}))
        await unloaded(manager)
        assert states(manager) == {1: State.END} and states(manager, "other") == {4: State.AVAILABLE}
        assert [model.name for model, _ in manager.configured()] == ["other"]
        # And may come back.
        await manager.reload(config_of_models({"numbered": base}))
        assert await ask(manager) == 1

    run(scenario)


def test_a_run_tells_tensorflow_its_time_and_its_threads():
    told, threads = [], queue.SimpleQueue()
    for _ in range(3):
        threads.put(7)

    def late(fetches, feeds, options):
        told.append((options.timeout_in_ms, options.inter_op_thread_pool))
        raise tf.errors.DeadlineExceededError(None, None, "")

    signature = Signature(types.SimpleNamespace(run=late), threads, meta_graph_pb2.SignatureDef())
    for deadline in (time.monotonic() + 60, time.monotonic() - 60, None):
        with pytest.raises(ServingError) as raised:
            signature.run({}, deadline)
        assert raised.value.code is Code.DEADLINE_EXCEEDED
    (ahead, _), past, never = told
    assert 30_000 < ahead <= 60_000 and (past, never) == ((1, 7), (0, 7)) and threads.qsize() == 3


def _endless(signature, seconds):
    """Runs a loop that never ends: a float32 counts to 2²⁴. Returns the seconds it took until it was cancelled."""
    begin = time.monotonic()
    with pytest.raises(ServingError) as raised:
        signature.run({"x": np.array([1e9], np.float32)}, begin + seconds)
    assert raised.value.code is Code.DEADLINE_EXCEEDED
    return time.monotonic() - begin


def test_a_run_is_cancelled_at_its_deadline_and_others_run_meanwhile(four):
    runs = os.cpu_count() + 1
    one, other = Servable(str(four / "1"), runs + 1), Servable(str(four / "2"))
    slow, x = one.signature("slow"), {"x": np.ones([1], np.float32)}
    with ThreadPoolExecutor(runs) as threads:
        # More of them than TensorFlow by default has threads to run ops in.
        running = [threads.submit(_endless, slow, 2) for _ in range(runs)]
        time.sleep(0.3)
        assert other.signature("").run(x)["version"] == [2] and slow.run(x)["version"] == [1]
        assert not any(each.done() for each in running)
        assert all(2 <= each.result() < 10 for each in running)
    assert slow.run(x, time.monotonic() + 30)["version"] == [1]
    for servable in (one, other):
        servable.close()


@pytest.mark.parametrize("parameters", [None, Parameters(num_batch_threads=1)])
def test_a_model_that_is_stuck_stops_no_other(base, four, parameters):
    async def scenario(manager):
        config = config_of_models({"stuck": base})
        config.MergeFrom(config_of_models({"numbered": four}))
        await manager.reload(config)
        with manager.lease(model_pb2.ModelSpec(name="stuck")) as version:
            slow, x = version.servable.signature("slow"), {"x": np.array([1e9], np.float32)}
            stuck = asyncio.ensure_future(version.run(slow, x, time.monotonic() + 2))
            await asyncio.sleep(0.2)
            assert await ask(manager) == 4 and not stuck.done()
            with pytest.raises(ServingError, match="still running at the deadline"):
                await stuck
        assert await ask(manager, model_pb2.ModelSpec(name="stuck")) == 1

    run(scenario, parameters=parameters, threads=1)
