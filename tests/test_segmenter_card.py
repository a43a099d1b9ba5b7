"""The packaged segmenter is what its card says, and saw nothing of the part kept for benchmarks."""

import hashlib
import re
from pathlib import Path

import pandas as pd

import dermfeat

WEIGHTS = Path(dermfeat.__file__).parent / "weights"
CARD = (WEIGHTS / "segmenter.md").read_text(encoding="utf-8")


def test_files_have_the_digests_and_size_that_the_card_names():
    for name in ("segmenter.xml", "segmenter.bin"):
        content = (WEIGHTS / name).read_bytes()
        assert re.search(rf"`{name}` \| `([0-9a-f]{{64}})`", CARD)[1] == hashlib.sha256(content).hexdigest()
    assert (WEIGHTS / "segmenter.bin").stat().st_size < 1.5e6


def test_card_says_what_it_must():
    for phrase in ("CC BY-NC 4.0", "For research, not for diagnosis", "segmenter_images.txt"):
        assert phrase in CARD


def test_list_is_all_of_the_part_pretrain_and_nothing_else(shared_data):
    table = pd.read_csv(shared_data / "lesion_split.csv").query("set == 'ham10000'").set_index("image_id")
    used = pd.read_csv(WEIGHTS / "segmenter_images.txt", names=["image_id", "use"], index_col="image_id")["use"]
    assert set(used.index) == set(table.query("part == 'pretrain'").index)
    groups = {use: set(table.loc[used.index[used == use], "group"]) for use in ("trained", "watched")}
    assert not groups["trained"] & groups["watched"]
    assert not (groups["trained"] | groups["watched"]) & set(table.query("part == 'benchmark'")["group"])
