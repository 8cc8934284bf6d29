"""What the branch of a model version holds: pointers, ``dvc.yaml``, the report and its evidence."""

from dataclasses import dataclass
from pathlib import Path

from weighin.gates.errors import StoreError
from weighin.gates.plain import plain
from weighin.gates.weigh_in import WeighIn
from weighin.plugin.project import Project
from weighin.plugin.results import EVIDENCE_DIR, REPORT_JSON
from weighin.plugin.review.names import branch_name
from weighin.plugin.review.trust import Bundle
from weighin.plugin.waivers import WAIVERS_DIR
from weighin.registry.dvc_yaml import with_artifacts
from weighin.registry.git_branch import Rewrite, Wanted
from weighin.registry.store import artifact_entries


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A finished weigh-in on disk.

    Attributes:
        folder: Where it is.
        bundle: Its report and statements, byte for byte.
    """

    folder: Path
    bundle: Bundle


def read_kept(folder: Path, reference: str) -> Kept:
    """The report and the statements of a results folder.

    Raises:
        StoreError: there is none.
    """
    report = folder / REPORT_JSON
    if not report.is_file():
        raise StoreError(f"{reference} has no report yet; run `weighin run {reference}`")
    statements = sorted((folder / EVIDENCE_DIR).glob("*.json"))
    envelopes = {path.name: path.read_bytes() for path in statements}
    bundle = Bundle(report=report.read_bytes(), envelopes=envelopes)
    return Kept(folder=folder, bundle=bundle)


def wanted_branch(
    project: Project, kept: Kept, weigh_in: WeighIn, *, prefix: str, base: str
) -> Wanted:
    """The branch of this version, on top of whatever the base branch is.

    Args:
        project: The user's repository.
        kept: The weigh-in's files.
        weigh_in: The weigh-in.
        prefix: Where the project lies in its git repository: ``""``, or ``sub/``.
        base: The branch that it will be merged into.

    Raises:
        StoreError: a variant has no DVC pointer.
    """
    model, version = weigh_in.model, weigh_in.version
    folder = project.committed(model, version).relative_to(project.root).as_posix()
    files = {**_pointers(project, weigh_in), **_weighed(kept, folder)}
    variants = tuple(result.variant for result in weigh_in.results)
    entries = artifact_entries(model, version, variants)
    described: dict[str, Rewrite] = {
        f"{prefix}dvc.yaml": lambda document: with_artifacts(document, entries)
    }
    return Wanted(
        branch=branch_name(model, version),
        base=base,
        files={f"{prefix}{path}": content for path, content in files.items()},
        rewritten=described if variants else {},
        folder=f"{prefix}{folder}",
        message=f"weighin: {plain(model)} v{plain(version)}, variants and evidence\n",
        at=weigh_in.finished_at,
    )


def _pointers(project: Project, weigh_in: WeighIn) -> dict[str, bytes]:
    files: dict[str, bytes] = {}
    for result in weigh_in.results:
        pointer = f"{result.variant.path}.dvc"
        if not (project.root / pointer).is_file():
            reference = f"{weigh_in.model}/{weigh_in.version}"
            raise StoreError(f"{pointer} is not there; run `weighin run {reference} --again`")
        ignore = (Path(pointer).parent / ".gitignore").as_posix()
        for path in (pointer, ignore):
            if (project.root / path).is_file():
                files[path] = (project.root / path).read_bytes()
    return files


def _weighed(kept: Kept, folder: str) -> dict[str, bytes]:
    waivers = sorted((kept.folder / WAIVERS_DIR).glob("*.json"))
    envelopes = kept.bundle.envelopes.items()
    return {
        f"{folder}/{REPORT_JSON}": kept.bundle.report,
        **{f"{folder}/{EVIDENCE_DIR}/{name}": content for name, content in envelopes},
        **{f"{folder}/{WAIVERS_DIR}/{path.name}": path.read_bytes() for path in waivers},
    }
