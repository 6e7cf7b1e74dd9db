"""Models and their versions: configs, polling, loading, draining, labels.

States and rules are TensorFlow Serving's. A version takes requests once it is loaded and warmed up. A version that the
config no longer asks for stays until a new one is available, so a broken version never replaces a good one. Then it
takes no more requests, finishes its current ones, and frees its memory. One rule is added: under the policy "latest",
if none of the latest versions can be loaded and nothing is served, as at startup, the next older version that can be
loaded is served.

All but loading runs on the event loop. The only lock keeps two changes of the versions from interleaving.
"""

import asyncio
import contextlib
import ctypes
import dataclasses
import functools
import gc
import os
from concurrent.futures import ThreadPoolExecutor

import tensorflow as tf
from absl import logging
from tensorflow_serving.apis import get_model_status_pb2
from tensorflow_serving.config import model_server_config_pb2

from export.serving import batching, monitoring, sources
from export.serving.errors import Code, ServingError, invalid
from export.serving.servable import Servable

State = get_model_status_pb2.ModelVersionStatus.State
#: Looked up once: each access to a protobuf enum searches its descriptor, and every request needs the value.
_AVAILABLE = State.AVAILABLE


@dataclasses.dataclass
class Version:
    """One version of a model.

    Attributes:
        number, path: version number and directory.
        state: `State`.
        error: the ServingError that ended it, or None.
        failures: consecutive failed loads of the same files.
        retry_at: earliest time of the next try, by the event loop's clock.
        servable: the loaded model while AVAILABLE or UNLOADING, else None.
        run: coroutine function (signature, inputs, deadline) → outputs, like `Signature.run`; None while not loaded.
        users: number of requests and runs that use it. Both count, because a run outlives a cancelled request.
        idle: set when `users` falls to 0.
        fingerprint: `sources.fingerprint` of its files at the last try to load it.
    """

    number: int
    path: str
    state: int = State.START
    error: ServingError | None = None
    failures: int = 0
    retry_at: float = 0.0
    servable: Servable | None = None
    run: object = None
    users: int = 0
    idle: asyncio.Event = dataclasses.field(default_factory=asyncio.Event)
    fingerprint: object = None

    def hold(self):
        self.users += 1

    def release(self):
        self.users -= 1
        if not self.users:
            self.idle.set()


@dataclasses.dataclass
class Model:
    """A model.

    Attributes:
        name: its name.
        config: its ModelConfig; None once the server's config no longer lists it.
        versions: dict of number → `Version`.
        trouble: error message of the last poll for versions, "" after success.
    """

    name: str
    config: object
    versions: dict = dataclasses.field(default_factory=dict)
    trouble: str = ""

    def available(self):
        """Its versions that take requests."""
        return [version for version in self.versions.values() if version.state == _AVAILABLE]


class Manager:
    """All models of a server.

    Args:
        parameters: `batching.Parameters`, or None to run every request by itself.
        threads: unbatched requests of one version that run at the same time; the number of cores if None.
        allow_labels_for_unavailable: as TensorFlow Serving's ``--allow_version_labels_for_unavailable_models``.
        metrics: `monitoring.Metrics` to count in, or None.
        max_load_retries, load_retry_seconds: how often loading a failed version is tried again while its files stay the
            same, and the least time between tries, which come with a poll. As TensorFlow Serving's
            ``--max_num_load_retries`` and ``--load_retry_interval_micros``.
        load_threads: versions that are loaded or unloaded at the same time.
    """

    def __init__(
        self,
        parameters=None,
        threads=None,
        allow_labels_for_unavailable=False,
        metrics=None,
        max_load_retries=5,
        load_retry_seconds=60,
        load_threads=1,
    ):
        self._max_retries, self._retry_seconds = max_load_retries, load_retry_seconds
        self._parameters, self._threads = parameters, threads or os.cpu_count()
        self._runs = self._threads + (parameters.num_batch_threads if parameters else 0)
        self._metrics = metrics or monitoring.Metrics()
        self._allow_labels = allow_labels_for_unavailable
        # Loads and unloads have their own threads, so they never wait for requests.
        self._loads = ThreadPoolExecutor(load_threads, "load")
        self._changing = asyncio.Lock()
        self._unloads = set()
        self._models = {}
        self._labels = {}

    # Queries by requests.

    @contextlib.contextmanager
    def lease(self, spec):
        """Context manager: the `Version` that a ModelSpec names, which stays loaded inside the with block.

        Raises:
            ServingError: NOT_FOUND, no such version takes requests; INVALID_ARGUMENT, no name or an unknown label.
        """
        version = self._find(spec)
        version.hold()
        try:
            yield version
        finally:
            version.release()

    def _find(self, spec):
        if not spec.name:
            raise invalid("ModelSpec has no name specified.")
        model, wanted = self._models.get(spec.name), self._number(spec)
        available = {version.number: version for version in model.available()} if model else {}
        number = max(available, default=None) if wanted is None else wanted
        if number not in available:
            request = f"Latest({spec.name})" if wanted is None else f"Specific({spec.name}, {wanted})"
            raise ServingError(Code.NOT_FOUND, f"Servable not found for request: {request}")
        return available[number]

    def _number(self, spec):
        choice = spec.WhichOneof("version_choice")
        if choice == "version":
            return spec.version.value
        if choice == "version_label":
            labels = self._labels.get(spec.name, {})
            if spec.version_label not in labels:
                raise invalid(f"Unrecognized servable version label: {spec.version_label}")
            return labels[spec.version_label]
        return None

    def status(self, spec):
        """The list of `Version`s that a ModelSpec names, loaded or not, newest first.

        Raises:
            ServingError: NOT_FOUND, there are none; INVALID_ARGUMENT, unknown label.
        """
        model, wanted = self._models.get(spec.name), self._number(spec)
        versions = model.versions if model else {}
        if wanted is not None:
            if wanted not in versions:
                raise ServingError(Code.NOT_FOUND, f"Could not find version {wanted} of model {spec.name}")
            return [versions[wanted]]
        if not versions:
            raise ServingError(Code.NOT_FOUND, f"Could not find any versions of model {spec.name}")
        return [versions[number] for number in sorted(versions, reverse=True)]

    def configured(self):
        """The configured models: list of (`Model`, dict of label → version number)."""
        return [(model, self._labels.get(model.name, {})) for model in self._models.values() if model.config]

    def knows(self, name):
        """Whether the config lists a model of this name."""
        return name in self._models and self._models[name].config is not None

    def ready(self):
        """Whether every configured model has a version that takes requests."""
        return all(model.available() for model, _ in self.configured())

    # Changes.

    async def reload(self, config):
        """Replaces the config, and waits until the new models are loaded.

        Args:
            config: ModelServerConfig.

        Raises:
            ServingError: the config is wrong, and the old one stays; or UNKNOWN, a new model is not available.
        """
        if config.WhichOneof("config") != "model_config_list":
            raise invalid(
                "ServerModelConfig type not supported by HandleReloadConfigRequest. "
                "Only ModelConfigList is currently supported"
            )
        configs = list(config.model_config_list.config)
        sources.check(configs)
        async with self._changing:
            first, new = not self._models, []
            for each in configs:
                if each.name not in self._models or not self._models[each.name].config:
                    new.append(each.name)
                    # A server may start before its models exist. A reload must name existing ones, else it is wrong.
                    if not sources.chosen(each, await self._found(each)) and not first:
                        raise ServingError(
                            Code.NOT_FOUND,
                            f"Unable to find a numerical version path for servable {each.name} at: {each.base_path}",
                        )
            self._labels = self._checked_labels(configs)
            named = {each.name: each for each in configs}
            for model in self._models.values():
                model.config = named.get(model.name)
            for each in configs:
                self._models.setdefault(each.name, Model(each.name, each))
            await self._reconcile_all()
        failed = [self._models[name] for name in new if not self._models[name].available()]
        if failed:
            raise ServingError(Code.UNKNOWN, _unavailable(failed))

    async def poll(self):
        """Polls the base paths for versions, and loads and unloads accordingly."""
        async with self._changing:
            await self._reconcile_all()

    async def poll_forever(self, seconds):
        """Calls `poll` every `seconds` seconds."""
        while True:
            await asyncio.sleep(seconds)
            await self.poll()

    async def close(self):
        """Unloads all versions once their requests have ended."""
        async with self._changing:
            for model in self._models.values():
                for version in model.available():
                    self._unload(model, version)
        await asyncio.gather(*self._unloads)
        self._loads.shutdown()

    async def _reconcile_all(self):
        await asyncio.gather(*map(self._look, list(self._models.values())))

    async def _look(self, model):
        """Polls a model's base path, and loads and unloads accordingly. Logs and counts errors."""
        errors = self._metrics.poll_errors.labels(model.name)
        try:
            await self._reconcile(model, await self._found(model.config) if model.config else {})
        except Exception as error:  # whatever a file system may raise: what is served stays, the next poll comes
            errors.inc()
            trouble = ServingError.of(error).message
            if trouble != model.trouble:
                logging.error("versions of %s cannot be looked for, trying again: %s", model.name, trouble)
            model.trouble = trouble
        else:
            if model.trouble:
                logging.info("versions of %s can be looked for again", model.name)
            model.trouble = ""

    async def _reconcile(self, model, found):
        """Loads the versions that the config asks for and unloads the others; `found` as from `sources.found`."""
        aspired = sources.chosen(model.config, found) if model.config else []
        await asyncio.gather(*(self._ensure(model, number, found[number]) for number in sorted(aspired, reverse=True)))
        if aspired and model.config.model_version_policy.WhichOneof("policy_choice") in (None, "latest"):
            for number in sorted(set(found) - set(aspired), reverse=True):
                if model.available():
                    break
                await self._ensure(model, number, found[number])
        ready = [version for version in model.available() if version.number in aspired]
        if ready or not aspired:
            for version in model.available():
                if version.number not in aspired:
                    self._unload(model, version)

    async def _ensure(self, model, number, path):
        """Loads a version unless it is loaded, or failed and is not yet to be tried again."""
        known, failures = model.versions.get(number), 0
        if known and known.state != State.END:
            return
        if known and known.error and await self._in_loader(sources.fingerprint, path) == known.fingerprint:
            failures = known.failures
            if failures > self._max_retries or asyncio.get_running_loop().time() < known.retry_at:
                return
        model.versions[number] = Version(number, path, failures=failures)
        await self._load(model, model.versions[number])

    async def _load(self, model, version):
        version.state = State.LOADING
        logging.info("loading %s version %d from %s", model.name, version.number, version.path)
        try:
            version.fingerprint = await self._in_loader(sources.fingerprint, version.path)
            version.servable = await self._in_loader(Servable, version.path, self._runs)
        except Exception as error:
            version.state, version.error = State.END, ServingError.of(error)
            version.failures += 1
            version.retry_at = asyncio.get_running_loop().time() + self._retry_seconds
            logging.error(
                "%s version %d cannot be loaded (%d of %d tries): %s",
                model.name,
                version.number,
                version.failures,
                1 + self._max_retries,
                version.error.message,
            )
            self._metrics.not_loaded(version.path)
            await self._in_loader(give_back)
            return
        version.run = _Runner(version, self._parameters, self._threads, self._metrics)
        version.state = State.AVAILABLE
        loaded, warmed_up = version.servable.load_seconds, version.servable.warmup_seconds
        self._metrics.loaded(version.path, loaded, warmed_up)
        logging.info(
            "serving %s version %d: loaded in %.1f s, warmed up in %.1f s",
            model.name,
            version.number,
            loaded,
            warmed_up,
        )

    def _unload(self, model, version):
        version.state = State.UNLOADING
        task = asyncio.get_running_loop().create_task(self._drain(model, version))
        self._unloads.add(task)
        task.add_done_callback(self._unloads.discard)

    async def _drain(self, model, version):
        while version.users:
            version.idle.clear()
            await version.idle.wait()
        version.run.close()
        servable, version.servable, version.run = version.servable, None, None
        await self._in_loader(servable.close)
        del servable
        await self._in_loader(give_back)
        version.state = State.END
        self._metrics.forget(version.path)
        logging.info("unloaded %s version %d", model.name, version.number)

    async def _found(self, config):
        try:
            return await self._in_loader(sources.found, config)
        except tf.errors.OpError as error:
            raise ServingError.of(error) from error

    async def _in_loader(self, function, *args):
        return await asyncio.get_running_loop().run_in_executor(self._loads, function, *args)

    def _checked_labels(self, configs):
        labels = {}
        for config in configs:
            model = self._models.get(config.name)
            numbers = {version.number for version in model.available()} if model else set()
            for label, number in config.version_labels.items():
                known = self._labels.get(config.name, {}).get(label, number)
                if number not in numbers and not (self._allow_labels and known == number):
                    raise ServingError(
                        Code.FAILED_PRECONDITION,
                        f"Request to assign label to version {number} of model {config.name}, "
                        "which is not currently available for inference",
                    )
            labels[config.name] = dict(config.version_labels)
        return labels


class _Runner:
    """Runs a version's signatures in its own threads, so that no version can block another.

    Args:
        version: the `Version`, loaded.
        parameters, threads, metrics: as in `Manager`.
    """

    def __init__(self, version, parameters, threads, metrics):
        self._version, self._queues = version, {}
        self._direct, self._waiting = ThreadPoolExecutor(threads, "run"), metrics.enqueued.labels("run")
        self._scheduler = batching.Scheduler(parameters, metrics) if parameters else None
        if self._scheduler:
            batchable = (each for each in version.servable.signatures.values() if each.batchable)
            self._queues = {each: self._scheduler.queue(each, version) for each in batchable}

    async def __call__(self, signature, inputs, deadline):
        if signature in self._queues and all(len(value) for value in inputs.values()):
            return await self._queues[signature].run(inputs, deadline)
        loop = asyncio.get_running_loop()
        self._version.hold()
        self._waiting.inc()
        running = self._direct.submit(self._start, signature, inputs, deadline)
        running.add_done_callback(functools.partial(loop.call_soon_threadsafe, self._end))
        try:
            return await asyncio.wrap_future(running)
        except Exception as error:
            raise ServingError.of(error) from error

    def _start(self, signature, inputs, deadline):
        self._waiting.dec()
        return signature.run(inputs, deadline)

    def _end(self, running):
        if running.cancelled():  # before it started
            self._waiting.dec()
        self._version.release()

    def close(self):
        """Ends the threads. Nothing may be running."""
        self._direct.shutdown(wait=False)
        if self._scheduler:
            self._scheduler.close()


def config_of_models(base_paths):
    """ModelServerConfig of models, {name: directory of versions}, the newest version of each."""
    config = model_server_config_pb2.ModelServerConfig()
    for name, path in base_paths.items():
        config.model_config_list.config.add(name=name, base_path=os.fspath(path), model_platform=sources.PLATFORM)
    return config


def give_back():
    """Returns freed memory, which the C library's allocator would keep, to the system."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)


def _unavailable(models):
    def why(version):
        return f"{{{{name: {version[0]} version: {version[1].number}}} due to error: {version[1].error.message}}}, "

    failed = [(model.name, version) for model in models for version in model.versions.values() if version.error]
    return f"{len(models)} model(s) did not become available: {{{''.join(map(why, failed))}}}"
