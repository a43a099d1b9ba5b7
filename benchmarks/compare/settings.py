"""What every comparison is told: where images are, how much is measured."""

import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path


@dataclass(frozen=True)
class Settings:
    """Options of the command line, the same in all processes.

    Attributes
    ----------
    data : str or None
        Folder whose JPEG files are used in place of drawn lesions; for changes in AUC one that `load_folder` reads.
    quick : bool
        Few small images and few rounds: shows that everything runs, measures nothing.
    cores : int
        CPU cores that every competitor may use, where it is not told to use fewer.
    counts : tuple of int
        Numbers of images of the growth.
    folder : str
        Where drawn images are written.
    """

    data: str | None = None
    quick: bool = False
    cores: int = 2
    counts: tuple[int, ...] = (1000, 3000, 10000)
    folder: str = field(default_factory=lambda: str(Path(tempfile.gettempdir(), f"dermfeat-compare-{os.getpid()}")))

    def some(self, many, few):
        """Return how many of something to take: `few` where it must be quick."""
        return few if self.quick else many


DEFAULT = Settings()  # where a class is run by asv, which tells it nothing
