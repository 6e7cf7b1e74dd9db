"""Forming of batches, with a NumPy model that records its inputs."""

import asyncio
import threading
import time

import numpy as np
import pytest
import tensorflow as tf
from google.protobuf import text_format

from export.serving import protos
from export.serving.batching import Parameters, Scheduler
from export.serving.errors import Code, ServingError
from export.serving.monitoring import Metrics


class Doubling:
    """x → 2 x; the size and deadline of each batch are kept, and each waits until `open` is set."""

    def __init__(self, is_open=True):
        self.sizes, self.deadlines, self.open = [], [], threading.Event()
        if is_open:
            self.open.set()

    def run(self, inputs, deadline):
        assert self.open.wait(30)
        x = inputs["x"]
        self.sizes.append(len(x))
        self.deadlines.append(deadline)
        if time.monotonic() > deadline:
            raise ServingError(Code.DEADLINE_EXCEEDED, "late")
        if (x < 0).any():
            raise tf.errors.InvalidArgumentError(None, None, "negative")
        return {"y": 2 * x}


class Version:
    users = 0

    def hold(self):
        self.users += 1

    def release(self):
        self.users -= 1


def batched(model, sizes, values=None, seconds=None, **parameters):
    """Sends requests of `sizes` rows at the same time, each with so many seconds to its deadline.

    Returns (their values, their answers or errors).
    """
    values = values or [np.arange(size, dtype=np.float32) + 100 * index for index, size in enumerate(sizes)]

    async def scenario():
        scheduler, version = Scheduler(Parameters(**{"num_batch_threads": 1, **parameters})), Version()
        queue = scheduler.queue(model, version)
        now, spans = time.monotonic(), seconds or [60] * len(values)
        requests = [asyncio.ensure_future(queue.run({"x": x}, now + span)) for x, span in zip(values, spans)]
        await asyncio.sleep(0)
        model.open.set()
        answers = await asyncio.gather(*requests, return_exceptions=True)
        scheduler.close()
        assert version.users == 0 and not queue.batches
        return answers

    return values, asyncio.run(scenario())


def check(values, answers):
    for value, answer in zip(values, answers):
        np.testing.assert_array_equal(answer["y"], 2 * value)


def test_requests_that_wait_together_travel_together():
    model = Doubling(is_open=False)
    check(*batched(model, [1, 2, 3, 4, 5, 6], max_batch_size=8))
    # The first runs at once on an idle thread; then 2 + 3; then 4, because 5 no longer fits; and so on.
    assert model.sizes[0] == 1 and sum(model.sizes) == 21 and max(model.sizes) <= 8 and len(model.sizes) < 6


def test_a_batch_waits_for_its_time_and_no_longer_when_full():
    model = Doubling()
    check(*batched(model, [1, 1, 1], max_batch_size=8, batch_timeout_micros=50_000))
    assert model.sizes == [3]
    model = Doubling()
    check(*batched(model, [4, 4], max_batch_size=8, batch_timeout_micros=3_600_000_000))
    assert model.sizes == [8]


def test_batches_are_padded_to_an_allowed_size():
    model = Doubling()
    check(*batched(model, [1, 2], max_batch_size=8, batch_timeout_micros=50_000, allowed_batch_sizes=(2, 4, 8)))
    assert model.sizes == [4]


def test_large_requests_are_split_where_that_is_enabled_and_else_refused():
    model = Doubling()
    check(*batched(model, [3, 50, 2], max_batch_size=64, max_execution_batch_size=8, enable_large_batch_splitting=True))
    assert max(model.sizes) == 8 and sum(model.sizes) == 55
    _, (error, answer) = batched(Doubling(), [9, 1], max_batch_size=8)
    assert error.code is Code.INVALID_ARGUMENT
    assert error.message == "Task size 9 is larger than maximum input batch size 8"
    np.testing.assert_array_equal(answer["y"], [200])


def test_a_full_queue_refuses():
    model = Doubling(is_open=False)
    _, answers = batched(model, [8] * 5, max_batch_size=8, max_enqueued_batches=2)
    errors = [answer for answer in answers if isinstance(answer, ServingError)]
    assert errors and all(error.code is Code.UNAVAILABLE for error in errors)
    assert len(model.sizes) == 5 - len(errors)


def test_one_requests_values_do_not_fail_the_others():
    values = [np.array([1.0]), np.array([-1.0]), np.array([3.0])]
    _, (first, error, last) = batched(Doubling(), None, values, max_batch_size=8, batch_timeout_micros=20_000)
    assert (first["y"], last["y"]) == (2, 6)
    assert (error.code, error.message) == (Code.INVALID_ARGUMENT, "negative")


def test_requests_of_other_shapes_travel_apart():
    values = [np.ones([1, 2]), np.ones([1, 3]), np.ones([1, 2])]
    check(*batched(Doubling(), None, values, max_batch_size=8, batch_timeout_micros=20_000))


def test_a_batch_runs_until_its_last_deadline_and_once():
    model = Doubling()
    check(*batched(model, [1, 2, 3], seconds=[10, 50, 30], max_batch_size=8, batch_timeout_micros=50_000))
    (deadline,) = model.deadlines
    assert 45 < deadline - time.monotonic() <= 50
    model = Doubling()
    _, errors = batched(model, [1, 2], seconds=[-2, -1], max_batch_size=8, batch_timeout_micros=50_000)
    assert [error.code for error in errors] == [Code.DEADLINE_EXCEEDED] * 2 and model.sizes == [3]


def test_who_hangs_up_is_left_out():
    async def scenario():
        model = Doubling(is_open=False)
        queue = Scheduler(Parameters(num_batch_threads=1, max_batch_size=8)).queue(model, Version())
        first, second, third = (asyncio.ensure_future(queue.run({"x": np.ones(size)}, np.inf)) for size in (1, 2, 3))
        await asyncio.sleep(0)
        second.cancel()
        await asyncio.sleep(0)
        model.open.set()
        assert len((await first)["y"]) == 1 and len((await third)["y"]) == 3
        return model.sizes

    assert asyncio.run(scenario()) == [1, 3]


def test_metrics_tell_what_waits_and_how_large_batches_are():
    async def scenario():
        model, metrics = Doubling(is_open=False), Metrics()
        parameters = Parameters(num_batch_threads=1, max_batch_size=4, allowed_batch_sizes=(2, 4))
        queue = Scheduler(parameters, metrics).queue(model, Version())
        requests = [asyncio.ensure_future(queue.run({"x": np.ones(size)}, np.inf)) for size in (4, 3, 1, 1)]
        await asyncio.sleep(0)  # until all have arrived
        await asyncio.sleep(0.02)
        busy = metrics.page().decode()
        model.open.set()
        await asyncio.gather(*requests)
        return model.sizes, busy, metrics.page().decode()

    sizes, busy, done = asyncio.run(scenario())
    assert sizes == [4, 4, 2]
    assert '\ngan_zoo_serving_enqueued{queue="batch"} 2.0\n' in busy
    assert '\ngan_zoo_serving_enqueued{queue="batch"} 0.0\n' in done
    rows = ":tensorflow:serving:batching_session:processed_batch_size"
    assert f'\n{rows}_bucket{{le="2.0"}} 1.0\n' in done and f"\n{rows}_sum 10.0\n" in done
    waited = ":tensorflow:serving:batching_session:queuing_latency"
    assert f"\n{waited}_count 4.0\n" in done
    # Three of the four waited for the first one's 20 milliseconds.
    assert float(done.split(f"\n{waited}_sum ")[1].split()[0]) > 3 * 19_000


def test_parameters_of_the_guide():
    text = """max_batch_size { value: 128 } batch_timeout_micros { value: 0 } max_enqueued_batches { value: 1000000 }
        num_batch_threads { value: 8 } enable_large_batch_splitting { value: true }
        max_execution_batch_size { value: 32 } allowed_batch_sizes: 8 allowed_batch_sizes: 32"""
    parameters = Parameters.of(text_format.Parse(text, protos.BatchingParameters()), "--flag")
    assert parameters == Parameters(128, 0, 1000000, 8, (8, 32), True, 32) and parameters.limit == 32
    assert Parameters.of(protos.BatchingParameters(), "--flag").max_batch_size == 1000


def test_inputs_of_unequal_rows_are_refused():
    async def scenario():
        queue = Scheduler(Parameters()).queue(Doubling(), Version())
        await queue.run({"x": np.ones(1), "z": np.ones(2)}, np.inf)

    with pytest.raises(ServingError, match="equal 0th-dimension size"):
        asyncio.run(scenario())
