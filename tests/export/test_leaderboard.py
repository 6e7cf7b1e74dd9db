"""The program, and its page in headless Chromium."""

import json
import pathlib
import subprocess
import sys
import types

import pytest

from export import leaderboard
from zoo.errors import RequestError

ZOO = "zoo:fashion_mnist/vae,zoo:fashion_mnist/least_squares,zoo:fashion_mnist/conditional,zoo:digits/conditional"


def run(*flags):
    return subprocess.run(
        [sys.executable, "-m", "export.leaderboard", *flags], capture_output=True, text=True, timeout=120
    )


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """The directory that the program makes of pretrained models, and what it prints."""
    out = tmp_path_factory.mktemp("leaderboard") / "out"
    done = run(f"--saved_models={ZOO}", f"--out={out}")
    assert done.returncode == 0, done.stderr
    return out, done


def test_the_program_writes_three_files_and_tells_who_is_first(made):
    out, done = made
    assert {path.name for path in out.iterdir()} == {"leaderboard.html", "leaderboard.json", "leaderboard.md"}
    assert done.stdout.splitlines() == [
        "digits: non_saturating, conditional is first of 1, Fréchet distance 5.75 (2.92 to 11.3)",
        "fashion-mnist: non_saturating, conditional is first of 3, Fréchet distance 0.618 (0.488 to 0.782); "
        "not told apart from: none",
        str(out / "leaderboard.html"),
    ]
    report = json.loads((out / "leaderboard.json").read_text())
    assert [len(table["rows"]) for table in report["tables"]] == [1, 3]
    assert all(pair["adjusted_p"] < 0.05 and pair["test"] == "intervals" for pair in report["tables"][1]["comparisons"])
    assert not done.stderr, done.stderr


@pytest.mark.parametrize(
    "flags, message",
    [
        ([], "--workdirs, --saved_models, --reports: none is given"),
        (["--reports=report"], "--out: missing"),
        (["--workdirs=/nowhere/*", "--out=OUT"], "--workdirs: nothing matches '/nowhere/*'"),
        (["--workdirs=/*", "--out=OUT"], "--workdirs: no run (folder with a config.json) matches '/*'"),
        (["--workdirs=/", "--out=OUT"], "/ holds no run"),
        (["--reports=/", "--out=OUT"], "--reports: / holds no report.json"),
        (["--saved_models=zoo:digits/conditional", "--metrics=fid", "--out=OUT"], "--metrics: 'fid' is in no report"),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(flags, message, tmp_path):
    done = run(*(flag.replace("OUT", str(tmp_path / "out")) for flag in flags))
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr
    assert not (tmp_path / "out").exists()


@pytest.fixture
def model(tmp_path):
    """A SavedModel's directory without a report, and a run without one."""
    (tmp_path / "models" / "theirs" / "1").mkdir(parents=True)
    (tmp_path / "models" / "theirs" / "1" / "saved_model.pb").write_bytes(b"")
    (tmp_path / "runs" / "mine").mkdir(parents=True)
    config = {"schema_version": 3, "config": {}, "data_shape": [8, 8, 1]}
    (tmp_path / "runs" / "mine" / "config.json").write_text(json.dumps(config))
    return tmp_path / "models" / "theirs"


def test_reports_that_are_missing_are_made_where_that_is_asked_for(model, tmp_path, monkeypatch):
    runs, out, commands = [str(tmp_path / "runs" / "*")], tmp_path / "out", []
    with pytest.raises(RequestError, match=r"mine has no report; make it with python -m export.evaluate --workdir="):
        leaderboard.read(runs, [], [])
    with pytest.raises(RequestError, match=r"theirs has no report; make it with .* or give --evaluate"):
        leaderboard.read([], [str(model)], [])
    packaged = pathlib.Path(leaderboard.find_saved_model("zoo:digits/conditional")) / "assets.extra" / "report.json"

    def evaluate(command, **options):
        commands.append(command[2:])
        name, _, path = command[-1].partition("=")
        folder = pathlib.Path(path) / "report" if name == "--workdir" else pathlib.Path(path)
        folder.mkdir(parents=True)
        (folder / "report.json").write_bytes(packaged.read_bytes())
        return types.SimpleNamespace(returncode=0)

    monkeypatch.setattr(leaderboard.subprocess, "run", evaluate)
    found = leaderboard.read(runs, [str(model)], [], evaluate=True, out=out)
    assert [entry.method for entry in found] == ["non_saturating, conditional"] * 2
    assert [command[:2] for command in commands] == [
        ["export.evaluate", f"--workdir={tmp_path / 'runs' / 'mine'}"],
        ["export.evaluate", f"--saved_model={model}"],
    ]
    # A second time they are there.
    leaderboard.read(runs, [str(model)], [], evaluate=True, out=out)
    assert len(commands) == 2
    monkeypatch.setattr(leaderboard.subprocess, "run", lambda *args, **options: types.SimpleNamespace(returncode=2))
    with pytest.raises(RequestError, match=r"--evaluate: python -m export.evaluate --workdir=.* ended with 2"):
        (tmp_path / "runs" / "mine" / "report" / "report.json").unlink()
        leaderboard.read(runs, [], [], evaluate=True, out=out)


@pytest.mark.parametrize("width, scheme", [(390, "light"), (1280, "dark")])
def test_the_page_fits_the_screen_and_sorts_by_click_and_by_key(width, scheme, made, browser):
    context = browser.new_context(viewport={"width": width, "height": 844}, color_scheme=scheme, offline=True)
    page, errors = context.new_page(), []
    page.on("pageerror", lambda error: errors.append(error))
    page.on("console", lambda message: errors.append(message.text) if message.type == "error" else None)
    page.goto(f"file://{made[0]}/leaderboard.html")
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")
    assert page.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert page.locator("img").count() == 4
    assert (page.evaluate("getComputedStyle(document.body).backgroundColor") == "rgb(14, 17, 22)") == (scheme == "dark")
    table = page.locator("section", has_text="fashion-mnist")

    def order():
        return [name.replace("\u200b", "") for name in table.locator("tbody b").all_inner_texts()]

    best_first = ["non_saturating, conditional", "least_squares", "vae"]
    assert order() == best_first
    head = table.get_by_role("columnheader", name="Fréchet distance")
    assert head.get_attribute("aria-sort") == "ascending"
    head.get_by_role("button").click()
    assert order() == best_first[::-1] and head.get_attribute("aria-sort") == "descending"
    # Values that are missing come last either way.
    agreement = table.get_by_role("columnheader", name="Label agreement").get_by_role("button")
    for _ in range(2):
        agreement.focus()
        page.keyboard.press("Enter")
        assert order()[0] == "non_saturating, conditional" and head.get_attribute("aria-sort") is None
    table.get_by_role("columnheader", name="Method").get_by_role("button").press("Space")
    assert order() == ["least_squares", "non_saturating, conditional", "vae"]
    # The table can be scrolled by keyboard where it is wider than the screen.
    assert table.get_by_role("region").get_attribute("tabindex") == "0"
    assert not errors
    context.close()
