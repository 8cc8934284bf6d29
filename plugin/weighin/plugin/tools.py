"""Names and versions of the tools that make a file. Read from metadata: nothing is imported."""

from importlib.metadata import PackageNotFoundError, version

from weighin.gates.variant import Format
from weighin.plugin.recipe import Quantization
from weighin.plugin.source import SourceKind

Pairs = tuple[tuple[str, str], ...]

TOOLS = (
    "weighin",
    "ai-edge-litert",
    "coremltools",
    "executorch",
    "keras",
    "litert-converter",
    "litert-quantizer",
    "litert-torch",
    "numpy",
    "onnx",
    "onnxruntime",
    "onnxscript",
    "scikit-learn",
    "tensorflow",
    "tf-keras",
    "tf2onnx",
    "torch",
    "torchao",
    "torchmetrics",
)
"""Packages whose versions decide what a variant is, or what is measured of it."""


def weighing_tools() -> Pairs:
    """The installed versions of :data:`TOOLS`: a part of every plan and every statement."""
    return versions_of(*TOOLS)


def source_tools(kind: SourceKind) -> Pairs:
    """What loads a registered model and traces it."""
    return versions_of("torch", "weighin", *_loaders(kind))


def _loaders(kind: SourceKind) -> tuple[str, ...]:
    match kind:
        case SourceKind.TORCH_PROGRAM | SourceKind.TORCH_PICKLE:
            return ()
        case SourceKind.KERAS:
            return ("keras",)
        case SourceKind.ONNX:
            return ("onnx", "onnxruntime")
        case SourceKind.SAVED_MODEL:
            return ("onnx", "tensorflow", "tf2onnx")
        case SourceKind.KERAS_H5:
            return ("keras", "onnx", "tensorflow", "tf-keras", "tf2onnx")


def file_tools(format: Format, quantization: Quantization | None) -> Pairs:
    """What converts to a format and quantizes there."""
    match format:
        case Format.LITERT:
            names = ["litert-torch", "litert-converter"]
            names += [] if quantization is None else ["litert-quantizer", "ai-edge-litert"]
        case Format.ONNX:
            names = ["onnx", "onnxscript"]
            names += [] if quantization is None else ["onnxruntime"]
        case Format.ORT:
            names = ["onnx", "onnxscript", "onnxruntime"]
        case Format.EXECUTORCH:
            names = ["executorch"] if quantization is None else ["executorch", "torchao"]
        case Format.COREML:
            names = ["coremltools"]
    return versions_of("weighin", *names)


def versions_of(*names: str) -> Pairs:
    """Name and version of installed packages, sorted; ``not installed`` is a version too."""
    return tuple((name, _version(name)) for name in sorted(set(names)))


def _version(name: str) -> str:
    try:
        return version(name)
    except PackageNotFoundError:
        return "not installed"
