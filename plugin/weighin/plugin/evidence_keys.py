"""Which key signs evidence, and whose signatures are believed.

    [evidence]
    key = "awskms:alias/evidence"          a signer URI, or a PEM file
    public_key = "keys/evidence.pub.json"  its public half
    trusted_keys = ["keys/ci.pub.json"]    what promotion believes

Without these, the development key of this machine signs and is believed. What this module does
not do: it never shows a key, and it hands no secret to anything but the signer that asks.
"""

import sys
from collections.abc import Callable, Generator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.errors import ConfigError
from weighin.plugin.project import Project
from weighin.registry.keys import KeyRole, key_file, load_public_key, load_signer

if TYPE_CHECKING:
    from weighin.gates.signing import Key, Signer

PIN = "WEIGHIN_EVIDENCE_PIN"
"""The environment variable that holds an HSM's PIN; no child process ever sees it."""

_CLOUD_ERRORS = (
    ("botocore.exceptions", "BotoCoreError"),
    ("botocore.exceptions", "ClientError"),
    ("google.api_core.exceptions", "GoogleAPIError"),
    ("azure.core.exceptions", "AzureError"),
)
_PROBE = b"weighin: can this key sign?"


@dataclass(frozen=True, slots=True, kw_only=True)
class SigningKey:
    """The key that signs evidence, in words: its kind, its id, and whether it is believed."""

    kind: str
    keyid: str
    trusted: bool


def evidence_signer(project: Project, environ: Mapping[str, str]) -> "Signer":
    """Open the key that signs evidence.

    Raises:
        ConfigError: it is missing or cannot be opened.
    """
    evidence = project.config.evidence
    if evidence.key is None or evidence.public_key is None:
        return load_signer(str(project.keys / f"{KeyRole.EVIDENCE}.pem"))
    file = key_file(project.root, evidence.key)
    where = evidence.key if file is None else str(file)
    return load_signer(where, project.root / evidence.public_key, _asker(environ))


def trusted_keys(project: Project) -> tuple["Key", ...]:
    """The keys whose evidence may be promoted.

    Raises:
        ConfigError: a public key file is missing or malformed.
    """
    return tuple(load_public_key(path) for path in _trusted_files(project))


def try_key(project: Project, environ: Mapping[str, str]) -> SigningKey:
    """Sign something that is no evidence and verify it, to see whether the key works.

    Raises:
        ConfigError: it cannot be opened, does not sign, or signs what does not verify.
    """
    from securesystemslib.exceptions import Error

    signer = evidence_signer(project, environ)
    with signing():
        signature = signer.sign(_PROBE)
    try:
        signer.public_key.verify_signature(signature, _PROBE)
    except Error as error:
        raise ConfigError(f"evidence.key: does not fit evidence.public_key: {error}") from error
    keyid = signer.public_key.keyid
    trusted = keyid in {key.keyid for key in trusted_keys(project)}
    return SigningKey(kind=_kind(project), keyid=keyid, trusted=trusted)


@contextmanager
def signing() -> Generator[None]:
    """Turn what a signer raises when it cannot sign into an error of ours.

    Raises:
        ConfigError: the key did not sign.
    """
    refusals = _refusals()
    try:
        yield
    except refusals as error:
        what = str(error) or type(error).__name__
        raise ConfigError(
            f"the evidence key does not sign ({what}); see `weighin doctor` and [evidence] key"
        ) from error


def _refusals() -> tuple[type[Exception], ...]:
    """What signers raise; those of the cloud libraries only where a signer has loaded one."""
    from securesystemslib.exceptions import Error

    loaded = (getattr(sys.modules.get(module), name, None) for module, name in _CLOUD_ERRORS)
    cloud = (error for error in loaded if error is not None)
    return (Error, ValueError, OSError, RuntimeError, *cloud)


def _trusted_files(project: Project) -> tuple[Path, ...]:
    evidence = project.config.evidence
    if evidence.trusted_keys is not None:
        return tuple(project.root / name for name in evidence.trusted_keys)
    if evidence.public_key is not None:
        return (project.root / evidence.public_key,)
    return (project.keys / f"{KeyRole.EVIDENCE}.pub.json",)


def _kind(project: Project) -> str:
    key = project.config.evidence.key
    if key is None:
        return "development key"
    return key.partition(":")[0] if key_file(project.root, key) is None else "key file"


def _asker(environ: Mapping[str, str]) -> Callable[[str], str]:
    def ask(secret: str) -> str:
        if not environ.get(PIN):
            raise ConfigError(f"the evidence key asks for its {secret}; set {PIN}")
        return environ[PIN]

    return ask
