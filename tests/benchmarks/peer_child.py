"""One peer quantizes one float model, in a process of its own: ``python peer_child.py job.json``.

The job names the float files, the calibration rows and the tool. The answer is a line of JSON
with what it took; the file that the tool wrote is the result.
"""

import json
import resource
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import numpy as np

Job = Mapping[str, str]


def main() -> None:
    job: Job = json.loads(Path(sys.argv[1]).read_text())
    with np.load(job["calibration"]) as data:
        rows = np.asarray(data["x"], np.float32)
    started = time.perf_counter()
    TOOLS[job["tool"]](job, rows)
    answer = {
        "seconds": time.perf_counter() - started,
        "peak_mib": resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    }
    print(json.dumps(answer), flush=True)


def ort_static(job: Job, rows: Any) -> None:
    from onnxruntime import quantization as tools

    tools.quantize_static(
        job["onnx"],
        job["path"],
        _ort_reader(_inlet(job), rows),
        quant_format=tools.QuantFormat.QDQ,
        per_channel=True,
        activation_type=tools.QuantType.QUInt8,
        weight_type=tools.QuantType.QInt8,
    )


def ort_dynamic(job: Job, rows: Any) -> None:
    from onnxruntime import quantization as tools

    tools.quantize_dynamic(job["onnx"], job["path"], weight_type=tools.QuantType.QUInt8)


def olive_static(job: Job, rows: Any) -> None:
    from olive.data.config import DataComponentConfig, DataConfig
    from olive.data.registry import Registry
    from olive.model import ONNXModelHandler
    from olive.passes.olive_pass import create_pass_from_dict
    from olive.passes.onnx.quantization import OnnxStaticQuantization

    inlet = _inlet(job)

    @Registry.register_dataset("weighin_rows")
    def _rows(**_: Any) -> Any:
        return [({inlet: row}, 0) for row in rows]

    data = DataConfig(
        name="calibration", load_dataset_config=DataComponentConfig(type="weighin_rows")
    )
    options = {"data_config": data, "quant_preprocess": True, "per_channel": True}
    tool = create_pass_from_dict(OnnxStaticQuantization, options, disable_search=True)
    out = Path(job["path"])
    made = tool.run(ONNXModelHandler(job["onnx"]), str(out.with_suffix("")))
    Path(made.model_path).replace(out)


def nncf_ptq(job: Job, rows: Any) -> None:
    import nncf
    import onnx

    inlet = _inlet(job)
    data = nncf.Dataset([row[None] for row in rows], lambda row: {inlet: row})
    made = nncf.quantize(onnx.load(job["onnx"]), data, subset_size=len(rows))
    onnx.save(made, job["path"])


def litert_quantizer(name: str) -> Callable[[Job, Any], None]:
    def run(job: Job, rows: Any) -> None:
        from ai_edge_litert.interpreter import Interpreter
        from litert_quantizer import quantizer, recipe

        tool = quantizer.Quantizer(job["tflite"], getattr(recipe, name)())
        ranges = None
        if tool.need_calibration:
            ((signature, ends),) = (
                Interpreter(model_path=job["tflite"]).get_signature_list().items()
            )
            (inlet,) = ends["inputs"]
            ranges = tool.calibrate({signature: [{inlet: row[None]} for row in rows]})
        Path(job["path"]).write_bytes(bytes(tool.quantize(ranges).quantized_model))

    return run


def neural_compressor(job: Job, rows: Any) -> None:
    """Through PyTorch's quantized graph: the tool has no ONNX quantizer of its own any more."""
    import onnxruntime
    import torch
    from neural_compressor.torch.export import export
    from neural_compressor.torch.quantization import convert, get_default_static_config, prepare

    if not job["module"]:
        raise SystemExit("it quantizes PyTorch modules only, and this model is none")
    sys.path.insert(0, job["code"])
    row = torch.from_numpy(rows[:1])  # what is traced with two rows takes only two
    model: Any = export(torch.load(job["module"], weights_only=False), (row,))
    model = prepare(model, get_default_static_config())
    with torch.no_grad():
        for one in rows:
            model(torch.from_numpy(one[None]))
    draft = f"{job['path']}.draft.onnx"
    options: dict[str, Any] = {
        "input_names": ["input"],
        "output_names": ["output"],
        "external_data": False,
    }
    torch.onnx.export(convert(model), (row,), draft, dynamo=True, **options)
    # The exporter leaves float weights in front of their quantization; folded, they are int8.
    session = onnxruntime.SessionOptions()
    session.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_BASIC
    session.optimized_model_filepath = job["path"]
    onnxruntime.InferenceSession(draft, session)


def _inlet(job: Job) -> str:
    import onnx

    return str(onnx.load(job["onnx"], load_external_data=False).graph.input[0].name)


def _ort_reader(inlet: str, rows: Any) -> Any:
    from onnxruntime.quantization import CalibrationDataReader

    feeds = iter([{inlet: row[None]} for row in rows])
    reader: Any = type("Rows", (CalibrationDataReader,), {"get_next": lambda _: next(feeds, None)})
    return reader()


TOOLS: Mapping[str, Callable[[Job, Any], None]] = {
    "onnxruntime static": ort_static,
    "onnxruntime dynamic": ort_dynamic,
    "olive static": olive_static,
    "nncf": nncf_ptq,
    "neural-compressor": neural_compressor,
    "litert-quantizer static": litert_quantizer("static_wi8_ai8"),
    "litert-quantizer dynamic": litert_quantizer("dynamic_wi8_afp32"),
    "litert-quantizer weight-only int8": litert_quantizer("weight_only_wi8_afp32"),
    "litert-quantizer weight-only int4": litert_quantizer("weight_only_wi4_afp32"),
    "litert-quantizer dynamic int4": litert_quantizer("dynamic_wi4_afp32"),
}

if __name__ == "__main__":
    main()
