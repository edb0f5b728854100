"""Real labelled pictures in the layout of the public Kaggle set, built in a temporary place where they are at hand.

By hand: ``python -m tests.support.real_mri FOLDER``, then ``python train.py --data FOLDER``.
"""

import shutil
import sys
from pathlib import Path

import pandas as pd
from PIL import Image

REAL_MRI = Path(__file__).resolve().parents[3] / "shared" / "real_mri"
ABSENT = f"the real labelled pictures are not at hand ({REAL_MRI})"
JPEG_QUALITY = 95


def write_kaggle_layout(folder: Path, count: int | None = None) -> Path:
    """Write coords_pretrain.csv whole, and the pictures of the first `count` patients (all if left out)."""
    folder.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(REAL_MRI / "coords_pretrain.csv", folder / "coords_pretrain.csv")
    labels = pd.read_csv(REAL_MRI / "labels.csv").drop_duplicates("filename").head(count)
    for row in labels.itertuples():
        target = folder / "data" / f"processed_{row.source}_jpgs" / row.filename
        target.parent.mkdir(parents=True, exist_ok=True)
        Image.open(REAL_MRI / "images_256" / row.image_file).save(target, quality=JPEG_QUALITY)
    return folder


if __name__ == "__main__":
    print(write_kaggle_layout(Path(sys.argv[1])))
