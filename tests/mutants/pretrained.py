"""Pretrained models: the index, what is checked, what a loaded one does, and how one is published."""

from mutants.mutant import of_file

LOADED = "tests/zoo/test_pretrained.py"
PUBLISHED = "tests/export/test_publish.py"
PACKED = "tests/export/test_saved_model.py -k fixed_point"
MIRRORED = "tests/export/test_mirror.py"
STARTED = "tests/trainers/test_init_from.py"
SERVED = "tests/export/serving/test_server_zoo.py -k one_of_them"
PIECES = "tests/export/serving/test_limits.py -k pieces"

MUTANTS = [
    *of_file(
        "zoo/pretrained/__init__.py",
        LOADED,
        ("asked in (None, row[key])", "asked is None"),
        ('        rows.sort(key=lambda row: row["metrics"][metric]["value"])\n', ""),
        ('if metric in row["metrics"]]', "]"),
        ('index.digest(version)[0] != packaged[name]["sha256"]', "False"),
        ("if text.startswith(PREFIX):", "if PREFIX in text:"),
    ),
    *of_file(
        "zoo/pretrained/__init__.py",
        MIRRORED,
        ("{**hub.read_index(), **index.read(home)}", "index.read(home)"),
        ("    if name not in packaged:\n", "    if name not in packaged or hub.read_index():\n"),
    ),
    *of_file(
        "zoo/pretrained/index.py",
        LOADED,
        ("        found.update(content)\n", ""),
        ('found.update(f"{path.relative_to(folder).as_posix()}\\0{len(content)}\\0".encode())', "pass"),
        ("size += len(content)", "size += 1"),
        ('values.check(entry.get(key), f"{where}, {name}.{key}")', "pass"),
        ('        OPTIONS.check(entry, f"{where}, {name}")\n', ""),
    ),
    *of_file(
        "zoo/pretrained/model.py",
        LOADED,
        ("tf.range(seed, seed + n", "tf.range(n"),
        ("return names.index(label)", "return 0"),
        ('whole(0, self.card["num_classes"] - 1)', 'whole(0, self.card["num_classes"])'),
        ('"sample_with_labels" not in self.card["signatures"]', "False"),
        ("if angle < 1e-6:", "if False:"),
        ("np.sin((1.0 - t) * angle) * one + np.sin(t * angle) * two) / np.sin(angle)", "(1.0 - t) * one + t * two)"),
        ("np.linalg.norm(one) * np.linalg.norm(two)", "np.linalg.norm(one) ** 2"),
    ),
    *of_file(
        "zoo/pretrained/networks.py",
        LOADED,
        ("value.astype(np.float32) * reader", "value.astype(np.float32) + 0 * reader"),
        ("    if load_weights:\n", "    if True:\n"),
        ("return generator + (sorted(", "return (sorted("),
    ),
    *of_file(
        "zoo/pretrained/networks.py",
        PUBLISHED,
        ("value if scale is None else value.astype(np.float32) * scale", "value"),
        (
            '            arrays[f"{number}"], arrays[f"{number}.scale"] = pack(value)',
            '            arrays[f"{number}"] = value.astype(np.float16)',
        ),
    ),
    *of_file(
        "zoo/network.py",
        LOADED,
        ("if isinstance(network, cls):", "if True:"),
        ("model.keras_model(name, load_weights)", "model.keras_model(name)"),
    ),
    *of_file(
        "zoo/pretrained/hub.py",
        MIRRORED,
        ('if index.digest(version)[0] == entry["sha256"]:', "if True:"),
        ('if index.digest(made)[0] != entry["sha256"]:', "if False:"),
        ('entry["archive"]["sha256"], "archive.zip"', 'None, "archive.zip"'),
        ("        shutil.rmtree(building, ignore_errors=True)\n", "        pass\n"),
        ("                _check_inside(item, where)\n", "                pass\n"),
        ("kind not in (0, stat.S_IFREG) or ", ""),
        ('{"", ".", ".."} & set(parts)', '{"", "."} & set(parts)'),
        ('{"", ".", ".."} & set(parts)', '{".", ".."} & set(parts)'),
        ('if size != entry["bytes"]:', "if False:"),
        ('open(target, "xb")', 'open(target, "wb")'),
        ("if model.exists() and index.digest(model) != index.digest(made):", "if False:"),
        ("        if not model.exists():\n            raise\n", "        raise\n"),
        ("        if not kept.exists():\n", "        if True:\n"),
        ("            write_whole(kept, content)\n", "            pass\n"),
        ("    with contextlib.suppress(OSError):\n        if not kept", "    if True:\n        if not kept"),
        ('        if "archive" not in entry:\n', "        if False:\n"),
        ("            response.raise_for_status()\n", ""),
        ("except (*_DAMAGE, FileExistsError)", "except FileExistsError"),
        ("with writing(CACHE, models):", "with contextlib.nullcontext():"),
    ),
    *of_file(
        "export/mirror.py",
        MIRRORED,
        ("zipfile.ZipInfo(path.relative_to(version).as_posix())", "zipfile.ZipInfo.from_file(path)"),
        ('        write_whole(out / "index.json", index.dump(entries))', "        pass"),
    ),
    *of_file(
        "trainers/networks.py",
        STARTED,
        ("            variable.assign(weight)\n", "            pass\n"),
        ("if shapes[0] != shapes[1]:", "if False:"),
        ("        if name not in stored.names(version):\n", "        if False:\n"),
    ),
    *of_file(
        "trainers/build.py",
        STARTED,
        (" and not (workdir and workdirs.holds_checkpoint(workdir))", ""),
        ("if config.init_from is not None and", "if False and"),
    ),
    *of_file(
        "trainers/config.py",
        STARTED,
        ('        pretrained.find_saved_model(config.init_from, "config.init_from")\n', "        pass\n"),
    ),
    *of_file(
        "export/serving/server.py",
        SERVED,
        ("return {values.model_name: pretrained.find", 'return {"default": pretrained.find'),
        (
            'pretrained.find_saved_model(path, "--model_base_path").parent',
            'pretrained.find_saved_model(path, "--model_base_path")',
        ),
    ),
    *of_file(
        "export/serving/json_tensors.py",
        PIECES,
        ("or value.nbytes <= _PIECE", "or True"),
        ("piece[1:-1] for piece", "piece for piece"),
        ("value[start : start + rows]", "value[start:]"),
    ),
    *of_file(
        "export/publish.py",
        PUBLISHED,
        ('        if not (made / EXTRA / "report.json").exists():\n', "        if False:\n"),
        ("if not _NAME.fullmatch(name):", "if not _NAME.match(name):"),
        ('.get("version", 0) + 1', '.get("version", 1)'),
        ("        if size > _MOST_BYTES:\n", "        if False:\n"),
        ("            building.rmtree()\n", "            pass\n"),
        ('index.read(home) if (home / "index.json").exists() else {}', "{}"),
        ("            version.rmtree()\n", "            pass\n"),
        ("            (version.parent / str(former)).rmtree()\n", "            pass\n"),
    ),
    *of_file(
        "export/packed_weights.py",
        PACKED,
        ("if not furthest <= 1.0:", "if furthest > 1e9:"),
        ("tf.cast(self.stored[int(index)], tf.float32) * scale", "tf.cast(self.stored[int(index)], tf.float32)"),
    ),
    *of_file(
        "zoo/pretrained/networks.py",
        PACKED,
        ("len(shape) >= 2", "len(shape) >= 1"),
        ("len(shape) >= 2", "len(shape) >= 3"),
        ("_LARGEST = 2**15 - 1", "_LARGEST = 2**7 - 1"),
        ("np.rint(weights / scale)", "np.floor(weights / scale)"),
    ),
]
