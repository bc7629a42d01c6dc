"""The crops that `mien prepare` wrote, and what training does to them."""

import csv
import io
import os

import numpy as np
import torch
import torch.nn.functional as F
from PIL import Image

SETS = ["aaf", "utkface", "fairface", "mufac", "rafdb", "fairface-world"]
STORED, USED = 192, 160  # sides: with the margin for augmentation, and what a network sees in use
AGES = 100


class Crops:
    """All crops of the sets, in their order. `label[i]` is set, first and last year, gender (0 male, 1 female, -1 unknown), whether in training."""

    def __init__(self, folder):
        self.pictures, self.label = {}, []
        for name in SETS:
            with open(os.path.join(folder, f"{name}.csv")) as table:
                rows = [row for row in csv.DictReader(table) if not row["refused"]]
            path = os.path.join(folder, f"{name}.crops")
            self.pictures[name] = np.memmap(path, np.uint8, "r", shape=(len(rows), STORED, STORED, 3))
            for i, row in enumerate(rows):
                gender = {"male": 0, "female": 1}.get(row["gender"].lower(), -1)
                self.label.append((name, i, float(row["age_low"]), float(row["age_high"]), gender, row["part"].lower() == "train"))

    def part(self, train):
        return [i for i, label in enumerate(self.label) if label[5] == train]

    def read(self, indices):
        """[N, 3, 192, 192] in 0..1."""
        crops = np.stack([self.pictures[self.label[i][0]][self.label[i][1]] for i in indices])
        return torch.from_numpy(crops).permute(0, 3, 1, 2).float() / 255

    def weights(self, indices):
        """How often each is drawn: rare ages more often (square root of their frequency, by five years), small sets too."""
        age = np.array([min(99, sum(self.label[i][2:4]) / 2) // 5 for i in indices], int)
        name = np.array([SETS.index(self.label[i][0]) for i in indices])
        weights = np.bincount(age)[age] ** -0.5 * np.bincount(name)[name] ** -0.3
        return weights / weights.sum()


def soft_labels(labels, gap=3):
    """[N, 100]: a triangle around the age, averaged over a range of ages."""
    ages = np.arange(AGES)
    out = np.zeros((len(labels), AGES), np.float32)
    for row, (_, _, low, high, *_) in zip(out, labels):
        for year in np.arange(low, min(high, AGES - 1) + 1):
            triangle = np.clip(1 - np.abs(ages - year) / gap, 0, None)
            row += triangle / max(triangle.sum(), 1e-9)
        row /= row.sum()
    return torch.from_numpy(out)


def plain(x, side):
    """The middle of a stored crop, as in use; -1..1."""
    edge = (STORED - USED) // 2
    x = x[:, :, edge:-edge, edge:-edge]
    return F.interpolate(x, size=side, mode="bilinear", antialias=True) * 2 - 1


def augmented(x, side, rng):
    """What life does to a face: [N, 3, 192, 192] in 0..1 to [N, 3, side, side] in -1..1."""
    n = len(x)
    normal = lambda *shape: torch.from_numpy(rng.standard_normal(shape).astype(np.float32))
    some = lambda share: torch.from_numpy((rng.random((n, 1, 1, 1)) < share).astype(np.float32))
    angle, scale = normal(n) * 0.10, (1 + normal(n) * 0.06) * USED / STORED
    mirror = torch.from_numpy(np.where(rng.random(n) < 0.5, -1.0, 1.0).astype(np.float32))
    turn = torch.zeros(n, 2, 3)
    turn[:, 0, 0], turn[:, 0, 1] = torch.cos(angle) * scale * mirror, -torch.sin(angle) * scale
    turn[:, 1, 0], turn[:, 1, 1] = torch.sin(angle) * scale * mirror, torch.cos(angle) * scale
    turn[:, :, 2] = normal(n, 2) * 0.04
    x = F.grid_sample(x, F.affine_grid(turn, (n, 3, side, side), align_corners=False), padding_mode="border", align_corners=False)
    # Light, contrast, colour temperature, grey.
    x = x.clamp(1e-4, 1) ** torch.exp(normal(n, 1, 1, 1) * 0.3) * torch.exp(normal(n, 1, 1, 1) * 0.25)
    mean = x.mean((1, 2, 3), keepdim=True)
    x = ((x - mean) * (1 + normal(n, 1, 1, 1) * 0.2) + mean) * (1 + normal(n, 3, 1, 1) * 0.1)
    grey = some(0.15)
    x = x * (1 - grey) + x.mean(1, keepdim=True) * grey
    # Old prints: little contrast on a warm ground, grain, seldom sharp.
    old = some(0.12)
    tone = torch.tensor([1.0, 0.9, 0.72]).view(1, 3, 1, 1) ** torch.from_numpy(rng.random((n, 1, 1, 1)).astype(np.float32))
    low = torch.from_numpy(rng.uniform(0.05, 0.3, (n, 1, 1, 1)).astype(np.float32))
    faded = (low + x.mean(1, keepdim=True) * (0.55 + 0.4 * torch.from_numpy(rng.random((n, 1, 1, 1)).astype(np.float32)))) * tone
    x = x * (1 - old) + faded * old
    x = x + normal(n, 1, side, side) * (old * 0.06 + some(0.15) * 0.03)
    for i in range(n):
        chance = rng.random()
        if chance < 0.2:  # far away
            small = int(rng.integers(28, 90))
            x[i : i + 1] = F.interpolate(F.interpolate(x[i : i + 1], size=small, mode="bilinear", antialias=True), size=side, mode="bilinear")
        elif chance < 0.32:  # out of focus
            kernel = int(rng.choice([3, 5, 7]))
            x[i : i + 1] = F.avg_pool2d(F.pad(x[i : i + 1], [kernel // 2] * 4, mode="replicate"), kernel, 1)
        if rng.random() < 0.25:
            pixels = (x[i].clamp(0, 1) * 255).byte().permute(1, 2, 0).numpy()
            file = io.BytesIO()
            Image.fromarray(pixels).save(file, "JPEG", quality=int(rng.integers(10, 90)))
            x[i] = torch.from_numpy(np.array(Image.open(file))).permute(2, 0, 1).float() / 255
        if rng.random() < 0.25:  # something before the face
            height, width = rng.integers(side // 10, side // 3, 2)
            top, left = rng.integers(0, side - height), rng.integers(0, side - width)
            x[i, :, top : top + height, left : left + width] = normal(3, 1, 1) * 0.2 + rng.random()
    return x.clamp(0, 1) * 2 - 1
