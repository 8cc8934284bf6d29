"""Other tools on the same float model and calibration rows, each in a process of its own.

They live in an environment of their own that sees this one's packages and adds the peers'.
"""

import json
import subprocess
import sys
import sysconfig
from dataclasses import dataclass
from pathlib import Path

from weighin.gates.variant import Format

HERE = Path(__file__).parent
ROOT = HERE.parents[1]
HOME = ROOT / ".venv-peers"
PACKAGES = ("nncf==3.4.0", "neural-compressor==3.10", "olive-ai==0.13.0")
STATIC = {
    "onnxruntime static": Format.ONNX,
    "olive static": Format.ONNX,
    "nncf": Format.ONNX,
    "neural-compressor": Format.ONNX,
    "litert-quantizer static": Format.LITERT,
}
SMALLEST = {
    "onnxruntime dynamic": Format.ONNX,
    "litert-quantizer dynamic": Format.LITERT,
    "litert-quantizer weight-only int8": Format.LITERT,
    "litert-quantizer weight-only int4": Format.LITERT,
    "litert-quantizer dynamic int4": Format.LITERT,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class PeerFile:
    """What a peer made, what it took, or why there is nothing."""

    tool: str
    format: Format
    path: Path
    seconds: float = 0.0
    peak_mib: float = 0.0
    failure: str = ""


def run_peers(job: dict[str, str], folder: Path) -> list[PeerFile]:
    """Every peer on one model, one after the other."""
    python = _environment()
    return [_run(python, tool, fmt, job, folder) for tool, fmt in (STATIC | SMALLEST).items()]


def _run(python: Path, tool: str, fmt: Format, job: dict[str, str], folder: Path) -> PeerFile:
    path = folder / f"{tool.replace(' ', '-')}{fmt.suffix}"
    order = folder / "job.json"
    order.write_text(json.dumps({**job, "tool": tool, "path": str(path)}))
    command: list[str | Path] = [python, HERE / "peer_child.py", order]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode != 0 or not path.is_file():
        last = (done.stderr.strip().splitlines() or ["it said nothing"])[-1]
        return PeerFile(tool=tool, format=fmt, path=path, failure=last[:160])
    took = json.loads(done.stdout.strip().splitlines()[-1])
    return PeerFile(
        tool=tool, format=fmt, path=path, seconds=took["seconds"], peak_mib=took["peak_mib"]
    )


def _environment() -> Path:
    """The peers' Python; made the first time."""
    python, ready = HOME / "bin/python", HOME / ".ready"
    if not ready.is_file():
        subprocess.run([sys.executable, "-m", "venv", HOME], check=True)
        packages = HOME / Path(sysconfig.get_path("purelib")).relative_to(sys.prefix)
        paths = [*(ROOT / name for name in ("plugin", "gates", "registry"))]
        paths.append(Path(sysconfig.get_path("purelib")))
        (packages / "base.pth").write_text("".join(f"{path}\n" for path in paths))
        install: list[str | Path] = [
            python,
            "-m",
            "pip",
            "install",
            "-q",
            "-c",
            ROOT / "constraints.txt",
        ]
        subprocess.run([*install, *PACKAGES], check=True)
        ready.touch()
    return python
