"""Gets float files of a registered model that could not be made trainable, from one child.

What this module does not do: it makes nothing trainable, and it quantizes nothing.
"""

from dataclasses import dataclass, field
from pathlib import Path

from weighin.gates.child import Limits, run_child
from weighin.gates.digest import sha256_of
from weighin.gates.variant import Format
from weighin.plugin.buildcache import Cache, Entry, Pairs, key_of
from weighin.plugin.ledger import Ledger
from weighin.plugin.load import source_job
from weighin.plugin.source import Source
from weighin.plugin.sources.foreign import direct_formats
from weighin.plugin.tools import source_tools
from weighin.plugin.worker import DIRECT, WORKER

_WHY = "not_trainable"


@dataclass(frozen=True, slots=True, kw_only=True)
class FloatFile:
    """A float file of a model, and what came with it."""

    format: Format
    path: Path
    notes: Pairs


@dataclass(frozen=True, slots=True, kw_only=True)
class Direct:
    """What there is of a model that cannot be made trainable.

    Attributes:
        why: Why it cannot.
        files: One float file per format that its own framework can write.
        failed: Why there is none in another of these formats.
    """

    why: str
    files: tuple[FloatFile, ...]
    failed: tuple[tuple[Format, str], ...]

    def file(self, format: Format) -> FloatFile | None:
        """The float file in a format, if there is one."""
        return next((file for file in self.files if file.format is format), None)

    def why_not(self, format: Format) -> str:
        """Why there is no float file in a format."""
        own = dict(self.failed).get(format, "this kind of source is not written so directly")
        return f"no {format} file: {own}; and the model cannot be made trainable: {self.why}"


@dataclass(slots=True, kw_only=True)
class DirectTask:
    """The float files of one model, and its outputs on data sets: kept, failed, left to do."""

    source: Source
    data: tuple[Path, ...]
    trace: Path
    cache: Cache
    failed: dict[str, str] = field(default_factory=dict[str, str])

    def floats(self) -> dict[str, Format]:
        """Steps that write a file."""
        return {f"float{f.suffix}": f for f in direct_formats(self.source.kind)}

    def sets(self) -> dict[str, Path]:
        """Steps that run the model on data."""
        return {f"direct{place}.npz": path for place, path in enumerate(self.data)}

    def key(self, step: str) -> str:
        """What decides the content of a step's file."""
        seen = sha256_of(self.sets().get(step, self.trace))
        name = step if step in self.floats() else "outputs"
        tools = source_tools(self.source.kind)
        return key_of("direct", name, self.source.digest, str(self.source.kind), tools, seen)

    def found(self, step: str) -> Entry | None:
        """A step's file, if it is kept."""
        return self.cache.find(self.key(step), Path(step).suffix)

    @property
    def why(self) -> str:
        """Why the model is known not to be trainable; empty if that is not known."""
        entries = [entry for step in self.floats() if (entry := self.found(step)) is not None]
        return next((dict(entry.notes).get(_WHY, "") for entry in entries), "")

    @property
    def settled(self) -> bool:
        """Whether the model is known not to be trainable, and all there is of it is kept."""
        return bool(self.why) and all(self.found(step) for step in self.sets())

    def run(self, why: str, workdir: Path, limits: Limits) -> None:
        """Have a child make what is missing."""
        todo = [step for step in (*self.floats(), *self.sets()) if self.found(step) is None]
        if not self.floats() or not todo:
            return
        folder = workdir / "children" / f"direct-{key_of(self.key(todo[0]))[:16]}"
        folder.mkdir(parents=True, exist_ok=True)
        ledger = Ledger(
            todo, lambda step, line: self.cache.keep(self.key(step), folder / step, line)
        )
        child = run_child(
            WORKER, self._job(why, todo, folder, limits), folder, limits, on_line=ledger.line
        )
        ledger.end(child.ended)
        self.failed = dict(ledger.failed)

    def result(self, why: str) -> Direct | None:
        """All there is; ``None`` if there is no file at all, or not every output."""
        found = {step: self.found(step) for step in self.floats()}
        files = tuple(
            FloatFile(format=self.floats()[step], path=entry.path, notes=entry.notes)
            for step, entry in found.items()
            if entry is not None
        )
        if not files or not all(self.found(step) for step in self.sets()):
            return None
        failed = tuple(
            (self.floats()[step], self.failed.get(step, "it was not written"))
            for step, entry in found.items()
            if entry is None
        )
        return Direct(why=why, files=files, failed=failed)

    def outputs(self) -> tuple[Path, ...]:
        """What the model says about the data sets."""
        entries = [self.found(step) for step in self.sets()]
        return tuple(entry.path for entry in entries if entry is not None)

    def _job(self, why: str, todo: list[str], folder: Path, limits: Limits) -> dict[str, object]:
        return {
            "kind": DIRECT,
            "threads": limits.threads,
            "seed": 0,
            "why": why,
            "source": source_job(self.source),
            "trace": str(self.trace.resolve()),
            "floats": [
                {"name": step, "format": str(format), "path": str((folder / step).resolve())}
                for step, format in self.floats().items()
                if step in todo
            ],
            "outputs": [
                {
                    "name": step,
                    "data": str(path.resolve()),
                    "path": str((folder / step).resolve()),
                }
                for step, path in self.sets().items()
                if step in todo
            ],
        }
