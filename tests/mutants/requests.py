"""Mistakes in refusing requests, in what a terminal shows, and in the features that an evaluation takes."""

from mutants.mutant import of_file

CHECKS = "tests/trainers/test_config_checks.py"
MEMORY = "tests/trainers/test_memory.py"
PROGRAM = "tests/trainers/test_program.py"
CALLBACKS = "tests/trainers/test_callbacks.py"
PROGRESS = "tests/zoo/test_progress.py"
SAMPLE = "tests/export/test_sample.py"
MODEL_CARD = "tests/export/test_model_card.py"
EVALUATE = "tests/export/test_evaluate.py"
FEATURES = "tests/export/metrics/test_features.py"
#: A program that loads TensorFlow without `start_tensorflow`.
LOADED = ("program.start_tensorflow()", "import tensorflow")

MUTANTS = [
    *of_file(
        "trainers/config.py",
        CHECKS,
        ("0 <= value < 2**32", "0 <= value < 2**33"),
        ("not isinstance(value, bool)\n\n\ndef _is_count", "True\n\n\ndef _is_count"),
        ("_MOST = 2**31 - 1", "_MOST = 2**63 - 1"),
        ("_is_count(value) and value <= 100", "_is_count(value)"),
        ('"latent_dim": _POSITIVE', '"latent_dim": _WHOLE'),
        ("all(map(_is_count, value))", "all(map(_is_whole, value))"),
        ("and not math.isfinite(number)", "and math.isnan(number)"),
        ("_MOST_MOVES = 100", "_MOST_MOVES = 10**9"),
        ('(("critic_steps", 1), ("steps", 0))', '(("critic_steps", 0), ("steps", 0))'),
        ("        if option not in known:\n", "        if False:\n"),
        ("if key != choice and key not in flags_given:", "if key != choice:"),
        ("for option in config[group] if option not in known]", "for option in config[group]]"),
        ("for option in config[group] if option not in known]", "for option in config[group] if option in known]"),
        ('"generator.family": ("generator", ', '"generator.family": ("critic", '),
        ("if choice in flags_given else ()", ""),
        ("frames[-1].lineno", "frames[0].lineno"),
        ("if frame.filename == file]", "]"),
        ("if isinstance(error, SyntaxError) and error.lineno:", "if False:"),
        (
            "        except Exception as error:\n            raise ValueError(_told",
            "        except ImportError as error:\n            raise ValueError(_told",
        ),
        ("if not os.path.isfile(file):", "if False:"),
        ("if not isinstance(config, ml_collections.ConfigDict):", "if False:"),
        ("*[variant] if colon else []", "*[]"),
    ),
    *of_file(
        "trainers/optimizers.py",
        CHECKS,
        ("is_amount(value) and value < 1,", "is_amount(value) and value <= 1,"),
        ("is_amount(value) and value < 1,", "value < 1,"),
        ("is_amount(value) and value > 0,", "is_amount(value),"),
        ('"learning_rate": _AMOUNT', '"learning_rate": _SWITCH'),
        ("        if option not in known:", "        if False:"),
        ("        if not holds(value):", "        if False:"),
        ("OPTIMIZERS, 3, 0.5)", "OPTIMIZERS, 3, 1.0)"),
        ('"sgd": ("momentum", "nesterov")', '"sgd": ("momentum", "nesterov", "beta_1")'),
        ("if option not in _RANGES or (value is None and option in _OPTIONAL):", "if option not in _RANGES:"),
        ("options_of(name) if name else (*_COMMON, ", "options_of(name) or (*_COMMON, "),
        ("(*_COMMON, *(option for own in OPTIMIZERS.values() for option in own))", "_COMMON"),
    ),
    *of_file(
        "trainers/memory.py",
        MEMORY,
        ("objectives.METHODS.load(config.objective).configured]", '("generator", "critic")]'),
        ("if weights + batch > available:", "if weights > available:"),
        ("if weights + batch > available:", "if batch > available:"),
        (
            "_least(config, spec, config.train.batch_size // replicas)",
            "_least(config, spec, config.train.batch_size)",
        ),
        ("for part in (generator, generator, *others)", "for part in (generator, *others)"),
        ("for part in (generator, generator, *others)", "for part in (generator, generator)"),
        ("            part(made, training=True, **", "            dict(**"),
        ('_KEPT = ("MatMul", ', "_KEPT = ("),
        ("output.shape.num_elements() * output.dtype.size", "output.shape.num_elements()"),
        ("return min(sizes)", "return sizes[0]"),
        ("contextlib.suppress(OSError, ValueError)", "contextlib.suppress(OSError)"),
    ),
    *of_file(
        "trainers/program.py",
        f"{PROGRAM} -k 'not wrong_request'",
        ('    "All log messages before absl::InitializeLog",\n', ""),
        (r'    r"^I0000 00:00:",' + "\n", ""),
        ("return _HARMLESS if gpu else [*_HARMLESS, _NO_GPU]", "return _HARMLESS"),
        ("return _HARMLESS if gpu else [*_HARMLESS, _NO_GPU]", "return [*_HARMLESS, _NO_GPU]"),
        ("if not re.search(os.fsencode(sys.argv[1]), line):", "if False:"),
        ("os.dup2(through.stdin.fileno(), 2)", "pass"),
        ('os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")', 'os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "0")'),
        ("or record.pathname.startswith(_OURS)", "or True"),
        ("or record.pathname.startswith(_OURS)", ""),
        ("        # absl's help flags end with 1, though nothing is wrong.\n        sys.exit(0)", "        raise"),
        ("            if _disk_full(error):", "            if False:"),
        ("return error.errno in FULL", "return False"),
        ("return any(os.strerror(code) in str(error) for code in FULL)", "return False"),
        ("            if asked := _out_of_memory(error):", "            if asked := False:"),
        ("    if isinstance(error, MemoryError):", "    if False:"),
        ('return " ".join(str(error).split())', "return str(error)"),
        ("128 + signum)", "1)"),
        (
            'smaller networks and batches take less ({asked})", 1)',
            'smaller networks and batches take less ({asked})", 2)',
        ),
    ),
    *of_file(
        "trainers/program.py",
        f"{PROGRAM} -k 'wrong_request'",
        ("if len(argv) > 1:", "if len(argv) > 2:"),
        ("    except (flags.Error, TypeError, ValueError, OSError) as error:", "    except OSError as error:"),
    ),
    *[
        row
        for program in (
            "trainers/train",
            "export/saved_model",
            "export/metrics/train_classifier",
            "export/serving/server",
        )
        for row in of_file(f"{program}.py", f"{PROGRAM} -k every_program", LOADED)
    ],
    *of_file(
        "export/evaluation/subject.py",
        f"{PROGRAM} -k every_program",
        (
            "    log = workdirs.read_metrics(workdir)\n    program.start_tensorflow()\n",
            "    log = workdirs.read_metrics(workdir)\n",
        ),
    ),
    *of_file(
        "export/sample.py",
        f"{PROGRAM} -k every_program",
        ("    if given.saved_model:\n        program.start_tensorflow()\n", "    if given.saved_model:\n"),
        (
            "        check_address(given.server)\n        program.start_tensorflow()\n",
            "        check_address(given.server)\n",
        ),
    ),
    *of_file(
        "trainers/callbacks.py",
        CALLBACKS,
        ("if left > 3600:", "if left > 360_000:"),
        ("if left > 3600:", "if left > 360:"),
        ("_STEPS_TO_JUDGE:", "_STEPS_TO_JUDGE + 1:"),
        ("            self._first = ()", "            self._first = (step, now)"),
        ("(now - self._first[1])", "(now - self._began)"),
        ("seconds * (self.total_steps - step)", "seconds * self.total_steps"),
    ),
    *of_file(
        "zoo/progress.py",
        PROGRESS,
        ('if _columns() else {"ncols": _COLUMNS, "nrows": 24}', ""),
        ("_COLUMNS = 80", "_COLUMNS = 200"),
        ("_WORTH_A_LINE = 0.2, 1.0", "_WORTH_A_LINE = 0.2, 0.0"),
        ("seconds_between_lines=10.0", "seconds_between_lines=20.0"),
        ("speed = (done - self._first)", "speed = done"),
        ("(self.total - done) / speed", "self.total / speed"),
    ),
    *of_file(
        "export/sample.py",
        SAMPLE,
        ("_MOST_DRAWN, _MOST_BYTES = 10_000, 4 * 2**30", "_MOST_DRAWN, _MOST_BYTES = 100_000, 4 * 2**30"),
        ("_MOST_DRAWN, _MOST_BYTES = 10_000, 4 * 2**30", "_MOST_DRAWN, _MOST_BYTES = 10_000, 8 * 2**30"),
        ("    if _names_folder(out):\n        return\n", ""),
        ("    if num > most:", "    if num >= most * 2:"),
        ("held[progress.done : progress.done + len(batch)]", "held[: len(batch)]"),
        ("enumerate(samples, first_seed)", "enumerate(samples)"),
    ),
    *of_file(
        "export/sample.py",
        f"{SAMPLE} -k one_label",
        ("np.full_like(seeds, label)", "np.zeros_like(seeds)"),
        ("    if label is not None and generator.sample_with_labels is None:", "    if False:"),
        ("    except tf.errors.InvalidArgumentError as error:", "    except KeyError as error:"),
    ),
    *of_file(
        "export/sample.py",
        f"{SAMPLE} -k wrong_request",
        ("    if label is not None:\n        label = ", "    if label is not None and card:\n        label = "),
        ('"; a version\'s label is --version_label" if given.server else ""', '""'),
        ('("model", "version", "version_label")', '("model", "version")'),
    ),
    *of_file(
        "export/model_card.py",
        f"{MODEL_CARD} -k class",
        ('    if "signatures" in card and ', "    if "),
        ('"sample_with_labels" not in card["signatures"]:', "False:"),
        ("int(asked) < count", "int(asked) <= count"),
        ("if count is None or int(asked) < count:", "if int(asked) < (count or 10):"),
        ('re.fullmatch("[0-9]{1,18}", asked)', 're.fullmatch("[0-9]+", asked)'),
        ("    elif asked in names:\n", "    if asked in names:\n"),
        ("if len(names) <= _MOST_NAMES else", "if True else"),
        ("get_close_matches(asked, names, 5, 0.5)", "get_close_matches(asked, names, 5, 0.0)"),
        ('if count else f"a class number, 0 or more{hint}"', 'if count else "a class number, 0 or more"'),
        ('**({"num_classes": int(sampler.num_classes)} if takes_labels(sampler) else {}),', ""),
    ),
    *of_file(
        "export/evaluate.py",
        EVALUATE,
        ('    print(writer.headlines(json.loads((page.parent / "report.json").read_text())))\n', ""),
    ),
    *of_file(
        "export/metrics/features.py",
        f"{FEATURES} -k 'held_against_chance or one_class or without_labels or learnt_once'",
        ("_USELESS, _WEAK = 0.2, 0.5", "_USELESS, _WEAK = 0.1, 0.5"),
        ("_USELESS, _WEAK = 0.2, 0.5", "_USELESS, _WEAK = 0.2, 0.2"),
        ("        if extractor.skill < _USELESS:", "        if False:"),
        ("/ (1 - self.chance) if self.chance < 1 else 0.0", "/ (1 - self.chance) if self.chance < 1 else 1.0"),
        ("(self.test_accuracy - self.chance)", "self.test_accuracy"),
        ("np.bincount(test_labels).max()", "np.bincount(test_labels).min()"),
        ("    if labels.min() == labels.max():", "    if False:"),
        ('if checksum != metadata.get("checksum"):', "if False:"),
        ('lack = "no labels" if not dataset.num_classes else', 'lack = "no labels" if dataset.num_classes else'),
    ),
    *of_file(
        "export/metrics/inception.py",
        f"{FEATURES} -k 'inception'",
        ("keras.utils.get_file(KERAS_WEIGHTS, ", "keras.utils.get_file(str(places[0]), "),
        ("cache_subdir=str(directory)", 'cache_subdir="models"'),
        ("    if path is None:\n", "    if True:\n"),
        (
            "    except (OSError, ValueError) as error:\n        raise RequestError(f\"features 'inception_v3':",
            "    except KeyError as error:\n        raise RequestError(f\"features 'inception_v3':",
        ),
        ("tf.image.resize(colour, (299, 299))", "tf.image.resize(colour, (75, 75))"),
    ),
    *of_file(
        "export/metrics/train_classifier.py",
        f"{FEATURES} -k 'the_program'",
        ("recipe=recipe", 'recipe=""'),
        ("_OUT.value, steps=_STEPS.value", "None, steps=_STEPS.value"),
    ),
    *of_file(
        "trainers/strategies.py",
        "tests/trainers/test_gan.py::test_options_of_optimizers_that_do_not_work_here_are_refused",
        ("if count > 1 and any(", "if count > 2 and any("),
    ),
]
