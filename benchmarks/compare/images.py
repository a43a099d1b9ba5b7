"""The images that all competitors see: drawn lesions, or photos of a folder."""

from pathlib import Path

import cv2
import numpy as np

SIZE = 450, 600  # height and width of the drawn files, as HAM10000's
DRAWN = 300  # different drawings; more files are altered copies of them


def drawn(settings, count, size=SIZE):
    """Return (count, H, W, 3) uint8 drawn lesions; count at most `DRAWN`."""
    from dermfeat.datasets import make_lesions

    size = (96, 128) if settings.quick and size == SIZE else size
    return make_lesions(count, size=size, random_state=0).X


def files(settings, count):
    """Return the paths of `count` different JPEG files: of the folder ``settings.data``, else drawn and written."""
    if settings.data:
        found = sorted(str(path) for path in Path(settings.data).rglob("*.jpg"))
        if not found:
            raise FileNotFoundError(f"{settings.data}: there is no .jpg file in it")
        return found[:count]
    return drawn_files(settings, count)


def drawn_files(settings, count):
    """Return the paths of `count` different JPEG files of drawn lesions, written where they are not there yet."""
    folder = Path(settings.folder, "quick" if settings.quick else "drawn")
    folder.mkdir(parents=True, exist_ok=True)
    paths = [folder / f"{i:06}.jpg" for i in range(count)]
    missing = [i for i, path in enumerate(paths) if not path.exists()]
    originals = drawn(settings, DRAWN if count > 60 and not settings.quick else min(count, 60)) if missing else ()
    for i in missing:
        image = altered(originals[i % len(originals)], i // len(originals))
        cv2.imwrite(str(paths[i]), image[..., ::-1], [cv2.IMWRITE_JPEG_QUALITY, 90])
    return [str(path) for path in paths]


def altered(image, copy):
    """Return another image for each number of a copy below 256: flipped, moved by some pixels; the first unchanged."""
    flips = image[:: -1 if copy & 1 else 1, :: -1 if copy & 2 else 1]
    return np.roll(flips, (copy // 4 % 8, copy // 32), axis=(0, 1))


def read(path):
    """Return a file's (H, W, 3) uint8 RGB pixels."""
    return cv2.cvtColor(cv2.imread(path), cv2.COLOR_BGR2RGB)


def photos(settings, count):
    """Return the pixels of `count` files as a list."""
    return [read(path) for path in files(settings, count)]
