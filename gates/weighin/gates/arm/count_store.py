"""Keeps counts on disk: the same file on the same core gives the same count.

A count is found again only under everything that decided it: file, core, kernels, runtime, counter.
What this module does not do: it keeps no failures (the next run may be luckier).
"""

import hashlib
import json
from dataclasses import asdict, dataclass
from pathlib import Path

from weighin.gates.arm.counts import Count, parse_count


@dataclass(frozen=True, slots=True, kw_only=True)
class CountKey:
    """What decides a count.

    Attributes:
        artifact_sha256: The file.
        cpu: The emulated core.
        kernels: ``xnnpack`` or ``before_xnnpack``.
        runtime: Name and version.
        counter: Version of the counter.
    """

    artifact_sha256: str
    cpu: str
    kernels: str
    runtime: str
    counter: str


@dataclass(frozen=True, slots=True, kw_only=True)
class CountStore:
    """A folder of counts, one JSON file each."""

    folder: Path

    def recall(self, key: CountKey) -> Count | None:
        """The count that was kept under this key; ``None`` if there is none that can be read."""
        try:
            return parse_count(json.loads(self._path(key).read_text()))
        except (FileNotFoundError, ValueError, AttributeError):
            return None  # counted afresh, which is always right

    def keep(self, key: CountKey, count: Count) -> None:
        """Write a count, whole or not at all."""
        path = self._path(key)
        path.parent.mkdir(parents=True, exist_ok=True)
        draft = path.with_suffix(".tmp")
        draft.write_text(json.dumps(asdict(count)))
        draft.replace(path)

    def _path(self, key: CountKey) -> Path:
        named = json.dumps(asdict(key), sort_keys=True)
        return self.folder / f"{hashlib.sha256(named.encode()).hexdigest()[:40]}.json"
