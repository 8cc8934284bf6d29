"""Makes one file of a float model and looks at it, in a child.

    float model -> converted or quantized -> described -> compared -> its facts

What this module does not do: it trains nothing, and believes no tool: the file itself is run
and read.
"""

import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from weighin.gates.digest import sha256_of
from weighin.gates.variant import Format
from weighin.plugin.fx import Graph
from weighin.plugin.recipe import Quantization, parse_recipe
from weighin.plugin.rows import first_rows

_COMPARED_ROWS = 32
_CALIBRATION_ROWS = 200
_ROUNDING_ROWS = 640
_LEAST_AGREEMENT = 1e-2

Notes = dict[str, str]


def make_file(
    graph: Graph, row: Any, step: Mapping[str, Any], job: Mapping[str, Any]
) -> dict[str, object]:
    """One float or quantized file, compared with the float model on real rows."""
    from weighin.plugin.convert import convert
    from weighin.plugin.describe import meaning_of
    from weighin.plugin.filefacts import file_facts
    from weighin.plugin.formats.interface import describe_file
    from weighin.plugin.formats.make import make_otherwise
    from weighin.plugin.passes.quantize import quantize

    format, path = Format(step["format"]), Path(step["path"])
    part = path.with_name(f"part-{path.name}")
    notes, meaning = Notes(), meaning_of(job["meaning"])
    if format not in (Format.LITERT, Format.ONNX):
        rows = first_rows(job["calibration"], _CALIBRATION_ROWS).numpy()
        notes |= make_otherwise(graph, row, step, part, rows, meaning)
    elif step["quantization"] is None and job["graph"] is None:
        shutil.copyfile(job["floats"][format], part)
    elif step["quantization"] is None:
        convert(graph, row, format, part)
    else:
        rows = first_rows(job["calibration"], _CALIBRATION_ROWS).numpy()
        wanted, origin = Quantization(step["quantization"]), Path(step["origin"])
        if wanted.rounds_in_the_graph:
            rounded, more = _round(graph, wanted, format, job)
            notes, origin = notes | more, path.with_name(f"rounded-{path.name}")
            convert(rounded, row, format, origin)
        share = quantize(origin, part, format, wanted, rows)
        notes["quantized_weights"] = f"{100 * share:.0f} %"
    describe_file(part, format, meaning)
    notes |= _compare(graph, part, format, job, exact=step["quantization"] is None)
    sparse = parse_recipe(job["recipe"]).sparse_percent is not None
    notes |= file_facts(part, format, sparse=sparse)
    part.replace(path)
    return receipt(path) | {"notes": notes}


def _round(
    graph: Graph, wanted: Quantization, format: Format, job: Mapping[str, Any]
) -> tuple[Graph, Notes]:
    """A copy whose weights lie on grids of few bits."""
    from weighin.plugin.passes.grids import LEAST_BITS
    from weighin.plugin.passes.mixed import choose_bits, round_all

    rows = first_rows(job["calibration"], _ROUNDING_ROWS)
    if wanted is Quantization.W4:
        rounded = round_all(graph, rows, 4)
    else:
        rounded = choose_bits(graph, rows, least_bits=LEAST_BITS[format])
    return rounded.graph, dict(rounded.notes)


def receipt(path: Path) -> dict[str, object]:
    """What the parent keeps a file under."""
    return {"sha256": sha256_of(path), "size_bytes": path.stat().st_size}


def _compare(
    graph: Graph, path: Path, format: Format, job: Mapping[str, Any], *, exact: bool
) -> Notes:
    """How far a file's outputs are from the float model's, on some calibration rows."""
    import numpy as np
    import torch

    from weighin.gates.meters.models import load_model
    from weighin.plugin.passes.prune import PassError

    if format.runs_elsewhere:
        return {"difference_from_trunk": f"unknown: {format.runs_elsewhere}"}
    rows = first_rows(job["calibration"], _COMPARED_ROWS)
    with torch.no_grad():
        wanted = graph(rows).numpy()
    model = load_model(str(path), format, threads=1)
    got = np.concatenate([np.array(model(row)) for row in rows.numpy()[:, None]])
    if got.shape != wanted.shape or not np.isfinite(got).all():
        raise PassError(f"the file gives outputs {got.shape}, the model {wanted.shape}")
    difference = float(np.abs(got - wanted).max())
    if exact and difference > _LEAST_AGREEMENT * max(1.0, float(np.abs(wanted).max())):
        raise PassError(f"the converted file is off by {difference:.3g} from the model")
    agreed = 100 * float((got.argmax(1) == wanted.argmax(1)).mean())
    return {
        "difference_from_trunk": f"{difference:.2g}",
        "agreement_with_trunk": f"{agreed:.0f} % of {len(rows)} rows",
    }
