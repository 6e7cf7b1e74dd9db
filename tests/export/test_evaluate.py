import subprocess
import sys
import types

import pytest
from by_hand import write_report

from export import evaluate as program


def test_the_program_prints_the_numbers_before_the_path(good, digits, tmp_path, monkeypatch, capsys):
    page = write_report(good, digits, tmp_path)
    monkeypatch.setattr(program, "find_saved_model", lambda path: path)
    monkeypatch.setattr(program.cards, "read", lambda path: {})
    monkeypatch.setattr(program.subject, "of_saved_model", lambda *arguments: None)
    monkeypatch.setattr(program, "report_on", lambda *arguments, **options: page)
    names = {"workdir": None, "saved_model": "model", "data": None, "image_size": None, "out": str(tmp_path)}
    names |= {"samples": None, "signature": None, "quick": False}
    given = types.SimpleNamespace(**names, features="auto", num_samples=20, seed=0, surrogate_tasks=False)
    monkeypatch.setattr(program.flags, "FLAGS", given)
    program.main([])
    lines = capsys.readouterr().out.splitlines()
    assert lines[1].startswith("Fréchet distance: ") and lines[-1] == str(page)


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        ([], "none is given"),
        (["--workdir=/tmp", "--saved_model=/tmp"], "--workdir and --saved_model are given"),
        (["--workdir=/"], "/ holds no run"),
        (["--workdir=/", "--features=digits_cnn_v9"], "did you mean 'digits_cnn_v1'?"),
        (["--saved_model=/"], "holds no SavedModel"),
        (["--workdir=/", "--data=ring"], "only for --saved_model and --samples"),
        (["--samples=/", "--saved_model=/"], "--saved_model and --samples are given"),
        (["--samples=/", "--signature=x"], "--signature: only for --saved_model"),
        (["--samples=/", "--data=ring", "--seed=3"], "--seed 3: only for generators"),
        (["--samples=/nowhere", "--data=digits"], "--samples: /nowhere: no such file or folder"),
    ],
)
def test_a_wrong_request_gets_one_line_and_exit_code_2(flags, message):
    done = subprocess.run([sys.executable, "-m", "export.evaluate", *flags], capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and message in done.stderr and done.stderr.count("\n") == 1, done.stderr


def test_bad_data_for_a_saved_model_is_refused_before_tensorflow_is_imported(tmp_path):
    (tmp_path / "saved_model.pb").write_bytes(b"")
    command = [sys.executable, "-m", "export.evaluate", f"--saved_model={tmp_path}", "--data=idx:/nonexistent"]
    done = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert done.returncode == 2 and "idx:/nonexistent" in done.stderr and done.stderr.count("\n") == 1, done.stderr
