"""Train the packaged lesion segmenter from images and expert masks.

    python -m dermfeat.training.segmenter --data DIR --out FILE.xml [--split CSV] [--epochs 30]

DIR holds images/<id>.jpg and masks/<id>_segmentation.png, as HAM10000 does. With ``--split``, a table with the columns
set, image_id, group, part, only the images of the part "pretrain" are used. A tenth of the lesions is kept aside to
watch the training. Killed and started again, it goes on from its last epoch (FILE.xml.state). The result is the graph
FILE.xml with its weights FILE.bin, which ``LesionReader(segmenter="FILE.xml")`` takes; FILE_images.txt lists the
images. Needs OpenVINO, and Keras with a backend that can train: ``pip install 'dermfeat[torch]'`` or ``[tensorflow]``
or ``[jax]``.
"""

import argparse
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import cv2
import keras
import numpy as np
import pandas as pd
from keras import layers

from dermfeat.reading import sources
from dermfeat.training.augmentation import augment

SIZE = 192
WIDTHS = (16, 32, 64, 80, 96)
LONGEST = 256  # images are kept in memory at this size


def build(size=SIZE, widths=WIDTHS):
    """Return the network: (n, size, size, 3) in [0, 255] to (n, size, size, 1) probabilities of lesion.

    Where Keras is set to channels first, the network is too, with the same weights.

    A U-Net (Ronneberger et al. 2015, doi:10.1007/978-3-319-24574-4_28) whose first layer halves the resolution and
    whose finest level, the costly one, has one convolution instead of two.
    """
    axis = _channels()
    inputs = layers.Input((size, size, 3) if axis == -1 else (3, size, size))
    x = layers.Rescaling(1 / 127.5, offset=-1)(inputs)
    skips = []
    for depth, width in enumerate(widths):
        x = _conv(x, width, strides=2)
        x = _conv(x, width) if depth else x
        if depth < len(widths) - 1:
            skips.append(x)
    for depth in reversed(range(len(skips))):
        x = layers.Concatenate(axis=axis)([layers.UpSampling2D(2)(x), skips[depth]])
        x = _conv(x, widths[depth])
        x = _conv(x, widths[depth]) if depth else x
    x = layers.Conv2D(4, 3, padding="same")(x)
    x = layers.UpSampling2D(2, interpolation="bilinear")(x)
    return keras.Model(inputs, layers.Conv2D(1, 3, padding="same", activation="sigmoid")(x), name="segmenter")


def _conv(x, width, strides=1):
    x = layers.Conv2D(width, 3, strides=strides, padding="same", use_bias=False)(x)
    return layers.ReLU()(layers.BatchNormalization(axis=_channels(), momentum=0.95)(x))


def _channels():
    return -1 if keras.config.image_data_format() == "channels_last" else 1


class Case(NamedTuple):
    """An image of at most 256 pixels a side, with its mask (255 inside) and the lesion that it shows."""

    name: str
    group: str
    image: np.ndarray
    mask: np.ndarray


def load(folder, split=None):
    """Return the list of cases in `folder`, those of the part "pretrain" where a table says so."""
    folder = Path(folder)
    groups = {path.stem: path.stem for path in sorted((folder / "images").glob("*.jpg"))}
    if split is not None:
        table = pd.read_csv(split).query("part == 'pretrain'")
        listed = dict(zip(table["image_id"], table["group"], strict=True))
        groups = {name: listed[name] for name in groups if name in listed}
    if not groups:
        raise FileNotFoundError(f"{folder / 'images'}: no images to train on; expected <id>.jpg")
    cases = []
    for name, group in groups.items():
        pair = (folder / "images" / f"{name}.jpg", folder / "masks" / f"{name}_segmentation.png")
        image, mask = sources([pair])[0].read()
        scale = LONGEST / max(image.shape[:2])
        size = tuple(round(side * min(scale, 1)) for side in image.shape[1::-1])
        image = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
        mask = cv2.resize(mask * np.uint8(255), size, interpolation=cv2.INTER_AREA)
        cases.append(Case(name, group, image, mask))
    return cases


class Batches(keras.utils.PyDataset):
    """Batches of cases, augmented anew in each epoch, or only resized."""

    def __init__(self, cases, *, batch_size, augmented, seed=0, **kwargs):
        super().__init__(**kwargs)
        self.cases, self.batch_size, self.augmented, self.seed = cases, batch_size, augmented, seed
        self.epoch = 0
        self.order = np.arange(len(cases))
        self._shuffle()

    def __len__(self):
        return len(self.cases) // self.batch_size if self.augmented else -(-len(self.cases) // self.batch_size)

    def __getitem__(self, index):
        rng = np.random.default_rng([self.seed, self.epoch, index])
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        pairs = [self._pair(self.cases[i], rng) for i in chosen]
        images, masks = zip(*pairs, strict=True)
        return np.stack(images).astype(np.float32), np.stack(masks)[..., None]

    def _pair(self, case, rng):
        if self.augmented:
            return augment(case.image, case.mask, SIZE, rng)
        resized = cv2.resize(case.image, (SIZE, SIZE), interpolation=cv2.INTER_LINEAR)
        return resized, cv2.resize(case.mask, (SIZE, SIZE), interpolation=cv2.INTER_AREA).astype(np.float32) / 255

    def on_epoch_end(self):
        self.epoch += 1
        self._shuffle()

    def _shuffle(self):
        if self.augmented:
            np.random.default_rng([self.seed, self.epoch]).shuffle(self.order)


def loss(truth, found):
    """Cross-entropy plus one minus the soft Jaccard index of each image."""
    ops = keras.ops
    both = ops.sum(truth * found, axis=(1, 2, 3))
    either = ops.sum(truth + found - truth * found, axis=(1, 2, 3))
    return ops.mean(keras.losses.binary_crossentropy(truth, found), axis=(1, 2)) + 1 - (both + 1) / (either + 1)


def jaccard(truth, found):
    """Mean Jaccard index of the thresholded masks."""
    ops = keras.ops
    truth, found = ops.cast(truth > 0.5, "float32"), ops.cast(found > 0.5, "float32")
    both = ops.sum(truth * found, axis=(1, 2, 3))
    return (both + 1e-6) / (ops.sum(truth, axis=(1, 2, 3)) + ops.sum(found, axis=(1, 2, 3)) - both + 1e-6)


def split_by_lesion(cases):
    """Return the cases to train on and those of a tenth of the lesions, to watch."""
    groups = sorted({case.group for case in cases})
    aside = set(np.random.default_rng(0).permutation(groups)[: len(groups) // 10])
    return [case for case in cases if case.group not in aside], [case for case in cases if case.group in aside]


def train(cases, out, *, epochs, batch_size=16, learning_rate=2e-3):
    """Train, keeping the state of each epoch beside `out`, and write the network and its list of images there."""
    parts = split_by_lesion(cases)
    lines = [f"{case.name},{use}\n" for part, use in zip(parts, ("trained", "watched"), strict=True) for case in part]
    Path(out).with_name(f"{Path(out).stem}_images.txt").write_text("".join(sorted(lines)))
    training = Batches(parts[0], batch_size=batch_size, augmented=True)
    watched = Batches(parts[1], batch_size=batch_size, augmented=False)
    steps = epochs * len(training)
    schedule = keras.optimizers.schedules.CosineDecay(
        learning_rate / 20, steps - steps // 20, warmup_target=learning_rate, warmup_steps=steps // 20
    )
    model = build()
    model.compile(keras.optimizers.AdamW(schedule, weight_decay=1e-4, global_clipnorm=1.0), loss, metrics=[jaccard])
    state = Path(f"{out}.state")
    resume = keras.callbacks.BackupAndRestore(str(state), delete_checkpoint=False)
    log = keras.callbacks.CSVLogger(f"{out}.csv", append=True)
    model.fit(training, validation_data=watched, epochs=epochs, callbacks=[resume, log])
    model.save(f"{out}.keras")
    export(f"{out}.keras", out)


def export(trained, out):
    """Write the network of the file `trained` as an OpenVINO graph with float16 weights, in a child process."""
    environment = os.environ | {"KERAS_BACKEND": "openvino"}
    subprocess.run([sys.executable, "-m", "dermfeat.training.export", trained, out], env=environment, check=True)


def main(argv=None):
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", required=True)
    parser.add_argument("--split", help="table of the images that may be used")
    parser.add_argument("--out", required=True, help="the .xml file to write; its .bin comes beside it")
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--limit", type=int, help="use this many images only")
    args = parser.parse_args(argv)
    if not args.out.endswith(".xml"):
        parser.error(f"--out {args.out}: give a name that ends in .xml")
    keras.utils.set_random_seed(0)
    train(load(args.data, args.split)[: args.limit], args.out, epochs=args.epochs)


if __name__ == "__main__":
    main()
