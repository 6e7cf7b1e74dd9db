"""README.md and docs/: Python blocks run, commands have the flags that they name, and the site builds."""

import dataclasses
import json
import os
import pathlib
import re
import shlex
import socket
import subprocess
import sys

import grpc
import pytest
from absl import flags
from markdown_it import MarkdownIt
from ml_collections import config_flags

import zoo
from benchmarks import results, ring
from export.comparison.entries import Entry
from trainers import config as config_checks

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *sorted((ROOT / "docs").glob("*.md"))]
_PROGRAM = re.compile(r"^(?:[A-Z_]+=\S+ )*python -m ((?:trainers|export|benchmarks)\.[\w.]+ ?.*)$")


def blocks(language):
    """(page, line before the first, source) of each block of code."""
    return [
        (page, token.map[0] + 1, token.content)
        for page in PAGES
        for token in MarkdownIt().parse(page.read_text())
        if token.type == "fence" and token.info.split()[:1] == [language]
    ]


def commands():
    """The arguments of ``python -m`` of every command in the shell blocks, and of those within a line of text."""
    lines = [line for *_, source in blocks("sh") for line in source.replace("\\\n", " ").splitlines()]
    for page in PAGES:
        lines += [" ".join(code.split()) for code in re.findall(r"(?<!`)`(python -m [^`]+)`", page.read_text())]
    found = [tuple(shlex.split(match[1], comments=True)) for line in lines if (match := _PROGRAM.match(line))]
    return list(dict.fromkeys(found))


def run(page, line, source):
    # The line numbers of an error are those of the page.
    exec(compile("\n" * line + source, page, "exec"), {"__name__": "__main__"})


@pytest.fixture(scope="module")
def server(tmp_path_factory):
    """Address of a server of digits/conditional, as model `digits`."""
    with socket.socket() as one, socket.socket() as two:
        ports = [(probe.bind(("127.0.0.1", 0)), probe.getsockname()[1])[1] for probe in (one, two)]
    command = f"-m export.serving.server --model_base_path=zoo:digits/conditional --model_name=digits --port={ports[0]}"
    environment = {**os.environ, "CUDA_VISIBLE_DEVICES": ""}
    process = subprocess.Popen([sys.executable, *command.split(), f"--rest_api_port={ports[1]}"], env=environment)
    with grpc.insecure_channel(f"localhost:{ports[0]}") as channel:
        grpc.channel_ready_future(channel).result(timeout=400)
    yield f"localhost:{ports[0]}"
    process.terminate()
    process.wait()


@pytest.mark.parametrize("block", blocks("python"), ids=lambda block: f"{block[0].name}:{block[1]}")
def test_python_blocks_run_by_themselves(block, tmp_path, monkeypatch, request):
    page, line, source = block
    if "localhost:8500" in source:
        source = source.replace("localhost:8500", request.getfixturevalue("server"))
    monkeypatch.chdir(tmp_path)
    run(page, line, source)


def test_the_readme_shows_the_picture_that_its_first_block_draws(tmp_path, monkeypatch):
    import numpy as np
    from PIL import Image

    monkeypatch.chdir(tmp_path)
    run(*blocks("python")[0])
    shown = re.search(r"!\[.*?\]\((.*?)\)", (ROOT / "README.md").read_text())[1]
    drawn, shown = (np.asarray(Image.open(path), int) for path in ("samples.png", ROOT / shown))
    np.testing.assert_allclose(drawn, shown, atol=1)  # other processors round otherwise


def test_the_results_on_fashion_mnist_are_those_of_the_index(monkeypatch):
    monkeypatch.delenv("GAN_ZOO_HUB", raising=False)
    models = zoo.list_models(data="fashion_mnist", metric="frechet_distance")
    assert models.to_markdown("frechet_distance", "precision", "recall") in (ROOT / "docs/evaluation.md").read_text()


@pytest.mark.parametrize("module", [ring, results])
def test_tables_of_results_are_those_of_their_numbers(module):
    name = module.__name__.rpartition(".")[2]
    numbers = json.loads((ROOT / f"docs/{name}.json").read_text())
    assert module.page(numbers, f"{name}.json") == (ROOT / f"docs/{name}.md").read_text()


def test_a_run_of_the_same_config_takes_the_place_of_an_earlier_one():
    numbers = json.loads((ROOT / "docs/results.json").read_text())
    held = [Entry.from_json(each) for each in numbers]
    again = Entry.from_json({**numbers[0], "seconds": 12_345})
    seeds = [dataclasses.replace(again, seed=seed) for seed in (98, 99)]
    found = results.merged(held, [again, *seeds])
    assert len(found) == len(held) + 2 and [each.seconds for each in found].count(12_345) == 3
    assert [each.to_json() for each in results.merged(held, [])] == numbers


def flags_by_program():
    """{program: its flags in all commands}; of a flag that several give, the last, and of a config its file alone."""
    found = {}
    for program, *words in commands():
        given = found.setdefault(program, {})
        given.update({word.partition("=")[0]: word for word in words if not word.startswith("--config.")})
    return {program: list(given.values()) for program, given in found.items()}


@pytest.mark.parametrize("program, given", flags_by_program().items())
def test_commands_have_the_flags_that_they_name(program, given):
    command = [sys.executable, "-m", program, *given, "--only_check_args"]
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT)
    assert found.returncode == 0, found.stderr


@pytest.mark.parametrize(
    "command", [each for each in commands() if any(word.startswith("--config=") for word in each)], ids=" ".join
)
def test_commands_have_the_config_keys_that_they_name(command, monkeypatch):
    monkeypatch.chdir(ROOT)
    values = flags.FlagValues()
    config_flags.DEFINE_config_file("config", None, flag_values=values, lock_config=False, accept_new_attributes=True)
    values["config"].parser = config_checks.ConfigFile()
    # ml_collections reads from sys.argv which values a command sets.
    monkeypatch.setattr(sys, "argv", [word for word in command if not word.startswith("--") or "--config" in word])
    values(sys.argv)
    config = values.config
    if config.data.source.partition(":")[0] in ("idx", "folder"):  # these data are elsewhere
        stand_in = "shapes" if config.generator.family == "stacked" else "digits"  # the one that has captions
        config.data.update({"source": stand_in, "image_size": 32})
    config_checks.check(config)


def test_the_site_builds_without_warnings(tmp_path):
    command = [sys.executable, "-m", "mkdocs", "build", "--strict", "--quiet", f"--site-dir={tmp_path}"]
    environment = {**os.environ, "NO_MKDOCS_2_WARNING": "1"}
    found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, env=environment)
    assert found.returncode == 0 and not found.stderr, found.stderr
    tour = (tmp_path / "tour" / "index.html").read_text()
    shown = (ROOT / "docs" / "tour.ipynb").read_text().count('"image/png"')
    assert tour.count('src="data:image/png') == shown and 'href="../training/"' in tour
    assert 'src="http' not in tour  # of other servers
    assert (tmp_path / "tour.ipynb").read_bytes() == (ROOT / "docs" / "tour.ipynb").read_bytes()
    assert "great circle" in (tmp_path / "api" / "pretrained" / "index.html").read_text()  # of a docstring
