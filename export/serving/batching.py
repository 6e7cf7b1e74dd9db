"""Dynamic batching: waiting requests are concatenated and run as one batch.

Parameters have the names and meanings of TensorFlow Serving's BatchingParameters. All but the model runs on the event
loop, so no locks are needed.
"""

import asyncio
import collections
import dataclasses
import functools
import os
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import tensorflow as tf

from export.serving import monitoring
from export.serving.errors import Code, ServingError, invalid
from zoo.errors import RequestError

#: Seconds by which the event loop may fire a timer early.
_CLOCK = 1e-6


@dataclasses.dataclass(frozen=True)
class Parameters:
    """BatchingParameters, with the defaults of TensorFlow Serving's session_bundle_config.proto.

    Attributes:
        max_batch_size: most rows of a batch; a larger request is refused unless `enable_large_batch_splitting`.
        batch_timeout_micros: how long a batch that is not full waits for more requests.
        max_enqueued_batches: most waiting batches of a signature; further requests are refused with UNAVAILABLE.
        num_batch_threads: batches of one version that run at the same time. (TensorFlow Serving: of all models.)
        allowed_batch_sizes: a batch is padded to the next of these with copies of its first row, which are cut off the
            answer.
        enable_large_batch_splitting: whether a request may be split over several batches.
        max_execution_batch_size: most rows of a batch with `enable_large_batch_splitting`; `max_batch_size` if None.
    """

    max_batch_size: int = 1000
    batch_timeout_micros: int = 0
    max_enqueued_batches: int = 10
    num_batch_threads: int = dataclasses.field(default_factory=os.cpu_count)
    allowed_batch_sizes: tuple = ()
    enable_large_batch_splitting: bool = False
    max_execution_batch_size: int | None = None

    @property
    def limit(self):
        """Most rows of a batch that is run."""
        if self.enable_large_batch_splitting and self.max_execution_batch_size:
            return self.max_execution_batch_size
        return self.max_batch_size

    def padded(self, rows):
        """Number of rows of a batch of `rows` rows after padding."""
        return next((size for size in self.allowed_batch_sizes if size >= rows), rows)

    @classmethod
    def of(cls, message, where):
        """Parameters from a BatchingParameters message.

        Args:
            message: the message.
            where: the flag that names its file, for error messages.

        Raises:
            RequestError: a value is out of range or not supported.
        """
        values = {}
        for field in dataclasses.fields(cls):
            if field.name == "allowed_batch_sizes":
                values[field.name] = tuple(message.allowed_batch_sizes)
            elif message.HasField(field.name):
                values[field.name] = getattr(message, field.name).value
        parameters = cls(**values)
        for name, lowest in (
            ("max_batch_size", 1),
            ("batch_timeout_micros", 0),
            ("max_enqueued_batches", 1),
            ("num_batch_threads", 1),
            ("limit", 1),
        ):
            if getattr(parameters, name) < lowest:
                raise RequestError(f"{where}: {name} {getattr(parameters, name)}; expected at least {lowest}")
        sizes = parameters.allowed_batch_sizes
        if any(low >= high for low, high in zip((0, *sizes), sizes)):
            raise RequestError(f"{where}: allowed_batch_sizes {list(sizes)}; expected increasing entries above 0")
        if sizes and sizes[-1] != parameters.limit:
            raise RequestError(f"{where}: allowed_batch_sizes ends with {sizes[-1]}; expected {parameters.limit}")
        if parameters.limit > parameters.max_batch_size:
            raise RequestError(
                f"{where}: max_execution_batch_size {parameters.limit}; expected at most max_batch_size "
                f"{parameters.max_batch_size}"
            )
        if message.pad_variable_length_inputs:
            raise RequestError(
                f"{where}: pad_variable_length_inputs is not supported; requests of one shape share a batch"
            )
        return parameters


class Scheduler:
    """Threads that run a version's batches, round robin over the queues of its signatures.

    Args:
        parameters: `Parameters`.
        metrics: `monitoring.Metrics` to count in, or None.
    """

    def __init__(self, parameters, metrics=None):
        self.parameters, self._metrics = parameters, metrics or monitoring.Metrics()
        self._threads = ThreadPoolExecutor(parameters.num_batch_threads, "batch")
        self._idle = parameters.num_batch_threads
        self._queues = collections.deque()
        self.waiting = self._metrics.enqueued.labels("batch")

    def queue(self, signature, version):
        """A new `Queue` for a `servable.Signature` of a `models.Version`."""
        return Queue(self, signature, version)

    def close(self):
        """Ends the threads, without waiting for running batches."""
        self._threads.shutdown(wait=False)

    def enlist(self, queue):
        if queue not in self._queues:
            self._queues.append(queue)

    def pump(self):
        """Hands ready batches to idle threads. To be called whenever a batch may be ready or a thread idle."""
        now = asyncio.get_running_loop().time()
        for _ in range(len(self._queues)):
            if not self._idle:
                return
            queue = self._queues.popleft()
            batch = queue.take(now)
            if queue.batches:
                self._queues.append(queue)
            if batch:
                self._idle -= 1
                self._metrics.batch_rows.observe(self.parameters.padded(sum(task.size for task in batch.tasks)))
                for task in batch.tasks:
                    self._metrics.queuing.observe((now - task.arrival) * 1e6)
                queue.version.hold()
                running = asyncio.get_running_loop().run_in_executor(self._threads, batch.run)
                running.add_done_callback(functools.partial(self._done, queue.version))
                # This queue or the remaining ones may have more batches.
                asyncio.get_running_loop().call_soon(self.pump)

    def _done(self, version, future):
        self._idle += 1
        version.release()
        for task, answer in future.result():
            if task.future.done():
                continue
            if isinstance(answer, Exception):
                task.future.set_exception(ServingError.of(answer))
            else:
                task.future.set_result(answer)
        self.pump()


class Queue:
    """Batches of one signature of one version."""

    def __init__(self, scheduler, signature, version):
        self._scheduler, self._signature, self.version = scheduler, signature, version
        self.batches = collections.deque()

    async def run(self, inputs, deadline):
        """Like `Signature.run`, in a batch with other requests. A batch has the latest deadline of its requests.

        Raises:
            ServingError: INVALID_ARGUMENT, the request is larger than `max_batch_size`, or its inputs differ in length;
                UNAVAILABLE, the queue is full; errors of the model.
        """
        parameters, loop = self._scheduler.parameters, asyncio.get_running_loop()
        sizes = {len(value) for value in inputs.values()}
        if len(sizes) > 1:
            raise invalid("Batching session Run() input tensors must have equal 0th-dimension size")
        (size,) = sizes
        if size > parameters.max_batch_size and not parameters.enable_large_batch_splitting:
            raise invalid(f"Task size {size} is larger than maximum input batch size {parameters.max_batch_size}")
        futures = []
        for start, stop, batch in self._places(inputs, size):
            rows = {alias: value[start:stop] for alias, value in inputs.items()}
            task = _Task(rows, stop - start, deadline, loop.create_future(), loop.time())
            batch.add(task)
            futures.append(task.future)
        self._scheduler.enlist(self)
        self._scheduler.pump()
        if len(futures) == 1:
            return await futures[0]
        answers = await asyncio.gather(*futures)
        return {alias: np.concatenate([answer[alias] for answer in answers]) for alias in answers[0]}

    def _places(self, inputs, size):
        """Assigns the rows of a request to batches: yields (start, stop, batch), and enqueues the new batches."""
        parameters = self._scheduler.parameters
        shapes = {alias: value.shape[1:] for alias, value in inputs.items()}
        last = self.batches[-1] if self.batches and self.batches[-1].shapes == shapes else None
        room = parameters.limit - last.size if last else 0
        if size > room and not parameters.enable_large_batch_splitting:
            room = 0
        first = min(room, size)
        starts = range(first, size, parameters.limit)
        if len(self.batches) + len(starts) > parameters.max_enqueued_batches:
            raise ServingError(
                Code.UNAVAILABLE,
                "The batch scheduling queue to which this task was submitted is full; currently enqueued batches = "
                f"{len(self.batches)}, max enqueued batches = {parameters.max_enqueued_batches}.",
            )
        if first:
            yield 0, first, last
        loop, wait = asyncio.get_running_loop(), parameters.batch_timeout_micros / 1e6
        for start in starts:
            batch = _Batch(self._signature, shapes, parameters, loop.time() + wait)
            self.batches.append(batch)
            self._scheduler.waiting.inc()
            if wait:
                loop.call_at(batch.due, self._scheduler.pump)
            yield start, min(start + parameters.limit, size), batch

    def take(self, now):
        """The next batch if it is ready: full, followed by another, or due; without requests that were cancelled."""
        while self.batches:
            batch = self.batches[0]
            if not (
                len(self.batches) > 1 or batch.size >= self._scheduler.parameters.limit or batch.due <= now + _CLOCK
            ):
                return None
            self.batches.popleft()
            self._scheduler.waiting.dec()
            batch.tasks = [task for task in batch.tasks if not task.future.done()]
            if batch.tasks:
                return batch
        return None


@dataclasses.dataclass
class _Task:
    inputs: dict
    size: int
    deadline: float
    future: asyncio.Future
    arrival: float


class _Batch:
    def __init__(self, signature, shapes, parameters, due):
        self._signature, self._parameters = signature, parameters
        self.shapes, self.due = shapes, due
        self.tasks, self.size = [], 0

    def add(self, task):
        self.tasks.append(task)
        self.size += task.size

    def run(self):
        """Runs the batch, in a thread. Returns a list of (task, dict of arrays or exception)."""
        try:
            return list(zip(self.tasks, self._run(self.tasks)))
        except tf.errors.OpError as error:
            if len(self.tasks) == 1:
                return [(self.tasks[0], error)]
        except Exception as error:
            return [(task, error) for task in self.tasks]
        # One request's values may have made the model fail: run each on its own.
        answers = []
        for task in self.tasks:
            if task.future.done():
                continue
            try:
                answers += zip([task], self._run([task]))
            except Exception as error:
                answers.append((task, error))
        return answers

    def _run(self, tasks):
        rows = sum(task.size for task in tasks)
        padded = self._parameters.padded(rows)
        inputs = {}
        for alias in self.shapes:
            parts = [task.inputs[alias] for task in tasks]
            if padded > rows:
                parts.append(np.repeat(parts[0][:1], padded - rows, axis=0))
            inputs[alias] = np.concatenate(parts) if len(parts) > 1 else parts[0]
        outputs = self._signature.run(inputs, max(task.deadline for task in tasks))
        for value in outputs.values():
            if not value.shape or len(value) != padded:
                raise ServingError(
                    Code.FAILED_PRECONDITION,
                    "Batched output tensor's 0th dimension does not equal the sum of the 0th dimension sizes of the "
                    "input tensors",
                )
        starts = np.cumsum([0] + [task.size for task in tasks])
        return [
            {alias: value[start : start + task.size] for alias, value in outputs.items()}
            for task, start in zip(tasks, starts)
        ]
