"""The teacher's answers to every crop, averaged over the crop and its mirror image, for `mien train --teacher`: see train.py.

    python answers.py CROPS teacher.safetensors ANSWERS.safetensors

A tensor a set, in the order of its crops: the probabilities of the ages 0 to 99, then that of female (src/data/answers.rs).
"""

import os
import sys
import zlib

import torch
from safetensors.torch import load_file, save_file

from crops import AGES, SETS, Crops, plain
from network import Lite0

SIDE, BATCH = 128, 64


def main(folder, weights, output):
    crops, network = Crops(folder), Lite0()
    network.load_state_dict({name: tensor.float() for name, tensor in load_file(weights).items()}, strict=False)
    network = network.eval().to(memory_format=torch.channels_last)
    answers, checksums = {name: [] for name in SETS}, {}
    for name in SETS:
        with open(os.path.join(folder, f"{name}.csv"), "rb") as table:
            checksums[name] = f"{zlib.crc32(table.read()):08x}"
    indices = range(len(crops.label))
    for name in SETS:
        own = [i for i in indices if crops.label[i][0] == name]
        for start in range(0, len(own), BATCH):
            x = plain(crops.read(own[start : start + BATCH]), SIDE)
            with torch.no_grad():
                ages, gender = network(torch.cat([x, x.flip(3)]).contiguous(memory_format=torch.channels_last))
            rows = torch.cat([ages.softmax(1), gender.softmax(1)[:, 1:]], 1)
            answers[name].append(rows.reshape(2, -1, AGES + 1).mean(0).half())
        answers[name] = torch.cat(answers[name])
        print(f"{name}: {len(own)} answers", flush=True)
    save_file(answers, output, checksums)


main(*sys.argv[1:4])
