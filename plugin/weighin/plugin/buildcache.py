"""Built files, kept under a key of everything that decides their content.

A file counts only with its receipt, which is written last, and only while its digest is the
receipt's: a run that is killed at any moment leaves files that are found again, or nothing.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.digest import sha256_of

Pairs = tuple[tuple[str, str], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One kept file, its digest and length, and the notes that came with it."""

    path: Path
    sha256: str
    size_bytes: int
    notes: Pairs


class Cache:
    """A folder of kept files."""

    def __init__(self, folder: Path) -> None:
        """Use a folder; it is made when something is kept."""
        self._folder = folder

    def find(self, key: str, suffix: str) -> Entry | None:
        """What was kept under a key; ``None`` if there is nothing whole."""
        path = self._folder / f"{key}{suffix}"
        try:
            receipt = json.loads(self._receipt(key).read_text())
            size_bytes, sha256 = path.stat().st_size, sha256_of(path)
        except (FileNotFoundError, ValueError):
            return None
        if sha256 != receipt["sha256"]:
            return None
        notes = tuple((str(name), str(text)) for name, text in receipt["notes"])
        return Entry(path=path, sha256=sha256, size_bytes=size_bytes, notes=notes)

    def keep(
        self, key: str, made: Path, claim: Mapping[str, object], suffix: str | None = None
    ) -> str:
        """Copy a file that a child made and claims a digest for.

        Args:
            key: To find it under.
            made: The file; it stays where it is.
            claim: What the child says of it.
            suffix: To find it under; its own if ``None``.

        Returns:
            Why it was not kept; empty if it was.
        """
        self._folder.mkdir(parents=True, exist_ok=True)
        kept = self._folder / f"{key}{made.suffix if suffix is None else suffix}"
        part = kept.with_name(f"{kept.name}.part")
        try:
            shutil.copyfile(made, part, follow_symlinks=False)
        except (FileNotFoundError, shutil.SpecialFileError):
            return "the child reported a file that is not there"
        sha256 = sha256_of(part)
        if sha256 != claim.get("sha256"):
            return "the file is not the one that the child reported"
        part.replace(kept)
        receipt = {"sha256": sha256, "notes": _notes(claim.get("notes"))}
        written = kept.with_name(f"{key}.json.part")
        written.write_text(json.dumps(receipt))
        written.replace(self._receipt(key))
        return ""

    def _receipt(self, key: str) -> Path:
        return self._folder / f"{key}.json"


def key_of(*parts: object) -> str:
    """SHA-256 of values that JSON can tell apart."""
    text = json.dumps(parts, sort_keys=True, default=str)
    return hashlib.sha256(text.encode()).hexdigest()


def _notes(value: object) -> list[tuple[str, str]]:
    """A child's notes: text only, and not much of it, because people will read them."""
    if not isinstance(value, dict):
        return []
    return [(str(name)[:60], str(text)[:300]) for name, text in list(value.items())[:20]]
