"""A part of somebody's ``dvc.yaml``: our entries under ``artifacts``, everything else as it was.

The laws, held by tests: doing it twice changes nothing more, and a file that has the entries
already comes back byte for byte. What this module does not do: it opens no file.
"""

import io
from collections.abc import Mapping

from weighin.gates.errors import StoreError


def with_artifacts(document: bytes | None, entries: Mapping[str, object]) -> bytes:
    """A ``dvc.yaml`` that has these artifacts; comments and order of the others stay.

    Args:
        document: The file as it is; ``None`` if there is none.
        entries: By name, as they must be.

    Raises:
        StoreError: the file is no YAML, or has something else where artifacts are.
    """
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    yaml = YAML()
    yaml.width = 4096  # never folds a line that somebody wrote
    try:
        known = yaml.load((document or b"").decode("utf-8")) or {}
    except (YAMLError, UnicodeDecodeError) as error:
        raise StoreError(f"dvc.yaml of the base branch is no YAML: {error}") from error
    artifacts = known.get("artifacts") or {} if isinstance(known, dict) else None
    if not isinstance(artifacts, dict):
        raise StoreError("dvc.yaml of the base branch has no table of artifacts where one belongs")
    if document is not None and entries.items() <= artifacts.items():
        return document
    artifacts.update(entries)
    known["artifacts"] = artifacts
    stream = io.BytesIO()
    yaml.dump(known, stream)
    return stream.getvalue()
