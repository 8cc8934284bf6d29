"""One file for one runtime, and the record of a file that could not be made."""

from dataclasses import dataclass
from enum import StrEnum

GZIP_BYTES = "gzip_bytes"
"""Note of a variant: length of its file after gzip, which is what a download costs."""


class Format(StrEnum):
    """A file format, named after the runtime family that loads it."""

    LITERT = "litert"
    ONNX = "onnx"
    ORT = "ort"
    EXECUTORCH = "executorch"
    COREML = "coreml"

    @property
    def suffix(self) -> str:
        """File name ending, with its dot."""
        return _SUFFIXES[self]

    @property
    def runtime_package(self) -> str:
        """The Python distribution whose version is the runtime's version.

        Core ML has none, because its runtime is a part of the phone: the converter's stands for it.
        """
        return _PACKAGES[self]

    @property
    def runs_elsewhere(self) -> str:
        """Why this machine cannot run such a file, whatever is installed; empty if it can."""
        return "Core ML runs only on macOS and iOS" if self is Format.COREML else ""


_SUFFIXES = {
    Format.LITERT: ".tflite",
    Format.ONNX: ".onnx",
    Format.ORT: ".ort",
    Format.EXECUTORCH: ".pte",
    Format.COREML: ".mlpackage.zip",
}
_PACKAGES = {
    Format.LITERT: "ai-edge-litert",
    Format.ONNX: "onnxruntime",
    Format.ORT: "onnxruntime",
    Format.EXECUTORCH: "executorch",
    Format.COREML: "coremltools",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Variant:
    """One file that a phone could load.

    Attributes:
        recipe: Readable name of the passes that made it, such as ``prune50+distill+int8``.
        format: Which runtime family loads it.
        sha256: Digest of the file.
        size_bytes: Length of the file.
        path: Where it is, relative to the project's root, POSIX separators.
        parent: Content digest of the registered model's files.
        tools: Name and version of everything that made it, sorted by name.
        notes: What a reader of the report should know (achieved MACs, conversion difference).
    """

    recipe: str
    format: Format
    sha256: str
    size_bytes: int
    path: str
    parent: str
    tools: tuple[tuple[str, str], ...]
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def label(self) -> str:
        """How people call it: ``int8.tflite``."""
        return f"{self.recipe}{self.format.suffix}"


@dataclass(frozen=True, slots=True, kw_only=True)
class BuildFailure:
    """A variant that could not be made: a result like any other."""

    recipe: str
    format: Format
    reason: str

    @property
    def label(self) -> str:
        """How people call what is missing: ``int8.tflite``."""
        return f"{self.recipe}{self.format.suffix}"
