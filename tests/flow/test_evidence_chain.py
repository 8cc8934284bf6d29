"""A real weigh-in: what promotion believes of it, and what `report --verify` shows."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.errors import EvidenceError
from weighin.gates.evidence import open_statement, sign_statement
from weighin.gates.signing import CryptoSigner
from weighin.plugin.cli import main
from weighin.plugin.evidence_keys import trusted_keys
from weighin.plugin.project import open_project
from weighin.plugin.promote import Promotion, promote_version

Command = Callable[..., Any]
Attack = Callable[[Path], None]


def evidence_of(root: Path) -> Path:
    return root / ".weighin/runs/tiny/v1/evidence"


def promoted(root: Path) -> Promotion:
    return promote_version(open_project(root), "tiny", "1")


def labels(promotion: Promotion) -> set[str]:
    return {variant.label for variant in promotion.release.variants}


@pytest.fixture
def verify(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int, str]]:
    """``weighin report tiny/1 --verify``: exit code and output."""

    def run(root: Path, *more: str) -> tuple[int, str]:
        monkeypatch.chdir(root)
        code = main(["report", "tiny/1", "--verify", *more])
        return code, capsys.readouterr().out

    return run


Verify = Callable[..., tuple[int, str]]


def test_the_chain_of_a_fresh_weigh_in_holds_before_and_after_its_release(
    weighed: Path, verify: Verify
) -> None:
    code, text = verify(weighed)
    assert code == 0, text
    assert "not released" in text
    assert labels(promoted(weighed)) == {"float32.onnx", "int8.onnx"}
    code, text = verify(weighed)
    assert code == 0, text
    assert "released: 'dev' offers 2 by this evidence" in text
    assert max(map(len, text.splitlines())) <= 80
    code, text = verify(weighed, "--json")
    document = json.loads(text)
    assert code == 0
    assert (document["schema"], document["holds"]) == ("weighin/chain/v1", True)
    assert [(e["then"], e["now"], e["released"]) for e in document["evidence"]] == [
        ("PASS", "PASS", True)
    ] * 2


def edit_report(root: Path) -> None:
    path = root / ".weighin/runs/tiny/v1/report.json"
    document = json.loads(path.read_text())
    for variant in document["variants"]:
        for check in variant["devices"][0]["checks"]:
            for reading in check["readings"]:
                if reading["metric"] == "size_mib":
                    reading.update(value=900, lower=900, upper=900)
    path.write_text(json.dumps(document, indent=2))


def test_an_edited_report_is_not_believed_and_its_first_wrong_field_is_named(
    weighed: Path, verify: Verify
) -> None:
    edit_report(weighed)
    assert labels(promoted(weighed)) == {"float32.onnx", "int8.onnx"}
    code, text = verify(weighed)
    assert code == 1
    said = " ".join(text.split())
    assert "report.json contradicts the evidence for float32.onnx on host" in said
    assert "readings[size_mib].value is 900" in said


def resign(root: Path) -> None:
    """Everything signed anew by somebody whom nobody trusts."""
    keys, stranger = trusted_keys(open_project(root)), CryptoSigner.generate_ed25519()
    for path in evidence_of(root).iterdir():
        statement = open_statement(path.read_bytes(), keys).statement
        path.write_bytes(sign_statement(statement, stranger))


def rename(root: Path) -> None:
    """The evidence of one file, under the name of the other as well."""
    whole = (evidence_of(root) / "int8.onnx@host.json").read_bytes()
    (evidence_of(root) / "float32.onnx@host.json").write_bytes(whole)


def other_recipes(root: Path) -> None:
    replace_in(root / "weighin.toml", '["float32", "int8"]', '["float32", "int8", "fp16"]')


def other_data(root: Path) -> None:
    import numpy as np

    path = root / "data/calibration.npz"
    with np.load(path) as archive:
        x, y = archive["x"][:-1], archive["y"][:-1]
    np.savez(path, x=x, y=y)


def other_files(root: Path) -> None:
    path = root / "variants/tiny/v1/int8.onnx"
    content = path.read_bytes()
    path.unlink()
    path.write_bytes(content + b"x")


def replace_in(path: Path, old: str, new: str) -> None:
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new))


ATTACKS: dict[str, tuple[Attack, str]] = {
    "signed anew by a stranger": (resign, "a key that is not trusted"),
    "renamed to another file's": (rename, "same file and device|one envelope is given"),
    "another plan: recipes": (other_recipes, "recipes, formats or other settings"),
    "another plan: data": (other_data, "the calibration data changed"),
    "another file": (other_files, "the file is not the one that was weighed"),
}


@pytest.mark.parametrize(("attack", "said"), ATTACKS.values(), ids=ATTACKS.keys())
def test_evidence_that_does_not_hold_today_releases_nothing(
    weighed: Path, verify: Verify, attack: Attack, said: str
) -> None:
    attack(weighed)
    with pytest.raises(EvidenceError, match=said):
        promoted(weighed)
    assert not list((weighed / ".weighin/channel/metadata").glob("*tiny*"))
    assert verify(weighed)[0] == 1


def test_a_deleted_statement_is_said_and_its_file_is_not_released(
    weighed: Path, verify: Verify
) -> None:
    (evidence_of(weighed) / "float32.onnx@host.json").unlink()
    promotion = promoted(weighed)
    assert labels(promotion) == {"int8.onnx"}
    assert promotion.notes == ("no evidence for float32.onnx on host, so it was not considered",)
    code, text = verify(weighed)
    assert code == 1
    assert "no evidence for float32.onnx on host" in " ".join(text.split())


def test_under_other_budgets_it_is_weighed_again_from_what_is_kept(
    weighed: Path, weighin: Command
) -> None:
    replace_in(weighed / "weighin.toml", "latency_p90_ms = 1000", "latency_p90_ms = 900")
    with pytest.raises(EvidenceError, match=r"budgets of host changed \(latency_p90_ms\)"):
        promoted(weighed)
    said = weighin(weighed, "run", "tiny/1").stderr
    assert "weigh" not in [line.split(": ")[-1] for line in said.splitlines()]
    assert labels(promoted(weighed)) == {"float32.onnx", "int8.onnx"}


def test_a_version_registered_anew_under_the_same_number_has_no_evidence(weighed: Path) -> None:
    from mlflow import MlflowClient

    uri = f"sqlite:///{weighed}/mlflow.db"
    client = MlflowClient(tracking_uri=uri, registry_uri=uri)
    source = client.get_model_version_download_uri("tiny", "1")
    client.delete_registered_model("tiny")
    client.create_registered_model("tiny")
    assert str(client.create_model_version("tiny", source).version) == "1"
    with pytest.raises(EvidenceError, match="no finished weigh-in of today's plan for tiny/1"):
        promoted(weighed)
    assert not list((weighed / ".weighin/channel/metadata").glob("*tiny*"))
