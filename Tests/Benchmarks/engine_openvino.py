"""The products of Mistral 7B's layers in OpenVINO's int4 (one scale per 128), as an engine process.

Products alone: no norm, no attention, no cache, no embedding, no output. The bar above an engine, not an
engine. `file` is the number of layers; each has weights of its own, so that decoding reads memory.
"""

import argparse

import engine
import numpy as np
import openvino as ov
from openvino import opset13 as op

HIDDEN, WIDE, NARROW, GROUP = 4096, 14336, 1024, 128
# Constants read the arrays that they were made of.
KEPT: list[np.ndarray] = []


def product(x: ov.Node, rows: int, columns: int, seed: int) -> ov.Node:
    """x times a matrix in the pattern that OpenVINO's compression of weights leaves."""
    random = np.random.default_rng(seed)
    codes = random.integers(0, 256, rows * columns // 2, dtype=np.uint8)
    KEPT.append(codes)
    groups = [rows, columns // GROUP, GROUP]
    tensor = ov.Tensor(codes, ov.Shape(groups), ov.Type.i4)
    scales = random.random((rows, columns // GROUP, 1), dtype=np.float32) * 0.01
    values = op.multiply(
        op.convert(op.constant(tensor), "f16"), op.constant(scales.astype(np.float16))
    )
    matrix = op.reshape(values, op.constant([rows, columns]), special_zero=False)
    return op.matmul(x, op.convert(matrix, "f32"), False, True)


class OpenVINO:
    """The seven products of each layer."""

    vocabulary = 32000

    def __init__(self, options: argparse.Namespace) -> None:
        x = op.parameter([-1, HIDDEN], ov.Type.f32)
        y = op.parameter([-1, WIDE], ov.Type.f32)
        outputs = []
        for layer in range(int(options.file)):
            for i, rows in enumerate((HIDDEN, NARROW, NARROW, HIDDEN, WIDE, WIDE)):
                outputs.append(product(x, rows, HIDDEN, 7 * layer + i))
            outputs.append(product(y, HIDDEN, WIDE, 7 * layer + 6))
        model = ov.Model(outputs, [x, y])
        settings = {"INFERENCE_NUM_THREADS": options.threads, "PERFORMANCE_HINT": "LATENCY"}
        self.inputs: dict[int, list[np.ndarray]] = {}
        self.request = ov.Core().compile_model(model, "CPU", settings).create_infer_request()

    def rewind(self, position: int) -> None:
        pass

    def feed(self, ids: list[int]) -> None:
        count = len(ids)
        if count not in self.inputs:
            random = np.random.default_rng(count)
            self.inputs[count] = [
                random.standard_normal((count, width), dtype=np.float32) for width in (HIDDEN, WIDE)
            ]
        self.request.infer(self.inputs[count], share_inputs=True, share_outputs=True)


if __name__ == "__main__":
    engine.serve(OpenVINO)
