"""Mistakes in serving."""

from mutants.mutant import of_file

SERVING = "tests/export/serving"
BATCHING = f"{SERVING}/test_batching.py"
CLIENTS = f"{SERVING}/test_server_clients.py"
DEPLOY = f"{SERVING}/test_deploy.py"
CLIENT = f"{SERVING}/test_client.py"
ERRORS = f"{SERVING}/test_errors.py"
GALLERY = f"{SERVING}/test_gallery.py"
LABELS = f"{SERVING}/test_server_labels.py"
READY = f"{SERVING}/test_ready_for_serving.py"
FAULTS = f"{SERVING}/test_server_faults.py"
BAD_INPUT = "tests/export/serving/test_server_bad_input.py"
LIMITS = f"{SERVING}/test_limits.py"
MODELS = f"{SERVING}/test_models.py"
PROGRAM = f"{SERVING}/test_server_program.py"

MUTANTS = [
    # Polling for versions goes on after errors.
    *of_file(
        "export/serving/models.py",
        f"{MODELS} -k 'cannot_be_read or not_utf_8'",
        (
            "except Exception as error:  # whatever a file system may raise: what",
            "except ServingError as error:  # what",
        ),
        ("errors.inc()", "pass"),
        ("if trouble != model.trouble:", "if True:"),
        ("            model.trouble = trouble\n", "            model.trouble = trouble\n            raise\n"),
    ),
    *of_file(
        "export/serving/sources.py",
        f"{MODELS} -k 'cannot_be_read or not_utf_8 or policies or wrong_config'",
        ("return tf.io.gfile.stat(path).is_directory", "return tf.io.gfile.isdir(path)"),
        ("except UnicodeDecodeError as error:", "except ZeroDivisionError as error:"),
        ("if number in found]", "]"),
        ("sorted(found)[-", "sorted(found)[:"),
        ("names.add(config.name)", "pass"),
    ),
    *of_file(
        "export/serving/lifecycle.py",
        f"{PROGRAM} -k is_followed",
        ("except Exception as error:  # whatever a file system", "except ServingError as error:  # a file system"),
        ("if config != applied:", "if True:"),
        ("                applied = config\n", ""),
    ),
    # Loading: retries, and the fallback to an older version at startup.
    *of_file(
        "export/serving/models.py",
        f"{MODELS} -k tried_again",
        ("failures > self._max_retries", "failures >= self._max_retries"),
        ("get_running_loop().time() < known.retry_at", "get_running_loop().time() < 0"),
        ("            failures = known.failures\n", ""),
        ("== known.fingerprint", "== path"),
        ("Version(number, path, failures=failures)", "Version(number, path)"),
    ),
    *of_file(
        "export/serving/models.py",
        f"{MODELS} -k 'older_one or broken'",
        ("sorted(set(found) - set(aspired), reverse=True)", "sorted(set(found) - set(aspired))"),
        ("                if model.available():\n                    break\n", ""),
        ('in (None, "latest")', "in ()"),
        ('in (None, "latest")', 'in (None, "latest", "specific")'),
        ("if ready or not aspired:", "if True:"),
    ),
    *of_file(
        "export/serving/models.py",
        f"{MODELS} -k 'as_many_versions or forget'",
        ('ThreadPoolExecutor(load_threads, "load")', 'ThreadPoolExecutor(2, "load")'),
        ("        if running.cancelled():  # before it started\n            self._waiting.dec()\n", ""),
        ("        self._waiting.inc()\n", ""),
        ("self._metrics.forget(version.path)", "pass"),
    ),
    # Memory and time of requests.
    *of_file(
        "export/serving/rest.py",
        LIMITS,
        ("if len(body) > self._max_bytes:", "if False:"),
        ("if self._waiting_bytes > _BODIES * self._max_bytes:", "if False:"),
        ("self._waiting_bytes -= len(body)", "pass"),
        ("if len(body) > _LARGE and not self._give_back:", "if not self._give_back:"),
        ("self._threads.submit(give_back)", "pass"),
        ("signature.check_response(inputs, limits.json_response_bytes)", "pass"),
        ("check_outputs(outputs, limits.json_response_bytes)", "pass"),
        ("time.monotonic() + self._seconds", "time.monotonic() + 3600"),
        ("raise error.with_traceback(None) from None", "raise"),
    ),
    *of_file(
        "export/serving/rest.py",
        "tests/export/serving/test_rest_bodies.py",
        ("decoder.decompress(body, most + 1)", "decoder.decompress(body)"),
        ("decoder.decompress(body, most + 1)", "decoder.decompress(body, most)"),
        ("if len(plain) > most:", "if len(plain) >= most:"),
    ),
    *of_file(
        "export/serving/rest.py",
        BAD_INPUT,
        ("if not decoder.eof:", "if False:"),
        ("body[0] & 0xF != 8", "False"),
        ('if encoding not in ("gzip", "deflate"):', "if False:"),
        ('        logging.warning("REST %d: %s %s", status, request', "        (status, request"),
    ),
    *of_file("export/serving/lifecycle.py", BAD_INPUT, ("auto_decompress=False", "auto_decompress=True")),
    *of_file(
        "export/serving/grpc_service.py",
        LIMITS,
        ("signature.check_response(inputs, limits.response_bytes)", "pass"),
        ("check_outputs(outputs, limits.response_bytes)", "pass"),
        ("min(left, self._seconds)", "left"),
        ("min(left, self._seconds)", "self._seconds"),
        ("version.run(signature, inputs, deadline)", "version.run(signature, inputs, deadline + 60)"),
    ),
    *of_file("export/serving/api.py", LIMITS, ("raise error.with_traceback(None) from None", "raise error from None")),
    *of_file(
        "export/serving/json_tensors.py",
        LIMITS,
        ("if len(instances) > limits.examples:", "if False:"),
        ("    gc.disable()\n", ""),
        ("        if collects:\n            gc.enable()\n", "        pass\n"),
    ),
    *of_file(
        "export/serving/servable.py",
        LIMITS,
        ("rows * math.prod(lengths)", "math.prod(lengths)"),
        ("sum(sum(map(len, array.flat)) if array.dtype == object else array.nbytes for", "sum(array.nbytes for"),
    ),
    *of_file(
        "export/serving/servable.py",
        f"{MODELS} -k tells_tensorflow",
        ("options.timeout_in_ms = max(int(1e3 * (deadline - time.monotonic())), 1)", "pass"),
        ("tf.compat.v1.RunOptions(inter_op_thread_pool=pool)", "tf.compat.v1.RunOptions()"),
        ("self._pools.put(pool)", "pass"),
        ("except tf.errors.DeadlineExceededError as error:", "except ZeroDivisionError as error:"),
    ),
    *of_file(
        "export/serving/batching.py",
        BATCHING,
        ("max(task.deadline for task in tasks)", "min(task.deadline for task in tasks)"),
        ("except tf.errors.OpError as error:", "except Exception as error:"),
        ("[task for task in batch.tasks if not task.future.done()]", "batch.tasks"),
        ("self._scheduler.waiting.inc()", "pass"),
        ("self._scheduler.waiting.dec()", "pass"),
        ("self.parameters.padded(sum(task.size for task in batch.tasks))", "len(batch.tasks)"),
        ("(now - task.arrival) * 1e6", "now - task.arrival"),
    ),
    *of_file(
        "export/serving/lifecycle.py",
        f"{FAULTS}",
        ("await asyncio.wait_for(manager.close(), _CLOSE_SECONDS)", "await manager.close()"),
        ("os._exit(0 if answered else 1)", "os._exit(1)"),
    ),
    # Errors and their log messages.
    *of_file(
        "export/serving/errors.py",
        ERRORS,
        (r"\n\t \[\[|", ""),
        (r"|\nTraceback \(most recent call last\)", ""),
        (r"|\n\nOriginal stack trace", ""),
        ("Graph execution error:|Detected at node |Node: |", ""),
        (r"|\d+ root error\(s\) found", ""),
        ('return repr(text if len(text) <= longest else f"{text[:longest]}…")', "return repr(text)"),
        ('text = " ".join(text.split())\n    return repr(', "return str("),
        ("cause or error.message or type(error).__name__", "cause"),
    ),
    *of_file(
        "export/serving/api.py",
        f"{PROGRAM} -k 'logged or cancelled'",
        (
            "level = logging.INFO if code in _NO_FAULT else logging.ERROR if code in _OWN_FAULT else logging.WARNING",
            "level = logging.DEBUG",
        ),
        ('f": {one_line(error.message)}"', '""'),
        ("1e3 * took", "took"),
        ("known or one_line(name, 64)", "name"),
    ),
    *of_file(
        "export/serving/grpc_service.py",
        f"{PROGRAM} -k logged_too",
        (
            'logging.warning("GRPC malformed %s from %s: %s", method.name, context.peer(), error)',
            "pass",
        ),
        (
            'await self._answer(context, "", "Classify", self._not_supported("Classify"))',
            'await context.abort(Code.UNIMPLEMENTED, "Classify is not supported")',
        ),
    ),
    *of_file(
        "export/serving/grpc_service.py",
        f"{PROGRAM} -k replace_a_config",
        (
            'logging.warning("%s sends a config and is',
            'logging.debug("%s sends a config and is',
        ),
        ("if not self._allow_reload:", "if False:"),
        ('logging.error("the config of %s cannot be taken: %s", context.peer(), error.message)', "pass"),
    ),
    *of_file(
        "export/serving/lifecycle.py",
        f"{PROGRAM} -k 'replace_a_config or sizes or flags_of_loading'",
        (
            "bool(options.model_config_file) if allow_reload is None else allow_reload",
            "bool(options.model_config_file)",
        ),
        ("bool(options.model_config_file) if allow_reload is None else allow_reload", "allow_reload is not False"),
        ("options.max_json_request_mib * _MIB", "options.max_request_mib * _MIB"),
        ("max_bytes=options.max_request_mib * _MIB", "max_bytes=options.max_response_mib * _MIB"),
        ("options.max_response_mib * _MIB,", "options.max_json_response_mib * _MIB,"),
        ("load_threads=options.num_load_threads or 1", "load_threads=1"),
        ("max_load_retries=options.max_num_load_retries", "max_load_retries=5"),
        ("options.load_retry_interval_micros / 1e6", "60"),
    ),
    *of_file(
        "export/serving/server.py",
        f"{PROGRAM} -k 'readme or are_accepted or verbosity'",
        ('"max_json_request_mib", 4,', '"max_json_request_mib", 16,'),
        ('flags.DEFINE_alias("enable_cors_support", "rest_api_enable_cors_support")', "pass"),
        ('if not values["verbosity"].present:', "if True:"),
        ("model_server_flags.check(values)", "pass"),
    ),
    *of_file(
        "export/serving/model_server_flags.py",
        f"{PROGRAM} -k 'are_accepted or are_refused'",
        ("if values[name].value != default:", "if False:"),
        ("if values[name].present:", "if True:"),
        ('    "num_unload_threads": (0, "unloading uses the threads of --num_load_threads"),\n', ""),
    ),
    # Behaviour towards clients.
    *of_file(
        "export/serving/lifecycle.py",
        f"{PROGRAM} -k 'ipv6 or other_sites or parsed_at'",
        ("(signal.SIGTERM, signal.SIGINT, signal.SIGHUP)", "(signal.SIGTERM, signal.SIGINT)"),
        ('f"[{host}]:{options.port}" if ":" in host else f"{host}:{options.port}"', 'f"{host}:{options.port}"'),
        ('options.bind_address.strip("[]")\n', "options.bind_address\n"),
        ('options.bind_address.strip("[]"), options.rest_api_port', "options.bind_address, options.rest_api_port"),
        ("if options.rest_api_enable_cors_support:", "if True:"),
        ("options.rest_api_num_threads or rest.THREADS", "rest.THREADS"),
    ),
    *of_file(
        "export/serving/lifecycle.py",
        f"{PROGRAM} -k 'no_http or hangs_up'",
        ("server_logger.addFilter(_malformed_in_a_line)", "pass"),
        ("handler_cancellation=True", "handler_cancellation=False"),
    ),
    *of_file(
        "export/serving/rest.py",
        f"{PROGRAM} -k hangs_up",
        ("except ConnectionError:", "except ZeroDivisionError:"),
    ),
    *of_file(
        "export/serving/rest.py",
        f"{PROGRAM} -k other_sites",
        ('if request.method == "OPTIONS":', "if False:"),
        ('if re.match("https?://", request.headers.get("Origin", "")):', "if True:"),
        ('if re.match("(?i)/v1/", request.path):', "if True:"),
        ('["Access-Control-Allow-Headers"] = "Content-Type"', '["Access-Control-Allow-Headers"] = "*"'),
    ),
    *of_file(
        "export/serving/rest.py",
        f"{PROGRAM} -k version_in_a_path",
        ("if len(digits) > 19 or int(digits) >= 2**63:", "if int(digits) >= 2**63:"),
        ("if len(digits) > 19 or int(digits) >= 2**63:", "if len(digits) > 19:"),
        ('match["version"].lstrip("0") or "0"', 'match["version"]'),
    ),
    *of_file(
        "export/serving/gallery.py",
        f"{PROGRAM} -k link_out",
        ("or not _inside(folder, path)", ""),
        ("return path.is_relative_to(folder)", "return str(path).startswith(str(folder.parent))"),
        ("await asyncio.to_thread(_read, version.path, file)", "_read(version.path, file)"),
    ),
    *of_file(
        "export/serving/grpc_service.py",
        f"{CLIENTS} -k 'health or long_message'",
        ("(service.name, service.full_name)", "(service.full_name,)"),
        ("if len(text) > _LONGEST_MESSAGE:", "if False:"),
        ('text.decode(errors="ignore")', "text.decode()"),
    ),
    # Labels of classes.
    *of_file(
        "export/serving/client.py",
        f"{LABELS} -k refuses",
        ("if labels.shape not in ((), (count,)) or", "if"),
        (' or (labels.size and labels.dtype.kind not in "iu")', ""),
    ),
    *of_file(
        "export/serving/client.py",
        f"{LABELS} -k 'for_all_or_one_each or asks_a_server'",
        ("column[start : start + batch_size]", "column[:batch_size]"),
        ('self._stream("png", seeds, labels, captions, batch_size)', 'self._stream("png", seeds, None, None, 64)'),
        ('_one_each(labels, count)}, "_with_labels"', '_one_each(0, count)}, "_with_labels"'),
    ),
    *of_file(
        "export/serving/client.py",
        f"{CLIENT} -k nobody_waits",
        ("self._spec.version_label = version_label", "pass"),
    ),
    *of_file(
        "export/sample.py",
        f"{LABELS} -k asks_a_server",
        ("client.sample(seeds, label, ", "client.sample(seeds, "),
    ),
    *of_file(
        "export/serving/warmup.py",
        f"{READY} -k warm_up",
        ('if spec.name != "seeds":', 'if spec.name == "latents":'),
        ("_BATCHES = (1, 64)", "_BATCHES = (1,)"),
    ),
    *of_file(
        "export/serving/gallery.py",
        f"{PROGRAM} -k papers",
        ('    "model_card.json": "application/json",\n', ""),
    ),
    *of_file(
        "export/serving/gallery.html",
        f"{GALLERY} -k 'class'",
        ("if (!classes) return null;", "if (!state.class) return null;"),
        ("ends[index < count / 2 ? 0 : 1]", "ends[0]"),
        ('if (!state.class) kept.delete("class");', ""),
        ("!(state.class in (classes ?? []))", "false"),
        ("&& error.status !== 404", ""),
        ("signatures = {}; classes = null;", "signatures = {};"),
    ),
    # Metrics and logs.
    *of_file(
        "export/serving/monitoring.py",
        f"{MODELS} -k metrics",
        ("self._load_times.pop((path,), None)", "pass"),
        ('self._warmup.remove(path, "OK")', "pass"),
        ("self._loads.pop((path, status), None)", "pass"),
    ),
    *of_file(
        "export/serving/monitoring.py",
        f"{PROGRAM} -k metrics",
        ("prometheus_client.ProcessCollector(registry=self._registry)", "pass"),
        (r're.sub(rb"(?m)^(# (?:HELP|TYPE) :tensorflow:\S+)_total ", rb"\1 ", text)', "text"),
        ("load_seconds * 1e6", "load_seconds"),
        ("observe(warmup_seconds * 1e6)", "observe(load_seconds * 1e6)"),
        ('self._loads[path, "success"] += 1', "pass"),
    ),
    *of_file(
        "export/serving/api.py",
        f"{PROGRAM} -k under_way_are",
        ("with self.metrics.in_flight(entrypoint):", "if True:"),
    ),
    *of_file(
        "export/serving/api.py",
        f"{PROGRAM} -k metrics_count",
        ('name if self.manager.knows(name) else ""', "name"),
    ),
    *of_file(
        "deploy/kubernetes/embedded-server.yaml",
        f"{DEPLOY} -k 'not health_check'",
        ("--run_threads=2", "--run_thread=2"),
        ("--shutdown_grace_seconds=30", "--shutdown_grace_seconds=60"),
        ("num_batch_threads { value: 2 }", "num_batch_threads { value: 4 }"),
        ("runAsNonRoot: true", "runAsNonRoot: false"),
    ),
    *of_file(
        "deploy/kubernetes/tensorflow-serving.yaml",
        f"{DEPLOY} -k 'not health_check'",
        ("--tensorflow_session_parallelism=2", "--run_threads=2"),
        ("path: /monitoring/prometheus/metrics}", "path: /metrics}"),
    ),
    *of_file(
        "deploy/Dockerfile",
        f"{DEPLOY} -k image",
        ("USER 65532:65532", "USER root"),
        ("COPY zoo zoo\n", ""),
        (".status == 1", ".status >= 0"),
        ("127.0.0.1:8500", "127.0.0.1:8501"),
    ),
]
