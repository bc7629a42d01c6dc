"""Training steps of lite in PyTorch, for `mien bench train --model lite --beside PYTHON`.

Prints the median pictures a second of whole steps: forward, losses, backward, AdamW. The same network as in
src/net/lite.rs (EfficientNet-Lite0's first ten blocks, Tan and Le 2019, and the study's heads), in PyTorch's fastest
layout for a CPU. Its pictures are random numbers that are there already: ours are compared as if they were, too.

Python 3.11, torch 2.15: pip install torch==2.15.0
"""

import argparse
import statistics
import sys
import time
from pathlib import Path

import torch
from torch import nn
from torch.nn import functional as F

sys.path.append(str(Path(__file__).parents[2] / "model-weights/teacher"))
from network import AGES, Block, convolution  # the blocks of the teacher

# Expansion, channels, repeats, stride, side of the kernel.
STAGES = [(1, 16, 1, 1, 3), (6, 24, 2, 2, 3), (6, 40, 2, 2, 5), (6, 80, 3, 2, 3), (6, 112, 2, 1, 5)]
HEAD = 256


class Lite(nn.Module):
    def __init__(self):
        super().__init__()
        blocks, channels = [], 32
        for expansion, outputs, repeats, stride, side in STAGES:
            for repeat in range(repeats):
                blocks.append(Block(channels, outputs, expansion, side, stride if repeat == 0 else 1))
                channels = outputs
        self.body = nn.Sequential(convolution(3, 32, 3, 2), *blocks, convolution(channels, HEAD, 1))
        self.drop = nn.Dropout(0.1)
        self.ages, self.gender = nn.Linear(HEAD, AGES), nn.Linear(HEAD, 2)
        # The cascade: a regression of what the classification says.
        self.age = nn.Linear(AGES, 1)

    def forward(self, x):
        x = self.drop(self.body(x).mean((2, 3)))
        logits = self.ages(x)
        return logits, self.age(logits.softmax(1)).squeeze(1), self.gender(x)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--batch", type=int, default=64)
    parser.add_argument("--steps", type=int, default=16)
    parser.add_argument("--side", type=int, required=True)
    args = parser.parse_args()
    torch.manual_seed(1)
    network = Lite().to(memory_format=torch.channels_last).train()
    optimizer = torch.optim.AdamW(network.parameters(), lr=1e-3)
    pictures = torch.randn(args.batch, 3, args.side, args.side).to(memory_format=torch.channels_last)
    distribution = torch.softmax(-((torch.arange(AGES) - 30.0) ** 2) / 18, 0).expand(args.batch, AGES)
    years, genders = torch.full((args.batch,), 30.0), torch.zeros(args.batch, dtype=torch.long)
    times = []
    for step in range(args.steps + 1):
        began = time.perf_counter()
        logits, age, gender = network(pictures)
        loss = (
            F.kl_div(logits.log_softmax(1), distribution, reduction="batchmean")
            + F.l1_loss(age, years)
            + F.cross_entropy(gender, genders)
        )
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        # The first step also pays for fresh memory.
        if step > 0:
            times.append(time.perf_counter() - began)
    print(args.batch / statistics.median(times))


main()
