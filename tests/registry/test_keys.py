"""Keys are made once, are readable by their owner only, and say clearly what is wrong."""

from pathlib import Path

import pytest

from weighin.gates.errors import ConfigError
from weighin.registry.keys import (
    KeyRole,
    create_dev_keys,
    load_dev_signers,
    load_public_key,
    load_signer,
)


def test_each_role_gets_its_own_private_key(tmp_path: Path) -> None:
    written = create_dev_keys(tmp_path / "keys")
    assert len(written) == 2 * len(KeyRole)
    private = [path for path in written if path.suffix == ".pem"]
    assert {path.stat().st_mode & 0o777 for path in private} == {0o600}
    assert (tmp_path / "keys").stat().st_mode & 0o777 == 0o700
    assert len({load_signer(str(path)).public_key.keyid for path in private}) == len(KeyRole)


def test_keys_that_exist_are_kept(tmp_path: Path) -> None:
    create_dev_keys(tmp_path)
    before = {path: path.read_bytes() for path in tmp_path.iterdir()}
    (tmp_path / "root.pem").unlink()
    assert {path.name for path in create_dev_keys(tmp_path)} == {"root.pem", "root.pub.json"}
    kept = {p: c for p, c in before.items() if not p.name.startswith("root")}
    assert {path: path.read_bytes() for path in kept} == kept


def test_the_public_half_verifies_what_the_private_half_signs(keys_dir: Path) -> None:
    signer = load_signer(str(keys_dir / "evidence.pem"))
    public = load_public_key(keys_dir / "evidence.pub.json")
    public.verify_signature(signer.sign(b"text"), b"text")


def test_a_key_by_uri_is_the_same_key(keys_dir: Path) -> None:
    public = keys_dir / "targets.pub.json"
    by_uri = load_signer(f"file2:{keys_dir / 'targets.pem'}", public)
    assert by_uri.public_key == load_dev_signers(keys_dir).targets.public_key


@pytest.mark.parametrize(
    ("uri", "public", "complaint"),
    [
        pytest.param("awskms:alias/x", None, "give the file with its public key", id="no public"),
        pytest.param("nonsense:x", "targets.pub.json", "cannot be opened", id="unknown scheme"),
        pytest.param("file2:/no/such", "targets.pub.json", "cannot be opened", id="no such file"),
        pytest.param("nowhere.pem", None, "no such key", id="no such path"),
    ],
)
def test_a_key_that_cannot_be_opened_says_why(
    keys_dir: Path, uri: str, public: str | None, complaint: str
) -> None:
    with pytest.raises(ConfigError, match=complaint):
        load_signer(uri, keys_dir / public if public else None)


def test_another_private_key_than_the_public_one_is_refused(keys_dir: Path) -> None:
    with pytest.raises(ConfigError, match="does not match"):
        load_signer(f"file2:{keys_dir / 'root.pem'}", keys_dir / "targets.pub.json")


def test_a_private_key_that_others_can_read_is_refused(tmp_path: Path) -> None:
    create_dev_keys(tmp_path)
    (tmp_path / "root.pem").chmod(0o644)
    with pytest.raises(ConfigError, match="chmod 600"):
        load_signer(str(tmp_path / "root.pem"))


@pytest.mark.parametrize("content", [b"", b"not a key", b"\xff\xfe"])
def test_a_file_that_is_no_key_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)
    with pytest.raises(ConfigError, match="not a private key"):
        load_signer(str(path))
    with pytest.raises(ConfigError, match="not a public key"):
        load_public_key(path)
