"""Runs a server: starts gRPC and REST, follows versions and config, and lets requests finish before it stops."""

import asyncio
import gc
import os
import signal

from absl import logging
from aiohttp import web
from aiohttp.http import HttpProcessingError
from aiohttp.log import server_logger
from etils import epath
from tensorflow_serving.config import model_server_config_pb2

from export.serving import gallery, grpc_service, models, monitoring, protos, rest
from export.serving.api import Api
from export.serving.errors import Code, ServingError, one_line
from export.serving.servable import Limits
from trainers import program
from zoo.errors import RequestError

_MIB = 1 << 20
#: Seconds to wait at shutdown for runs of requests that have ended, before the models are abandoned.
_CLOSE_SECONDS = 1


def read_model_config(path):
    """Reads the ModelServerConfig of --model_config_file. Raises RequestError."""
    message = model_server_config_pb2.ModelServerConfig
    return protos.read_text(epath.Path(path).expanduser(), message, "--model_config_file")


async def serve(options, config, parameters, monitoring_config, credentials):
    """Serves until SIGTERM, SIGINT or SIGHUP (closed terminal), then lets current requests finish.

    Args:
        options: object with the values of `server`'s flags as attributes.
        config: ModelServerConfig.
        parameters: `batching.Parameters`, or None for no batching.
        monitoring_config: MonitoringConfig.
        credentials: grpc.ServerCredentials for TLS, or None.

    Raises:
        RequestError: the config is wrong, or a port is taken.
        program.RunFailed: a model has versions, and none can be loaded.
    """
    stop, loop = asyncio.Event(), asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        loop.add_signal_handler(number, stop.set)
    metrics = monitoring.Metrics()
    manager = models.Manager(
        parameters,
        options.run_threads or None,
        options.allow_version_labels_for_unavailable_models,
        metrics,
        max_load_retries=options.max_num_load_retries,
        load_retry_seconds=options.load_retry_interval_micros / 1e6,
        load_threads=options.num_load_threads or 1,
    )
    # Imported objects live for good. Unfrozen, they would be scanned in every full garbage collection, which delays
    # requests by a tenth of a second.
    gc.collect()
    gc.freeze()
    await _load(manager, config, options)
    limits = Limits(
        options.max_request_examples,
        options.max_request_mib * _MIB,
        options.max_response_mib * _MIB,
        options.max_json_response_mib * _MIB,
    )
    api = Api(manager, metrics, limits)
    tasks, grpc_server, http = [], None, None
    if options.port:
        grpc_server, health = await _start_grpc(api, credentials, options)
        tasks.append(_show_health(health, manager))
    if options.rest_api_port:
        http = await _start_http(api, monitoring_config.prometheus_config, options)
    if options.file_system_poll_wait_seconds:
        tasks.append(manager.poll_forever(options.file_system_poll_wait_seconds))
    if options.model_config_file and options.model_config_file_poll_wait_seconds:
        tasks.append(_follow_config(manager, config, options))
    tasks = [loop.create_task(task) for task in tasks]

    await stop.wait()
    logging.info("stopping: requests under way have %d seconds", options.shutdown_grace_seconds)
    end = loop.time() + options.shutdown_grace_seconds
    for task in tasks:
        task.cancel()
    ending = [http.cleanup()] if http else []
    if grpc_server:
        await health.enter_graceful_shutdown()
        ending.append(grpc_server.stop(options.shutdown_grace_seconds))
    await asyncio.gather(*ending)
    answered = loop.time() < end
    try:
        await asyncio.wait_for(manager.close(), _CLOSE_SECONDS)
    except (asyncio.TimeoutError, TimeoutError):
        logging.warning(
            "stopped while a model was still running; %s",
            "nobody waited for it" if answered else "requests were cut off",
        )
        logging.flush()
        # Threads inside TensorFlow cannot be ended, and the interpreter would wait for them.
        os._exit(0 if answered else 1)


async def _load(manager, config, options):
    try:
        await manager.reload(config)
    except ServingError as error:
        if error.code is Code.UNKNOWN and "due to error" in error.message:
            raise program.RunFailed(error.message) from error
        if error.code is Code.UNKNOWN:
            # No error: a model has no versions yet.
            logging.warning("%s", error.message)
            return
        where = "--model_config_file" if options.model_config_file else "--model_base_path"
        raise RequestError(f"{where}: {error.message}") from error


async def _start_grpc(api, credentials, options):
    allow_reload = options.allow_reload_config_requests
    server, health = grpc_service.build(
        api,
        seconds=options.grpc_timeout_in_ms / 1e3,
        max_bytes=options.max_request_mib * _MIB,
        max_requests=options.max_concurrent_requests,
        as_content=options.enable_serialization_as_tensor_content,
        allow_reload=bool(options.model_config_file) if allow_reload is None else allow_reload,
    )
    host = options.bind_address.strip("[]")
    address = f"[{host}]:{options.port}" if ":" in host else f"{host}:{options.port}"
    try:
        if credentials:
            server.add_secure_port(address, credentials)
        else:
            server.add_insecure_port(address)
    except RuntimeError as error:
        raise RequestError(f"--port: {address} cannot be listened on ({error})") from error
    await health.show(api.manager.ready())
    await server.start()
    logging.info("gRPC at %s", address)
    return server, health


async def _start_http(api, prometheus, options):
    metrics_path = (prometheus.path or monitoring.DEFAULT_PATH) if prometheus.enable else None
    application = web.Application(middlewares=[rest.errors_as_json])
    seconds, max_bytes = options.rest_api_timeout_in_ms / 1e3, options.max_json_request_mib * _MIB
    threads = options.rest_api_num_threads or rest.THREADS
    application.add_routes(rest.Rest(api, seconds, max_bytes, metrics_path, threads).routes())
    if options.rest_api_enable_cors_support:
        application.on_response_prepare.append(rest.allow_any_origin)
    if options.gallery:
        application.add_routes(gallery.Gallery(api.manager).routes())
    runner = web.AppRunner(
        application,
        access_log=None,
        # aiohttp would decompress bodies without a size limit, on the event loop; `rest` limits them.
        auto_decompress=False,
        # A client's disconnect cancels its request.
        handler_cancellation=True,
        # Closes a connection whose header is not complete in time, against clients that send slowly.
        keepalive_timeout=options.rest_api_timeout_in_ms / 1e3,
        shutdown_timeout=options.shutdown_grace_seconds,
    )
    server_logger.addFilter(_malformed_in_a_line)
    await runner.setup()
    site = web.TCPSite(runner, options.bind_address.strip("[]"), options.rest_api_port)
    try:
        await site.start()
    except OSError as error:
        raise RequestError(
            f"--rest_api_port: {options.bind_address}:{options.rest_api_port} cannot be listened on "
            f"({error.strerror or error})"
        ) from error
    logging.info("REST at %s", site.name)
    return runner


def _malformed_in_a_line(record):
    """Log filter that reduces aiohttp's traceback of a malformed request to one line."""
    error = record.exc_info and record.exc_info[1]
    if isinstance(error, HttpProcessingError):
        record.levelno, record.levelname, record.exc_info = logging.converter.STANDARD_WARNING, "WARNING", None
        record.msg, record.args = "REST malformed request from %s: %s", (*record.args, one_line(error.message))
    return True


async def _follow_config(manager, applied, options):
    """Applies --model_config_file again when it changes; errors are logged, and the old config stays."""
    while True:
        await asyncio.sleep(options.model_config_file_poll_wait_seconds)
        try:
            config = read_model_config(options.model_config_file)
            if config != applied:
                await manager.reload(config)
                applied = config
        except Exception as error:  # whatever a file system may raise: the next poll tries again
            logging.error("--model_config_file: %s", error)


async def _show_health(health, manager):
    while True:
        await asyncio.sleep(1)
        await health.show(manager.ready())
