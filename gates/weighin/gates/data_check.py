"""Checks data sets against their contract, the suites beside them, and each other.

    paths -> DataTable (one line of facts per row) -> Great Expectations -> DataReport

One expectation that did not run counts as broken, and so does a suite file that cannot be read
as a whole. What this module does not do: it repairs and drops nothing.
"""

from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from weighin.gates.data import SUITE, DataContract, DataReport, ExpectationResult, Role
from weighin.gates.data_ask import Expected
from weighin.gates.data_memory import memory_key, recall, remember
from weighin.gates.digest import sha256_of
from weighin.gates.errors import DataError
from weighin.gates.weigh_in import DataDigest

if TYPE_CHECKING:
    from weighin.gates.data_table import DataTable


def check_data(
    paths: Mapping[Role, Path],
    contract: DataContract,
    cache_dir: Path | None = None,
    *,
    committed: bool = True,
) -> DataReport:
    """Check the data sets against the contract, their suite files, and each other.

    Broken data is a result in the report, not an exception; see
    :meth:`DataReport.require_sound`. A check that passed before, on the same bytes under the
    same contract, is read from ``cache_dir`` and costs two file reads.

    Args:
        paths: The data sets.
        contract: What must hold.
        cache_dir: Where checks that passed are remembered; ``None`` checks afresh.
        committed: Whether the suite files count; not while they are written anew.

    Raises:
        DataError: a file is missing, so that there is nothing to check.
    """
    data = tuple(digest_of(role, paths[role]) for role in Role if role in paths)
    suites = suite_digests(paths) if committed else ()
    key = memory_key((*data, *suites), contract)
    remembered = None if cache_dir is None else cache_dir / f"data-{key}.json"
    if remembered is not None and (known := recall(remembered, data, suites)) is not None:
        return known
    report = _check(paths, contract, data, suites)
    if remembered is not None and report.ok:
        remember(remembered, report)
    return report


def digest_of(role: Role, path: Path) -> DataDigest:
    """Which bytes a data set consists of, and how many labels it has (none if unreadable).

    Raises:
        DataError: the file is not there.
    """
    from weighin.gates.data_table import count_rows

    if not path.is_file():
        raise DataError(f"{role} data: there is no file {path}; give the path of a .npz file")
    return DataDigest(role=role, path=str(path), sha256=sha256_of(path), rows=count_rows(path))


def suite_digests(paths: Mapping[Role, Path]) -> tuple[DataDigest, ...]:
    """The suite files that lie beside data files, by content; ``rows`` is zero.

    One that lies beside the file of two roles is checked for the first of them.
    """
    return tuple(
        DataDigest(role=f"{role} {SUITE}", path=str(path), sha256=sha256_of(path), rows=0)
        for role, path in _suites(paths)
    )


def _suites(paths: Mapping[Role, Path]) -> Iterator[tuple[Role, Path]]:
    from weighin.gates.data_committed import suite_path

    known: set[Path] = set()
    for role in Role:
        path = suite_path(paths[role]) if role in paths else None
        if path is not None and path not in known and (path.exists() or path.is_symlink()):
            known.add(path)
            yield role, path


def _check(
    paths: Mapping[Role, Path],
    contract: DataContract,
    data: tuple[DataDigest, ...],
    suites: tuple[DataDigest, ...],
) -> DataReport:
    from weighin.gates.data_suite import validate
    from weighin.gates.data_table import read_table

    tables: dict[Role, DataTable] = {}
    results: list[ExpectationResult] = []
    for role, path in paths.items():
        table, objections = read_table(role, path, contract)
        results.extend(objections)
        if table is not None:
            tables[role] = table
    found = _suites(paths) if suites else ()
    committed = {role: _read_suite(role, path, results) for role, path in found}
    if len(tables) == len(paths):
        results.extend(validate(tuple(tables.values()), contract, committed))
    report = DataReport(data=data, results=tuple(results), suites=suites)
    return _looked_at(report, paths, tables, contract) if report.ok else report


def _read_suite(role: Role, path: Path, results: list[ExpectationResult]) -> tuple[Expected, ...]:
    """What a suite file expects; that it can be read is an expectation itself."""
    from weighin.gates.data_committed import read_suite

    words, suite = f"the suite {path.name} can be read and checked", tuple[Expected, ...]()
    try:
        suite = read_suite(path.read_text(encoding="utf-8"))
        said = f"{len(suite)} expectations"
    except (ValueError, RecursionError) as error:  # a UnicodeDecodeError is a ValueError
        said = f"{error}. Mend it, or make it again with `weighin data freeze`"
    results.append(
        ExpectationResult(
            role=role, expectation=words, success=bool(suite), observed=said, committed=True
        )
    )
    return suite


def _looked_at(
    report: DataReport,
    paths: Mapping[Role, Path],
    tables: "Mapping[Role, DataTable]",
    contract: DataContract,
) -> DataReport:
    """Sound data once more: near duplicates, and what the evaluation data looks like."""
    from weighin.gates.data_drift import summarise
    from weighin.gates.data_leaks import near_duplicates, near_results

    if Role.EVALUATION not in paths:
        return report
    near, table = near_duplicates(paths), tables[Role.EVALUATION]
    statistics = {
        "lowest value": table.lowest,
        "mean": table.mean,
        "highest value": table.highest,
        "spread": table.spread,
    }
    (sha256,) = (one.sha256 for one in report.data if one.role == Role.EVALUATION)
    return replace(
        report,
        results=(*report.results, *near_results(near, contract.most_near_share)),
        near=near,
        evaluation=summarise(sha256, table.labels, statistics),
    )
