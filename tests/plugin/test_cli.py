"""The command line: every command explains itself, every error is one message and a code."""

import json
from pathlib import Path

import pytest

from weighin.gates import errors
from weighin.plugin.cli import COMMANDS, build_parser, main


@pytest.mark.parametrize("command", COMMANDS)
def test_every_command_has_help_with_an_example(
    command: str, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(SystemExit) as stopped:
        main([command, "--help"])
    assert stopped.value.code == 0
    shown = capsys.readouterr().out
    assert f"weighin {command}" in shown.split("example")[1]


@pytest.mark.parametrize("command", sorted(set(COMMANDS) - {"device"}))
def test_every_command_offers_json(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main([command, "--help"])
    assert "--json" in capsys.readouterr().out


@pytest.mark.parametrize(
    "words",
    [
        pytest.param([], id="nothing"),
        pytest.param(["weigh"], id="unknown-command"),
        pytest.param(["run"], id="missing-argument"),
        pytest.param(["pull", "m", "--format", "gguf"], id="unknown-format"),
    ],
)
def test_wrong_usage_is_code_2(words: list[str]) -> None:
    with pytest.raises(SystemExit) as stopped:
        main(words)
    assert stopped.value.code == 2


@pytest.mark.parametrize(
    ("words", "said"),
    [
        pytest.param(["run", "digits/1"], "run `weighin init` there first", id="no-project"),
        pytest.param(["run", "digits"], "is not MODEL/VERSION", id="no-version"),
        pytest.param(["pull"], "pull needs MODEL, --device and --channel", id="pull-without-lock"),
        pytest.param(
            ["plan-samples", "--margin", "1", "--disagreement", "0.05", "--drop", "2"],
            "no sample size",
            id="loses-more-than-the-margin",
        ),
        pytest.param(["device", "show", "pixle-4"], "did you mean pixel-4", id="unknown-device"),
    ],
)
def test_a_mistake_is_told_in_one_message(
    words: list[str],
    said: str,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    monkeypatch.chdir(tmp_path)
    assert main(words) == 2
    assert said in capsys.readouterr().err


def test_what_the_operating_system_refuses_is_a_message_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "file").write_text("")
    assert main(["init", "file"]) == 1
    assert "file" in capsys.readouterr().err


def test_the_documented_exit_codes_are_the_errors_own() -> None:
    codes = {
        kind.exit_code
        for kind in vars(errors).values()
        if isinstance(kind, type) and issubclass(kind, errors.WeighinError)
    }
    assert codes == {1, 2, 10, 11, 12, 13, 14, 15}


def test_declaring_the_commands_imports_nothing_heavy() -> None:
    import subprocess
    import sys

    code = (
        "import sys; from weighin.plugin.cli import build_parser; build_parser();"
        "heavy = {'mlflow', 'torch', 'dvc', 'tuf', 'rich', 'numpy', 'pydantic'} & set(sys.modules);"
        "sys.exit(str(heavy) if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr
    assert build_parser().prog == "weighin"


def test_plan_samples_needs_more_rows_for_more_certainty(
    capsys: pytest.CaptureFixture[str],
) -> None:
    words = ["plan-samples", "--margin", "1", "--disagreement", "0.05", "--json"]
    assert main(words) == 0
    rows = [line["rows"] for line in json.loads(capsys.readouterr().out)]
    assert rows == sorted(set(rows))
    assert len(rows) == 3
