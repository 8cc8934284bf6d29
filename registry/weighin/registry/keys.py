"""Keys that sign evidence and channels: development keys in files, and any other by URI.

A development key is an unencrypted ed25519 private key, readable by its owner only. It is good
for trying things out and for tests. For production, give the URI of a key that cannot be copied
(``awskms:``, ``gcpkms:``, ``azurekms:``, ``hsm:``, ``hv:``) with its public key in a file.
"""

import json
import os
from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError

if TYPE_CHECKING:
    from weighin.gates.signing import Key, Signer


_FILE_SCHEME = "file2:"


class KeyRole(StrEnum):
    """What a key is for."""

    EVIDENCE = "evidence"
    ROOT = "root"
    TARGETS = "targets"
    SNAPSHOT = "snapshot"
    TIMESTAMP = "timestamp"


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelSigners:
    """Who signs what a channel offers; its root is signed apart, by a key that stays offline.

    ``targets`` signs the top-level targets, the channel's role and the models' roles.
    """

    targets: "Signer"
    snapshot: "Signer"
    timestamp: "Signer"


@dataclass(frozen=True, slots=True, kw_only=True)
class OnlineSigners:
    """Who says that a channel is alive; they can offer nothing that was not released."""

    snapshot: "Signer"
    timestamp: "Signer"


def create_dev_keys(directory: Path) -> tuple[Path, ...]:
    """Make one development key per role; keys that exist are left as they are.

    Returns:
        The files that were written: ``<role>.pem`` (mode 0600) and ``<role>.pub.json``.
    """
    from weighin.gates.signing import CryptoSigner

    directory.mkdir(parents=True, exist_ok=True, mode=0o700)
    written: list[Path] = []
    for role in KeyRole:
        private, public = directory / f"{role}.pem", directory / f"{role}.pub.json"
        if private.exists():
            continue
        signer = CryptoSigner.generate_ed25519()
        # The public half first: a private key without it would be skipped for ever.
        public.write_bytes(_public_bytes(signer.public_key))
        descriptor = os.open(private, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(signer.private_bytes)
        written += [private, public]
    return tuple(written)


def load_signer(
    uri_or_path: str, public_key: Path | None = None, ask: Callable[[str], str] | None = None
) -> "Signer":
    """Open a key for signing.

    Args:
        uri_or_path: A PEM private key file, or a securesystemslib signer URI.
        public_key: Its public half as :func:`create_dev_keys` writes it; a URI needs it, and
            with a file it must match.
        ask: Called with the name of a secret (an HSM's ``pin``) when one is needed.

    Raises:
        ConfigError: the key cannot be opened, or other people can read it.
    """
    from securesystemslib.exceptions import Error

    from weighin.gates.signing import Signer

    file = key_file(Path(), uri_or_path)
    if file is not None:
        _refuse_readable(file)
        if public_key is None and not uri_or_path.startswith(_FILE_SCHEME):
            return _signer_from_file(file)
    if public_key is None:
        scheme = uri_or_path.partition(":")[0]
        raise ConfigError(f"key {scheme}: give the file with its public key beside the URI")
    uri = uri_or_path if file is None else f"{_FILE_SCHEME}{file.resolve()}"
    try:
        return Signer.from_priv_key_uri(uri, load_public_key(public_key), ask)
    except (Error, ValueError, OSError, ImportError) as error:
        raise ConfigError(f"key {uri_or_path}: cannot be opened: {error}") from error


def key_file(root: Path, uri_or_path: str) -> Path | None:
    """The file that holds a private key; ``None`` if the key is somewhere else, or not named.

    Args:
        root: What a relative path is relative to.
        uri_or_path: As :func:`load_signer` takes it.
    """
    named = uri_or_path.removeprefix(_FILE_SCHEME)
    elsewhere = ":" in named and not (root / named).exists()
    return None if not named or elsewhere else root / named


def write_public_key(path: Path, key: "Key") -> None:
    """Write the public half of a key, as :func:`load_public_key` reads it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(_public_bytes(key))


def load_public_key(path: Path) -> "Key":
    """Read a public key file.

    Raises:
        ConfigError: it is missing or malformed.
    """
    from weighin.gates.signing import Key

    try:
        document = json.loads(path.read_bytes())
        return Key.from_dict(document.pop("keyid"), document)
    except (OSError, ValueError, KeyError, TypeError, AttributeError) as error:
        raise ConfigError(f"{path}: not a public key file: {error!r}") from error


def load_dev_signers(directory: Path) -> ChannelSigners:
    """Open the development keys that sign a channel.

    Raises:
        ConfigError: a key is missing; ``weighin init`` makes them.
    """
    return ChannelSigners(
        targets=load_signer(str(directory / f"{KeyRole.TARGETS}.pem")),
        snapshot=load_signer(str(directory / f"{KeyRole.SNAPSHOT}.pem")),
        timestamp=load_signer(str(directory / f"{KeyRole.TIMESTAMP}.pem")),
    )


def load_online_signers(directory: Path) -> OnlineSigners:
    """Open the development keys that keep a channel alive.

    Raises:
        ConfigError: a key is missing; ``weighin init`` makes them.
    """
    return OnlineSigners(
        snapshot=load_signer(str(directory / f"{KeyRole.SNAPSHOT}.pem")),
        timestamp=load_signer(str(directory / f"{KeyRole.TIMESTAMP}.pem")),
    )


def _signer_from_file(path: Path) -> "Signer":
    from cryptography.exceptions import UnsupportedAlgorithm
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    from weighin.gates.signing import CryptoSigner

    try:
        return CryptoSigner(load_pem_private_key(path.read_bytes(), None))
    except FileNotFoundError as error:
        raise ConfigError(f"{path}: no such key; weighin init makes development keys") from error
    except (OSError, ValueError, TypeError, UnsupportedAlgorithm) as error:
        raise ConfigError(f"{path}: not a private key in PEM form: {error}") from error


def _refuse_readable(path: Path) -> None:
    if path.exists() and path.stat().st_mode & 0o077:
        raise ConfigError(f"{path}: others can read this private key; run: chmod 600 {path}")


def _public_bytes(key: "Key") -> bytes:
    return json.dumps({"keyid": key.keyid, **key.to_dict()}, indent=1).encode() + b"\n"
