"""Turns recipe ``auto`` into a few recipes: sets up a search for one registered model, and runs it.

Sees of the gate's data only how many rows it has, and the content hashes that show that no row of
it is in the tuning data. What this module does not do: it judges no winner.
"""

import time
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from weighin.gates.child import Limits
from weighin.gates.data import Role
from weighin.gates.data_check import check_data, digest_of
from weighin.gates.data_record import DataSummary
from weighin.gates.devices.bench import HostSettings
from weighin.gates.digest import sha256_of
from weighin.gates.errors import SourceError
from weighin.gates.judge import Moment
from weighin.gates.metric import Metric
from weighin.gates.profile import HOST
from weighin.gates.search import SearchRecord
from weighin.gates.variant import BuildFailure, Variant
from weighin.gates.weigh_in import DataDigest, Result
from weighin.plugin.buildcache import key_of
from weighin.plugin.config import SearchConfig
from weighin.plugin.console import Progress
from weighin.plugin.contract import contract_for
from weighin.plugin.plan import Plan
from weighin.plugin.recipe import Recipe, parse_recipe
from weighin.plugin.reference import keep_reference
from weighin.plugin.scales import Scales
from weighin.plugin.search.journal import Journal
from weighin.plugin.search.run import Workshop, search
from weighin.plugin.search.space import space_of
from weighin.plugin.search.tuning import with_tuning
from weighin.plugin.source import Source
from weighin.plugin.source_run import SourceFailure, run_source
from weighin.plugin.trunk import Built
from weighin.plugin.weighing import weigh_variants

Paths = Mapping[Role, Path]
Build = Callable[[tuple[Recipe, ...], Paths], tuple[Built | BuildFailure, ...]]
"""Builds recipes in every format of the plan, from these data sets."""

QUICK = HostSettings(processes=2, rounds=60, session_seconds=2.0, memory_processes=1)
"""A look, not a judgement: the gate measures what is kept properly."""

ON_HOST = (Metric.PEAK_MEMORY_MIB, Metric.ENERGY_MJ)
"""What is measured on this machine only if it is budgeted here."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """What is to be built and judged.

    Attributes:
        recipes: Fixed ones, then what a search kept.
        paths: The data sets to build from.
        data: Data sets beside those of the plan.
        record: The search, if there was one.
        checked: What was checked of the data sets that it used, if there was one.
    """

    recipes: tuple[Recipe, ...]
    paths: Paths
    data: tuple[DataDigest, ...] = ()
    record: SearchRecord | None = None
    checked: DataSummary | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SearchRequest:
    """Everything that decides one search.

    Attributes:
        plan: Budgets, devices, formats and the search's own limits.
        source: The registered model.
        paths: The plan's data sets, sound by themselves.
        root: The project's root.
        work: Where work in progress is kept.
        limits: What one child process may use.
        moment: When, and how old a reading may be.
        settings: How this machine measures for the gate; its readings may be as old here.
        seed: Of the data that is set aside.
        again: Whether to ask everything again.
        build: Builds.
        progress: Told of rounds.
    """

    plan: Plan
    source: Source
    paths: Paths
    root: Path
    work: Path
    limits: Limits
    moment: Moment
    settings: HostSettings
    seed: int
    again: bool
    build: Build
    progress: Progress


def choose(request: SearchRequest, limits: SearchConfig) -> Choice:
    """The plan's own recipes, and those that a search keeps.

    Raises:
        DataError: the tuning data broke its contract, or there is too little to set some aside.
        SourceError: the registered model cannot be run on the tuning data.
    """
    paths = with_tuning(request.paths, request.work / "search" / "data", request.seed)
    checked = _check(request, paths)
    space, journal = space_of(request.plan), _journal(request, paths)
    workshop = _workshop(request, paths)
    record = search(space, request.plan.devices, limits, workshop, journal)
    request.progress("search", len(record.rounds), len(record.rounds))
    kept = tuple(parse_recipe(name) for name in record.kept)
    return Choice(
        recipes=tuple(dict.fromkeys((*request.plan.recipes, *kept))),
        paths=paths,
        data=_set_aside(request, paths),
        record=record,
        checked=checked,
    )


def _check(request: SearchRequest, paths: Paths) -> DataSummary:
    """Hold the parts against the data contract: no row of one is in another."""
    contract = contract_for(request.source, request.plan.settings, request.paths[Role.EVALUATION])
    report = check_data(paths, contract, request.work / "data")
    report.require_sound()
    return report.summary


def _set_aside(request: SearchRequest, paths: Paths) -> tuple[DataDigest, ...]:
    """The tuning set for the report, if the plan does not name it already."""
    if Role.TUNING in request.paths:
        return ()
    digest = digest_of(Role.TUNING, paths[Role.TUNING])
    return (replace(digest, path=_below(paths[Role.TUNING], request.root)),)


def _journal(request: SearchRequest, paths: Paths) -> Journal:
    """The journal of this model, plan and data; a new one if everything is to be asked again."""
    digests = [sha256_of(path) for role, path in sorted(paths.items()) if role != Role.EVALUATION]
    key = key_of("search", request.source.digest, request.plan.digest, digests)
    path = request.work / "search" / f"{key[:24]}.jsonl"
    if request.again:
        path.unlink(missing_ok=True)
    return Journal(path)


def _workshop(request: SearchRequest, paths: Paths) -> Workshop:
    scales = _scales(request, paths)

    def make(recipes: Sequence[Recipe]) -> Sequence[Variant | BuildFailure]:
        return [_variant(one, request) for one in request.build(tuple(recipes), paths)]

    def weigh(variants: Sequence[Variant], metrics: Collection[Metric]) -> Sequence[Result]:
        return weigh_variants(variants, request.plan, scales, lambda *_: None, metrics)

    return Workshop(
        make=make,
        weigh=weigh,
        measured=measured(request.plan),
        gate_rows=digest_of(Role.EVALUATION, request.paths[Role.EVALUATION]).rows,
        clock=time.monotonic,
        tell=lambda rounds: request.progress("search", rounds, rounds + 1),
    )


def measured(plan: Plan) -> tuple[Metric, ...]:
    """What a search measures, cheapest first; on this machine only if it is a target."""
    file = (Metric.SIZE_MIB, Metric.ACCURACY_DROP_POINTS)
    here = [target for target in plan.targets if target.device == HOST]
    if not here:
        return file
    budgeted = {budget.metric for budget in here[0].budgets}
    return (*file, Metric.LATENCY_P90_MS, *(metric for metric in ON_HOST if metric in budgeted))


def _scales(request: SearchRequest, paths: Paths) -> Scales:
    """Like the gate's, with the tuning data in the place of the gate's own."""
    tuning, work = paths[Role.TUNING], request.work / "search" / "host"
    builds, limits = request.work / "build", request.limits
    done = run_source(request.source, (tuning,), paths[Role.CALIBRATION], builds, limits)
    if isinstance(done, SourceFailure):
        raise SourceError(f"the registered model cannot be run on the tuning data: {done.reason}")
    quality = replace(request.settings.quality, margins=(), slices=())
    reference = keep_reference(done.outputs[0], tuning, work / "reference.npy", limits, quality)
    return Scales(
        root=request.root,
        evaluation=tuning,
        reference=reference.outputs,
        workdir=work,
        limits=limits,
        moment=request.moment,
        settings=replace(
            QUICK,
            reuse_for=request.settings.reuse_for,
            confidence=request.settings.confidence,
            quality=quality,
        ),
    )


def _variant(built: Built | BuildFailure, request: SearchRequest) -> Variant | BuildFailure:
    if isinstance(built, BuildFailure):
        return built
    return Variant(
        recipe=built.recipe,
        format=built.format,
        sha256=built.sha256,
        size_bytes=built.size_bytes,
        path=_below(built.path, request.root),
        parent=request.source.digest,
        tools=built.tools,
        notes=built.notes,
    )


def _below(path: Path, root: Path) -> str:
    return path.resolve().relative_to(root.resolve()).as_posix()
