"""The networks that the study argues against by their size, FaceNet's and VGG16, as their papers define them: parameters,
bytes and the time of one picture on one thread. Their weights are random, since neither depends on them.

    python benches/pytorch/sizes.py > docs/study/sizes.json

Needs PyTorch (pip install torch==2.15.0). Mien's own networks: mien bench engine --json.
"""

import json
import statistics
import time

import torch
from torch import nn


def convolutions(channels, *layers):
    """Of (outputs, kernel, stride), each followed by ReLU; "pool" is 3x3 by 2, as FaceNet's; "halve" is 2x2, as VGG's."""
    made = []
    for layer in layers:
        if layer == "pool":
            made.append(nn.MaxPool2d(3, 2, 1))
        elif layer == "halve":
            made.append(nn.MaxPool2d(2))
        elif layer == "norm":
            made.append(nn.LocalResponseNorm(5))
        else:
            outputs, kernel, stride = layer
            made += [nn.Conv2d(channels, outputs, kernel, stride, kernel // 2), nn.ReLU(inplace=True)]
            channels = outputs
    return nn.Sequential(*made)


class Maxout(nn.Module):
    """A dense layer of twice the width, of which the larger of each two counts."""

    def __init__(self, inputs, outputs):
        super().__init__()
        self.dense = nn.Linear(inputs, 2 * outputs)

    def forward(self, x):
        return self.dense(x).unflatten(1, (-1, 2)).amax(2)


def vgg16():
    """Configuration D of Simonyan and Zisserman, 2015."""
    blocks = [[64] * 2, [128] * 2, [256] * 3, [512] * 3, [512] * 3]
    layers = [layer for block in blocks for layer in [*((width, 3, 1) for width in block), "halve"]]
    dense = [nn.Linear(512 * 7 * 7, 4096), nn.ReLU(), nn.Linear(4096, 4096), nn.ReLU(), nn.Linear(4096, 1000)]
    return nn.Sequential(convolutions(3, *layers), nn.Flatten(), *dense), 224


def facenet():
    """NN1 of Schroff, Kalenichenko and Philbin, 2015, table 1."""
    layers = [
        *((64, 7, 2), "pool", "norm", (64, 1, 1), (192, 3, 1), "norm", "pool"),
        *((192, 1, 1), (384, 3, 1), "pool", (384, 1, 1), (256, 3, 1), (256, 1, 1), (256, 3, 1), (256, 1, 1), (256, 3, 1), "pool"),
    ]
    dense = [Maxout(7 * 7 * 256, 32 * 128), Maxout(32 * 128, 32 * 128), nn.Linear(32 * 128, 128)]
    return nn.Sequential(convolutions(3, *layers), nn.Flatten(), *dense), 220


def measured(made, runs=15):
    network, side = made
    network.eval()
    parameters = sum(p.numel() for p in network.parameters())
    picture = torch.rand(1, 3, side, side)
    times = []
    with torch.inference_mode():
        for run in range(runs + 2):
            began = time.perf_counter()
            network(picture)
            if run >= 2:
                times.append(1000 * (time.perf_counter() - began))
    return {"parameters": parameters, "bytes": 4 * parameters, "ms": round(statistics.median(times), 2), "runs": runs, "side": side}


if __name__ == "__main__":
    torch.set_num_threads(1)
    sizes = {"by": f"PyTorch {torch.__version__.split('+')[0]}, one thread", "networks": {}}
    for name, network in [("FaceNet (NN1)", facenet), ("VGG16", vgg16)]:
        sizes["networks"][name] = measured(network())
    print(json.dumps(sizes, indent=2))
