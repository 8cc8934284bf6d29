"""Handwritten digits that come with scikit-learn (real scans, 8x8), split four ways."""

from pathlib import Path

import numpy as np
from sklearn.datasets import load_digits

digits = load_digits()
x = (digits.images / 16.0).astype("float32")
y = digits.target.astype("int64")
_, first_seen = np.unique(x.reshape(len(x), -1), axis=0, return_index=True)
order = np.random.default_rng(0).permutation(first_seen)
parts = {"evaluation": order[:800], "calibration": order[800:928], "training": order[928:]}
Path("data").mkdir(exist_ok=True)
for role, rows in parts.items():
    np.savez(f"data/{role}-torch.npz", x=x[rows, None, :, :], y=y[rows])  # N C H W
    np.savez(f"data/{role}-keras.npz", x=x[rows, :, :, None], y=y[rows])  # N H W C
print(", ".join(f"{role} {len(rows)}" for role, rows in parts.items()), "digits in data/")
