"""The flow: from a registered version to a signed, published weigh-in.

    Registration -> Plan -> Source -> Variants -> Readings -> Verdicts -> Evidence -> Report

Each step turns one noun into the next and keeps what it made, addressed by content: killed in
the middle, the next run goes on from there.
"""

import os
import shutil
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

from weighin.gates.data import Role
from weighin.gates.data_check import check_data
from weighin.gates.data_record import DataSummary
from weighin.gates.dominance import with_dominance
from weighin.gates.errors import DataError, SourceError
from weighin.gates.variant import BuildFailure, Variant
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.arm_counter import twin_place
from weighin.plugin.arm_setup import machine_folder
from weighin.plugin.auto import Choice, Paths, SearchRequest, choose
from weighin.plugin.builder import BuildRequest, build_variants
from weighin.plugin.config import BuildConfig
from weighin.plugin.console import Progress
from weighin.plugin.contract import contract_for
from weighin.plugin.event import Registration
from weighin.plugin.job import Job
from weighin.plugin.mlflow_store import Connection, download, find_version
from weighin.plugin.offer import compared_with, read_offer
from weighin.plugin.passes.distill import TrainingSettings
from weighin.plugin.planning import data_paths, plan_for
from weighin.plugin.project import Project, parse_reference
from weighin.plugin.publish import publish_weigh_in, refuse, still_good
from weighin.plugin.recipe import Recipe
from weighin.plugin.reference import Reference, keep_reference
from weighin.plugin.released import with_drift
from weighin.plugin.scales import Scales
from weighin.plugin.source import Source, inspect_source
from weighin.plugin.source_run import SourceFailure, run_source
from weighin.plugin.trunk import Built
from weighin.plugin.weighing import weigh_variants
from weighin.registry.git import commit
from weighin.registry.store import keep_variants


def weigh(
    project: Project,
    connection: Connection,
    registration: Registration,
    *,
    again: bool,
    progress: Progress,
) -> WeighIn:
    """Weigh one version; what was weighed before and did not change is read, not repeated.

    Raises:
        WeighinError: it cannot be weighed. A reason that will not go away by itself is recorded
            on the version, so that it is not tried again before something changes.
    """
    plan, now = plan_for(project, registration.name), datetime.now(UTC)
    if not again and (known := still_good(project, registration, plan, now)) is not None:
        return known
    job = Job(
        project=project,
        connection=connection,
        registration=registration,
        plan=plan,
        progress=progress,
        started_at=now,
        again=again,
    )
    try:
        weigh_in = weigh_now(job)
    except (DataError, SourceError) as error:
        refuse(connection, registration, plan, error)
        raise
    publish_weigh_in(project, connection, registration, weigh_in)
    return weigh_in


def weigh_now(job: Job) -> WeighIn:
    """The flow itself, from the registered files to the verdicts.

    Raises:
        DataError: a data set broke its contract.
        SourceError: the registered model cannot be used.
    """
    source = fetch(job, job.registration)
    checked = check(job, source)
    reference = run(job, source)
    choice = find(job, source)
    built = build(job, source, choice.recipes, choice.paths)
    variants = keep(job, source, [one for one in built if isinstance(one, Built)])
    scales, offer = _scales(job, reference), read_offer(job.project, job.plan)
    results = weigh_variants(variants, job.plan, scales, job.progress, offer=offer)
    return WeighIn(
        model=job.registration.name,
        version=job.registration.version,
        source=job.registration.source,
        source_digest=source.digest,
        plan_digest=job.plan.digest,
        quality_metric=job.quality.metric.name,
        reference_accuracy=reference.quality,
        data=(*job.plan.data, *choice.data),
        devices=job.plan.devices,
        results=with_dominance(results),
        failures=tuple(one for one in built if isinstance(one, BuildFailure)),
        started_at=job.started_at,
        finished_at=datetime.now(UTC),
        search=choice.record,
        compared_with=compared_with(job.plan, offer),
        data_report=checked.with_sets_of(choice.checked),
        fleet=job.plan.fleet,
    )


def fetch(job: Job, registration: Registration) -> Source:
    """The registered files, copied once, and what they are; none of their code runs."""
    job.progress("fetch", 0, 1)
    kept = job.project.work / "sources" / registration.key[:16]
    if not kept.exists():
        fresh = kept.with_name(f"{kept.name}.new")
        shutil.rmtree(fresh, ignore_errors=True)
        fresh.mkdir(parents=True)
        download(job.connection, registration, fresh)
        fresh.rename(kept)
    job.progress("fetch", 1, 1)
    return inspect_source(model_folder(kept), trust_pickle=job.plan.settings.trust_pickle)


def check(job: Job, source: Source) -> DataSummary:
    """Hold every data set against the contract before anything is spent."""
    job.progress("check data", 0, 1)
    paths = data_paths(job.project, job.plan.model)
    contract = contract_for(source, job.plan.settings, paths[Role.EVALUATION])
    report = check_data(paths, contract, job.project.work / "data")
    report.require_sound()
    job.progress("check data", 1, 1)
    return with_drift(job.project, job.plan.model, report.summary)


def run(job: Job, source: Source) -> Reference:
    """What the registered model itself says about the gate's data."""
    job.progress("run the registered model", 0, 1)
    evaluation = job.data(Role.EVALUATION)
    done = run_source(source, (evaluation,), job.data(Role.CALIBRATION), job.build, job.limits)
    if isinstance(done, SourceFailure):
        raise SourceError(f"{job.registration.label} cannot be used: {done.reason}")
    job.progress("run the registered model", 1, 1)
    kept = job.project.work / "host" / "reference.npy"
    return keep_reference(done.outputs[0], evaluation, kept, job.limits, job.quality)


def find(job: Job, source: Source) -> Choice:
    """The recipes to build: the plan's own, and for ``auto`` what a search keeps."""
    paths, limits = data_paths(job.project, job.plan.model), job.plan.search
    if limits is None:
        return Choice(recipes=job.plan.recipes, paths=paths)
    request = SearchRequest(
        plan=job.plan,
        source=source,
        paths=paths,
        root=job.project.root,
        work=job.project.work,
        limits=job.limits,
        moment=job.moment,
        settings=job.settings,
        seed=job.project.config.build.seed,
        again=job.again,
        build=lambda recipes, data: build(job, source, recipes, data, step="search: build"),
        progress=job.progress,
    )
    return choose(request, limits)


def build(
    job: Job, source: Source, recipes: tuple[Recipe, ...], paths: Paths, step: str = "build"
) -> tuple[Built | BuildFailure, ...]:
    """Every recipe in every format, or why it could not be made."""
    config, student = job.project.config.build, job.plan.settings.student
    teacher = job.plan.settings.teacher
    request = BuildRequest(
        source=source,
        recipes=recipes,
        formats=job.plan.formats,
        calibration=paths[Role.CALIBRATION],
        limits=job.limits,
        workdir=job.build,
        training=paths.get(Role.TRAINING),
        unlabelled=paths.get(Role.UNLABELLED),
        workers=config.workers,
        seed=config.seed,
        meaning=job.plan.settings.meaning,
        settings=_training_settings(config),
    )
    if student is not None:
        registered = find_version(job.connection, *parse_reference(student))
        request = replace(request, student=fetch(job, registered), student_name=student)
    if teacher is not None:
        registered = find_version(job.connection, *parse_reference(teacher))
        request = replace(request, teacher=fetch(job, registered), teacher_name=teacher)
    job.progress(step, 0, len(request.recipes) * len(request.formats))
    return build_variants(request, lambda _what, done, total: job.progress(step, done, total))


def _training_settings(config: BuildConfig) -> TrainingSettings:
    return TrainingSettings(
        epochs=config.epochs,
        train_seconds=config.train_seconds,
        temperature=config.temperature,
        soft_weight=config.soft_weight,
        augment=config.augment,
        report_lift=config.report_lift,
        prune_steps=config.prune_steps,
    )


def keep(job: Job, source: Source, built: Sequence[Built]) -> tuple[Variant, ...]:
    """Version every file with DVC in the user's repository, and commit the pointers."""
    job.progress("version with DVC", 0, 1)
    name, number = job.registration.name, job.registration.version
    variants = tuple(_variant(one, f"variants/{name}/v{number}", source) for one in built)
    files = tuple((one.path, variant) for one, variant in zip(built, variants, strict=True))
    kept = keep_variants(job.project.root, name, number, files)
    if job.project.config.dvc.commit:
        commit(job.project.root, kept.paths, f"weighin: variants of {name} v{number}")
    job.progress("version with DVC", 1, 1)
    return variants


def _variant(built: Built, folder: str, source: Source) -> Variant:
    return Variant(
        recipe=built.recipe,
        format=built.format,
        sha256=built.sha256,
        size_bytes=built.size_bytes,
        path=f"{folder}/{built.recipe}{built.format.suffix}",
        parent=source.digest,
        tools=built.tools,
        notes=built.notes,
    )


def _scales(job: Job, reference: Reference) -> Scales:
    return Scales(
        root=job.project.root,
        evaluation=job.data(Role.EVALUATION),
        reference=reference.outputs,
        workdir=job.project.work / "host",
        limits=job.limits,
        moment=job.moment,
        settings=job.settings,
        arm=machine_folder(os.environ, Path.home()),
        twin=twin_place(os.environ, Path.home()) if job.project.config.gate.emulate else None,
    )


def model_folder(downloaded: Path) -> Path:
    """The folder that holds ``MLmodel``: the download itself, or the one folder in it."""
    found = sorted(downloaded.rglob("MLmodel"), key=lambda path: len(path.parts))
    return found[0].parent if found else downloaded
