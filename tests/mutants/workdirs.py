"""Mistakes in workdirs, in training with several workers, and in how programs end."""

from mutants.mutant import of_file

LOCK = "tests/trainers/test_lock.py"
WORKERS = "tests/trainers/test_workers.py"
TOGETHER = "tests/trainers/test_multi_worker.py"
PROGRAM = "tests/trainers/test_program.py"
TRAINING = "tests/trainers/test_training.py"
CHECKPOINTS = "tests/trainers/test_checkpoints.py"
RUNS = "tests/trainers/test_runs.py"
GAN = "tests/trainers/test_gan.py"

MUTANTS = [
    *of_file(
        "trainers/lock.py",
        LOCK,
        ("fcntl.LOCK_SH", "fcntl.LOCK_UN"),
        ("        path.unlink(missing_ok=True)", "        pass"),
        ("if os.path.samestat(os.fstat(file.fileno()), os.stat(path)):", "if True:"),
        ('holder = file.read().strip() or "another process"', 'holder = "another process"'),
        ("        file.flush()", "        pass"),
        ("        return False\n    except OSError as error:", "        return True\n    except OSError as error:"),
        ('return "://" not in os.fspath(path)', "return True"),
        ("        logging.warning(", "        raise\n        logging.warning("),
    ),
    *of_file(
        "trainers/workers.py",
        WORKERS,
        ("if isinstance(index, bool) or (job, index) not in named:", "if False:"),
        ("return addresses, named.index((job, index))", "return addresses, index"),
        ("except (ValueError, AttributeError, TypeError) as error:", "except ValueError as error:"),
        ('if not address.rpartition(":")[2].isdecimal():', "if False:"),
        ("missing = {address for address in missing if not _answers(address)}", "missing = set()"),
        ("told = -math.inf", "told = math.inf"),
        ("                    listening.accept()[0].close()", "                    raise BlockingIOError"),
        ("    if not missing:\n        return\n    port", "    port"),
        ("        if not are_several(strategy):\n            raise\n", ""),
        ("errors.UnavailableError, ", ""),
    ),
    *of_file(
        "trainers/workers.py",
        TOGETHER,
        ("        if differing:", "        if False:"),
        ("strategy.num_replicas_in_sync // len(cluster()[0])", "1 / 2"),
    ),
    *of_file(
        "trainers/strategies.py",
        f"{WORKERS} {PROGRAM} -k 'tf_config or workers'",
        ("return not _joins_workers(name) or workers.cluster()[1] == 0", "return True"),
        ('if name == "multi_worker" and not workers.cluster()[0]:', "if False:"),
        (
            '        raise RequestError("--strategy: multi_worker needs',
            '        raise ValueError("--strategy: multi_worker needs',
        ),
        ("    _joins_workers(name)\n\n\ndef", "\n\ndef"),
    ),
    *of_file(
        "trainers/strategies.py",
        TOGETHER,
        ("    signal.signal(signal.SIGTERM, signal.getsignal(signal.SIGTERM))", ""),
    ),
    *of_file(
        "trainers/callbacks.py",
        TOGETHER,
        ("arrived = self._total([", "arrived = np.asarray(["),
        ('signum.name if self._signal else f"{signum.name} at another worker"', "signum.name"),
    ),
    *of_file(
        "trainers/callbacks.py",
        f"{TRAINING} -k signal_saves",
        ("            self.checkpoints.save(self.model)\n            # Nobody", "            # Nobody"),
        ("        signal.signal(signum, self._previous[signum])", "        pass"),
        ("            signal.signal(signum, handler)", "            pass"),
    ),
    *of_file(
        "trainers/callbacks.py",
        f"{TRAINING} -k first_to_move",
        (
            "for player in self.model.players\n            for what",
            'for player in ("critic", "generator")\n            for what',
        ),
        (
            "for player in self.model.players\n            for what",
            "for player in sorted(self.model.players)\n            for what",
        ),
    ),
    *of_file(
        "trainers/players.py",
        f"{GAN} -k clip",
        ("        optimizer._all_reduce_sum_gradients = list", ""),
    ),
    *of_file("zoo/replicas.py", f"{GAN} -k clip", ("return mean_over_replicas(gradients)", "return gradients")),
    *of_file(
        "trainers/players.py",
        f"{GAN} -k options_of_optimizers",
        ("if value and replicas > 1:", "if value and replicas > 2:"),
        ('("gradient_accumulation_steps", "ema_overwrite_frequency")', '("gradient_accumulation_steps",)'),
    ),
    *of_file(
        "trainers/program.py",
        f"{PROGRAM} -k 'early or foresaw'",
        (
            "    signal.signal(signal.SIGTERM, terminate)\n",
            "    signal.signal(signal.SIGTERM, signal.default_int_handler)\n",
        ),
        ("return error.errno in FULL", "return False"),
        ("return any(os.strerror(code) in str(error) for code in FULL)", "return False"),
        ('return error.filename or ""', 'return ""'),
        ('return named[1] if named else ""', 'return ""'),
        ("if isinstance(stopped, _Terminated)", "if False"),
        ("128 + signum)\n", "1)\n"),
        (
            '                _fail(f"the disk is full{where}',
            '                raise\n                _fail(f"the disk is full{where}',
        ),
    ),
    *of_file(
        "trainers/workdir.py",
        f"{TRAINING} -k is_extended",
        ("if not changed:", "if True:"),
        ('[*held["changes"], {"step": step, **changed}]', '[{"step": step, **changed}]'),
        ("    if changes:\n", "    if False:\n"),
    ),
    *of_file(
        "trainers/training.py",
        f"{TRAINING} -k is_extended",
        ("run.spec, restored or 0)", "run.spec, 0)"),
    ),
    *of_file(
        "trainers/workdir.py",
        f"{RUNS} -k 'may_change or taken_may_not or without_their or names_what_differs'",
        ('    elif checkpoint_steps(workdir / "checkpoints"):', "    elif False:"),
        ('        if options.get("name", key) == "instance_noise" and len(options):', "        if False:"),
        ("if held.get(key) != asked.get(key)", "if key in held and held.get(key) != asked.get(key)"),
        ('    "data.on_corrupt": "', '    "data.on_corrupted": "'),
        ('    "train.on_nonfinite": "', '    "train.on_infinite": "'),
    ),
    *of_file(
        "trainers/checkpoints.py",
        CHECKPOINTS,
        ("        if aside.exists():\n            aside.rmtree()\n", ""),
        ('self.directory / f".writing_{target.name}"', "target"),
        (
            '            raise RequestError(f"{self.directory}: none of its',
            '            return None\n            raise RequestError(f"{self.directory}: none of its',
        ),
    ),
    *of_file(
        "export/saved_model.py",
        "tests/export/test_saved_model.py -k 'half_way or same_moment'",
        ("        building.rmtree(missing_ok=True)", "        pass"),
        (
            "    except BaseException:  # Ctrl-C too: whatever ends this early leaves nothing half-built",
            "    except Exception:",
        ),
        ("            if folder.exists() and not any(folder.iterdir()):", "            if False:"),
        ("            if not version.exists():\n                raise", "            raise"),
    ),
    *of_file(
        "zoo/files.py",
        "tests/zoo/test_files.py",
        ("        building.unlink(missing_ok=True)", "        pass"),
        ("    except BaseException:  # Ctrl-C too", "    except Exception:  # Ctrl-C too"),
        ('building = path.parent / f".{path.name}.{uuid.uuid4().hex[:8]}"', "building = path"),
        ("        probe.unlink()", "        pass"),
        ("while not standing.exists() and standing.parent != standing:", "while False:"),
    ),
    *of_file(
        "export/generators.py",
        "tests/export/test_generators.py -k damaged",
        (
            "except (OSError, ValueError, LookupError, tf.errors.OpError) as error:",
            "except (OSError, ValueError, LookupError) as error:",
        ),
    ),
]
