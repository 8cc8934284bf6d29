"""Remembers checks that passed, by the bytes of the data and of the suites, and the contract.

What is broken is never remembered, and what cannot be read is checked afresh, which is always
right. What this module does not do: it checks nothing.
"""

import hashlib
import json
from dataclasses import asdict
from importlib.metadata import version
from pathlib import Path

from weighin.gates.data import DataContract, DataReport, ExpectationResult, Role
from weighin.gates.data_wire import (
    evaluation_from_json,
    evaluation_to_json,
    near_from_json,
    near_to_json,
)
from weighin.gates.weigh_in import DataDigest
from weighin.gates.wire import data_from_json, data_to_json, list_of, object_of, text_of

_FORMAT = 3


def memory_key(files: tuple[DataDigest, ...], contract: DataContract) -> str:
    """Everything that decides what a check finds."""
    parts = {
        "format": _FORMAT,
        "files": [(digest.role, digest.sha256) for digest in files],
        "contract": asdict(contract),
        "tools": [version(name) for name in ("great_expectations", "numpy")],
    }
    return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:32]


def remember(path: Path, report: DataReport) -> None:
    """Keep a report that is sound."""
    path.parent.mkdir(parents=True, exist_ok=True)
    document = {
        "files": [data_to_json(digest) for digest in (*report.data, *report.suites)],
        "results": [asdict(result) for result in report.results],
        "near": [near_to_json(near) for near in report.near],
        "evaluation": report.evaluation and evaluation_to_json(report.evaluation),
    }
    draft = path.with_suffix(".tmp")
    draft.write_text(json.dumps(document))
    draft.replace(path)


def recall(
    path: Path, data: tuple[DataDigest, ...], suites: tuple[DataDigest, ...]
) -> DataReport | None:
    """A check that passed before; ``None`` if there is none or it cannot be read."""
    try:
        document = object_of(json.loads(path.read_text()), "data report")
        digests = tuple(data_from_json(item) for item in list_of(document, "files"))
        evaluation = document.get("evaluation")
        report = DataReport(
            data=data,
            results=tuple(_result(item) for item in list_of(document, "results")),
            suites=suites,
            near=tuple(near_from_json(item) for item in list_of(document, "near")),
            evaluation=None if evaluation is None else evaluation_from_json(evaluation),
        )
    except (FileNotFoundError, ValueError):
        return None
    same = [d.sha256 for d in digests] == [d.sha256 for d in (*data, *suites)]
    return report if same and report.ok else None


def _result(document: object) -> ExpectationResult:
    fields = object_of(document, "expectation")
    return ExpectationResult(
        role=Role(text_of(fields, "role")),
        expectation=text_of(fields, "expectation"),
        success=fields.get("success") is True,
        observed=text_of(fields, "observed"),
        committed=fields.get("committed") is True,
    )
