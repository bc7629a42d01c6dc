"""Writes wiki.mat and wiki-plain.mat, made-up rows in IMDB-WIKI's form: python make.py (needs scipy)."""

from datetime import date
from pathlib import Path

import numpy as np
from scipy.io import savemat


def datenum(year, month, day):
    """MATLAB counts days from the year 0."""
    return date(year, month, day).toordinal() + 366


nan, inf = float("nan"), float("inf")
rows = [  # born, year taken, path, gender, face score, second face score
    (datenum(1981, 5, 1), 2009, "17/a.jpg", 1, 4.3, nan),
    (datenum(1925, 4, 2), 1964, "48/b.jpg", 0, 2.6, nan),
    (datenum(1970, 7, 1), 2000, "12/c.jpg", nan, 1.0, nan),  # 29 in the middle of 2000; gender not known
    (datenum(1970, 1, 1), 2000, "12/noface.jpg", 0, -inf, nan),
    (datenum(1970, 1, 1), 2000, "12/two.jpg", 0, 3.0, 2.0),
    (47, 2008, "12/old.jpg", 0, 3.0, nan),  # such births are in the original
    (datenum(1970, 1, 1), 2000, "12/gender.jpg", 7, 3.0, nan),
    (datenum(1970, 1, 1), 2000, "", 0, 3.0, nan),
    (datenum(1970, 6, 30), 2000, "12/é.jpg", 0, 3.0, nan),
    (nan, 2000, "12/unborn.jpg", 0, 3.0, nan),
]
born, taken, paths, gender, score, second = zip(*rows)


def cells(values):
    array = np.empty((1, len(values)), dtype=object)
    array[0, :] = values
    return array


wiki = {
    "dob": np.array([born]),
    "photo_taken": np.array([taken], dtype=np.uint16),
    "full_path": cells(paths),
    "gender": np.array([gender]),
    "name": cells(["x" * (i + 1) for i in range(len(rows))]),
    "face_location": cells([np.ones((1, 4)) * i for i in range(len(rows))]),
    "face_score": np.array([score]),
    "second_face_score": np.array([second]),
    "nested": {"a": 1},
}
here = Path(__file__).parent
for name, compressed in [("wiki.mat", True), ("wiki-plain.mat", False)]:
    savemat(here / name, {"first": np.eye(3), "wiki": wiki}, do_compression=compressed)
