"""Who signs evidence is configured; the key works before it is needed, and is never shown."""

import importlib
import json
import shutil
import subprocess
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from weighin.gates.errors import ConfigError
from weighin.gates.signing import CryptoSigner
from weighin.plugin.config import EvidenceConfig
from weighin.plugin.config_file import parse_config
from weighin.plugin.doctor import examine
from weighin.plugin.evidence_keys import PIN, evidence_signer, trusted_keys, try_key
from weighin.plugin.project import Project
from weighin.plugin.setup import init_project
from weighin.registry.keys import create_dev_keys, write_public_key

SOFTHSM = Path("/usr/lib/softhsm/libsofthsm2.so")
NOBODY: Mapping[str, str] = {}


@pytest.fixture
def project(tmp_path: Path) -> Project:
    made = Project(root=tmp_path, config=parse_config({}))
    create_dev_keys(made.keys)
    return made


def signed_by(project: Project, **evidence: object) -> Project:
    config = replace(project.config, evidence=EvidenceConfig(**evidence))  # type: ignore[arg-type]
    return replace(project, config=config)


def key_in(folder: Path) -> CryptoSigner:
    """A private key and its public half, as somebody brings them."""
    signer = CryptoSigner.generate_ecdsa()
    folder.mkdir(exist_ok=True)
    (folder / "ci.pem").touch(mode=0o600)
    (folder / "ci.pem").write_bytes(signer.private_bytes)
    write_public_key(folder / "ci.pub.json", signer.public_key)
    return signer


def test_without_a_word_the_development_key_signs_and_is_believed(project: Project) -> None:
    key = try_key(project, NOBODY)
    assert (key.kind, key.trusted) == ("development key", True)
    assert [k.keyid for k in trusted_keys(project)] == [key.keyid]


@pytest.mark.parametrize("key", ["keys/ci.pem", "file2:keys/ci.pem"])
def test_a_configured_key_signs_is_believed_and_hidden(project: Project, key: str) -> None:
    signer = key_in(project.root / "keys")
    other = signed_by(project, key=key, public_key="keys/ci.pub.json")
    found = try_key(other, NOBODY)
    assert (found.kind, found.keyid, found.trusted) == (
        "key file",
        signer.public_key.keyid,
        True,
    )
    assert project.root / "keys/ci.pem" in other.secrets
    assert project.root / "keys/ci.pem" not in project.secrets


def test_the_development_key_is_not_believed_beside_a_configured_one(project: Project) -> None:
    key_in(project.root / "keys")
    other = signed_by(project, key="keys/ci.pem", public_key="keys/ci.pub.json")
    mine = evidence_signer(project, NOBODY).public_key.keyid
    assert mine not in {key.keyid for key in trusted_keys(other)}


def test_trusted_keys_are_the_ones_listed_and_none_is_none(project: Project) -> None:
    signer = key_in(project.root / "keys")
    listed = signed_by(project, trusted_keys=("keys/ci.pub.json",))
    assert [key.keyid for key in trusted_keys(listed)] == [signer.public_key.keyid]
    assert not try_key(listed, NOBODY).trusted
    assert trusted_keys(signed_by(project, trusted_keys=())) == ()


def another_public_key(project: Project) -> Project:
    key_in(project.root / "keys")
    write_public_key(project.root / "keys/ci.pub.json", CryptoSigner.generate_ecdsa().public_key)
    return signed_by(project, key="keys/ci.pem", public_key="keys/ci.pub.json")


def readable_by_others(project: Project) -> Project:
    key_in(project.root / "keys")
    (project.root / "keys/ci.pem").chmod(0o644)
    return signed_by(project, key="file2:keys/ci.pem", public_key="keys/ci.pub.json")


def no_public_key(project: Project) -> Project:
    key_in(project.root / "keys")
    return signed_by(project, key="keys/ci.pem", public_key="keys/gone.pub.json")


def of_a_cloud(project: Project) -> Project:
    key_in(project.root / "keys")
    return signed_by(project, key="nocloud:alias/x", public_key="keys/ci.pub.json")


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        pytest.param(another_public_key, "does not match", id="another public key"),
        pytest.param(readable_by_others, "chmod 600", id="others can read it"),
        pytest.param(no_public_key, "not a public key file", id="no public key"),
        pytest.param(of_a_cloud, "cannot be opened", id="a scheme that nobody knows"),
    ],
)
def test_a_key_that_cannot_sign_says_why_before_anything_is_weighed(
    project: Project, broken: Callable[[Project], Project], said: str
) -> None:
    with pytest.raises(ConfigError, match=said):
        try_key(broken(project), NOBODY)


def test_a_key_without_its_public_half_is_a_mistake_in_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"evidence\.key: needs evidence\.public_key"):
        parse_config({"evidence": {"key": "awskms:alias/evidence"}})


def test_the_doctor_says_which_key_signs(tmp_path: Path) -> None:
    init_project(tmp_path)
    key_in(tmp_path / "keys")
    config = tmp_path / "weighin.toml"
    text = config.read_text(encoding="utf-8")

    def said() -> tuple[bool, str]:
        [found] = [f for f in examine(tmp_path) if f.what == "evidence key"]
        return found.ok, found.detail

    ok, detail = said()
    assert ok
    assert detail.startswith("development key ")
    keys = '[evidence]\nkey = "keys/ci.pem"\npublic_key = "keys/ci.pub.json"'
    config.write_text(text.replace("[evidence]", keys), encoding="utf-8")
    ok, detail = said()
    assert ok
    assert detail.startswith("key file ")
    (tmp_path / "keys/ci.pem").unlink()
    ok, detail = said()
    assert not ok
    assert "cannot be opened" in detail


@pytest.fixture
def token(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """A software HSM with a P-256 key in it; the label of its token."""
    pkcs11: Any = importlib.import_module("pkcs11")
    curves: Any = importlib.import_module("pkcs11.util.ec")
    (tmp_path / "tokens").mkdir()
    conf = tmp_path / "softhsm2.conf"
    conf.write_text(f"directories.tokendir = {tmp_path / 'tokens'}\nobjectstore.backend = file\n")
    monkeypatch.setenv("SOFTHSM2_CONF", str(conf))
    monkeypatch.setenv("PYKCS11LIB", str(SOFTHSM))
    label = "weighin"
    command = ["softhsm2-util", "--init-token", "--free", "--label", label]
    subprocess.run([*command, "--so-pin", "4321", "--pin", "1234"], check=True, capture_output=True)
    curve = curves.encode_named_curve_parameters("secp256r1")
    with (
        pkcs11.lib(str(SOFTHSM))
        .get_token(token_label=label)
        .open(rw=True, user_pin="1234") as session
    ):
        parameters = session.create_domain_parameters(
            pkcs11.KeyType.EC, {pkcs11.Attribute.EC_PARAMS: curve}, local=True
        )
        parameters.generate_keypair(id=b"\x02", store=True)
    return label


def test_evidence_is_signed_by_a_key_that_never_leaves_its_hsm() -> None:
    """In a process of its own: SoftHSM brings a second OpenSSL, beside others' it has crashed."""
    pytest.importorskip("pkcs11", reason="python-pkcs11 is not installed")
    if not SOFTHSM.is_file() or shutil.which("softhsm2-util") is None:
        pytest.skip("no SoftHSM here: apt-get install softhsm2")
    apart = ["-q", "-p", "no:cacheprovider", "-o", "python_functions=hsm_*", __file__]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", *apart], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


def hsm_signs_and_nothing_else_is_believed(project: Project, token: str) -> None:
    """The whole way: import the public half, sign, and believe nothing else."""
    from securesystemslib.signer._hsm_signer import HSMSigner

    uri, public = HSMSigner.import_(token_label=token, secrets_handler=lambda _: "1234")
    write_public_key(project.root / "keys/hsm.pub.json", public)
    other = signed_by(project, key=uri, public_key="keys/hsm.pub.json")
    with pytest.raises(ConfigError, match=f"asks for its pin; set {PIN}"):
        try_key(other, NOBODY)
    with pytest.raises(ConfigError, match="does not sign"):
        try_key(other, {PIN: "0000"})
    key = try_key(other, {PIN: "1234"})
    assert (key.kind, key.keyid, key.trusted) == ("hsm", public.keyid, True)
    assert "1234" not in json.dumps(public.to_dict()) + repr(key)
