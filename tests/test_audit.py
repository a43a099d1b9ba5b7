"""The audit finds planted faults, names their items, says what to do, and never stops at a bad image."""

import io
from html.parser import HTMLParser

import cv2
import numpy as np
import pandas as pd
import pytest
from PIL import Image
from sklearn.model_selection import GroupKFold, KFold

from dermfeat import LesionImageError, datasets
from dermfeat.auditing import audit
from dermfeat.auditing.masks import inversion

SIZE = (96, 128)


@pytest.fixture(scope="module")
def lesions():
    return datasets.make_lesions(40, size=SIZE, photos_per_lesion=1.5, random_state=0)


@pytest.fixture(scope="module")
def single():
    return datasets.make_lesions(30, size=SIZE, photos_per_lesion=1, random_state=1)


def found(report, code):
    findings = report[code]
    assert len(findings) == 1, f"{code}: {report.codes}"
    return findings[0]


def places(report, code):
    return found(report, code).items["index"].tolist()


def jpeg(rgb, quality=60):
    buffer = io.BytesIO()
    Image.fromarray(rgb).save(buffer, "JPEG", quality=quality)
    return buffer.getvalue()


def test_a_clean_set_has_no_errors(single):
    report = audit(single.X, single.y, groups=single.groups, metadata=single.metadata)
    assert [f.code for f in report.findings if f.severity == "error"] == []
    assert not {"exact_copies", "near_copies", "swapped_channels"} & set(report.codes)
    assert report.clean().tolist() == list(range(30))
    assert report.groups.tolist() == single.groups.tolist()


def test_copies_and_two_labels(single):
    X = [*single.X, single.X[2], single.X[5], jpeg(single.X[9])]
    other = "benign" if single.y[5] == "malignant" else "malignant"
    report = audit(X, [*single.y, single.y[2], other, single.y[9]])
    assert places(report, "exact_copies") == [30, 31]
    assert found(report, "exact_copies").items["partner"].tolist() == [2, 5]
    assert places(report, "near_copies") == [32]
    assert places(report, "same_image_two_labels") == [5, 31]
    assert found(report, "same_image_two_labels").severity == "error"
    assert report.groups[30] == report.groups[2]
    assert report.groups[32] == report.groups[9]
    assert len(set(report.groups)) == 30


def second_shot(rgb, degrees=3):
    """What the next photo shows if the dermoscope was turned a little."""
    height, width = rgb.shape[:2]
    turn = cv2.getRotationMatrix2D((width / 2, height / 2), degrees, 1)
    return cv2.warpAffine(rgb, turn, (width, height), borderMode=cv2.BORDER_REFLECT)


def test_shots_of_one_lesion_are_no_copies(single):
    X = [*single.X, second_shot(single.X[4]), jpeg(single.X[9])]
    y = [*single.y, "other", single.y[9]]
    report = audit(X, y, split=["train"] * 30 + ["test"] * 2)
    shots = found(report, "same_lesion_shots")
    assert (places(report, "same_lesion_shots"), shots.items["partner"].tolist()) == ([30], [4])
    assert f"'other', there '{single.y[4]}'" in shots.items["what"][0]
    assert places(report, "near_copies") == [31]
    assert "same_image_two_labels" not in report.codes
    assert report.groups[30] == report.groups[4]
    assert places(report, "copies_across_split") == [4, 9, 30, 31]
    assert report.clean(drop=["near_copies"]).tolist() == list(range(31))
    with pytest.raises(ValueError, match="same_lesion_shots"):
        report.clean(drop=["same_lesion_shots"])


def test_pairs_across_groups_are_counted(single):
    X = [*single.X, second_shot(single.X[4]), jpeg(single.X[9]), jpeg(single.X[8])]
    inside = audit(X, groups=[*single.groups, *single.groups[[4, 9, 8]]])
    assert "; 0 of them across groups" in found(inside, "near_copies").sentence
    assert found(inside, "same_lesion_shots").severity == "note"
    assert "copies_across_groups" not in inside.codes
    across = audit(X, groups=[*single.groups, "new", single.groups[9], "another"])
    assert "; 1 of them across groups" in found(across, "near_copies").sentence
    assert found(across, "same_lesion_shots").severity == "warning"
    assert places(across, "copies_across_groups") == [4, 30, 8, 32]


def test_near_copies_under_two_labels(single):
    y = np.where(np.arange(31) == 30, "other", "one")
    report = audit([*single.X, jpeg(single.X[4])], y)
    assert places(report, "same_image_two_labels") == [4, 30]
    assert "near copy" in found(report, "same_image_two_labels").items["what"][0]
    assert set(report.clean()) == set(range(30)) - {4}


def test_clean_keeps_one_copy_and_no_doubtful_label(single):
    X = [*single.X, single.X[2], single.X[2], single.X[5], jpeg(single.X[9]), b"", single.X[6]]
    y = np.array([*single.y, single.y[2], single.y[2], "other", single.y[9], "benign", None], object)
    y[6] = None
    report = audit(X, y)
    kept = report.clean()
    assert kept.tolist() == sorted(set(range(36)) - {5, 6, 30, 31, 32, 34, 35})
    dropped = report.dropped().set_index("index")["code"].to_dict()
    assert dropped[5] == dropped[32] == "same_image_two_labels"
    assert dropped[30] == dropped[31] == "exact_copies"
    assert dropped[34] == "unreadable"
    assert dropped[6] == dropped[35] == "missing_labels"
    assert 33 not in report.clean(drop=["near_copies"])
    assert set(report.clean(also=["near_copies"])) == set(report.clean()) & set(report.clean(drop=["near_copies"]))
    assert report.clean(drop=()).tolist() == list(range(36))
    with pytest.raises(ValueError, match="class_counts"):
        report.clean(drop=["class_counts"])
    with pytest.raises(ValueError, match="keep"):
        report.clean(keep="none")


def test_clean_keeps_the_largest(single):
    small = np.array(Image.fromarray(single.X[3]).resize((96, 72), Image.Resampling.BOX))
    X = [small, *single.X[3:6]]
    report = audit(X)
    assert places(report, "near_copies") == [1]
    assert 1 not in report.clean(drop=["near_copies"])
    assert 0 not in report.clean(drop=["near_copies"], keep="largest")


def test_groups_that_copies_contradict(lesions):
    X = [*lesions.X, lesions.X[0]]
    report = audit(X, groups=[*lesions.groups, "another"])
    assert places(report, "copies_across_groups") == [0, 40]
    assert report.groups[40] == report.groups[0] == lesions.groups[0]
    assert len(set(report.groups)) == len(set(lesions.groups))
    several = found(report, "several_images_a_group")
    counts = pd.Series([*lesions.groups, "another"]).value_counts()
    assert len(several.items) == (counts > 1).sum()


def test_groups_across_split(lesions):
    split = np.where(np.arange(40) % 2, "train", "test")
    report = audit(lesions.X, groups=lesions.groups, split=split)
    table = pd.DataFrame({"group": lesions.groups, "split": split})
    crossing = table.groupby("group")["split"].transform("nunique") > 1
    assert places(report, "groups_across_split") == np.flatnonzero(crossing).tolist()
    items = found(report, "groups_across_split").items
    for row in items.itertuples():
        assert lesions.groups[row.partner] == lesions.groups[row.index]
        assert split[row.partner] != split[row.index]
    whole = np.where(pd.factorize(lesions.groups)[0] % 2, "train", "test")
    assert "groups_across_split" not in audit(lesions.X, groups=lesions.groups, split=whole).codes


def test_copies_across_split_without_groups(single):
    report = audit([*single.X, single.X[1]], split=["train"] * 30 + ["test"])
    assert places(report, "copies_across_split") == [1, 30]
    assert "no_groups" in report.codes


def test_folds(lesions):
    report = audit(lesions.X, lesions.y, groups=lesions.groups, folds=KFold(4))
    tests = {int(i) for _, test in KFold(4).split(lesions.X) for i in test}
    expected = [
        i for train, test in KFold(4).split(lesions.X) for i in test if lesions.groups[i] in set(lesions.groups[train])
    ]
    assert places(report, "groups_across_folds") == expected
    assert set(expected) < tests
    safe = audit(lesions.X, lesions.y, groups=lesions.groups, folds=GroupKFold(4))
    assert not [code for code in safe.codes if code.endswith("_folds")]
    overlapping = audit(lesions.X, folds=[([0, 1, 2], [2, 3])])
    assert places(overlapping, "overlapping_folds") == [2]


def test_missing_ids_and_labels(single):
    groups = single.groups.astype(object)
    groups[[3, 4]] = [None, np.nan]
    y = single.y.astype(object)
    y[7] = None
    split = np.array(["train"] * 29 + [None], object)
    report = audit(single.X, y, groups=groups, split=split)
    assert places(report, "missing_groups") == [3, 4]
    assert places(report, "missing_labels") == [7]
    assert places(report, "missing_split") == [29]
    assert len(set(report.groups)) == 30


def test_bad_images_are_findings(tmp_path, single):
    broken = tmp_path / "broken.jpg"
    broken.write_bytes(jpeg(single.X[0])[:500])
    X = [single.X[0], str(broken), str(tmp_path / "none.jpg"), b"no image", np.zeros((40, 50, 3), np.uint8) + 128, 7]
    report = audit(X, ["a", "b", "a", "b", "a", "b"])
    assert places(report, "unreadable") == [1, 2, 3, 5]
    what = found(report, "unreadable").items["what"]
    assert "there is no such file" in what[1]
    assert what[3].startswith("found int")
    assert "broken.jpg" in found(report, "unreadable").items["name"][0]
    assert str(report).count("broken.jpg") == 1
    assert places(report, "small_images") == [4]
    assert report.clean().tolist() == [0, 4]


def test_nothing_readable_and_nothing_at_all():
    report = audit([b"", b"x"], ["a", "b"], groups=["1", "2"], split=["train", "test"])
    assert places(report, "unreadable") == [0, 1]
    assert report.clean().tolist() == []
    with pytest.raises(LesionImageError, match="X: no images"):
        audit([], [])


def test_swapped_channels(single):
    report = audit(single.X[..., ::-1])
    assert found(report, "swapped_channels").severity == "error"
    assert len(places(report, "swapped_channels")) >= 28
    X = single.X.copy()
    X[11] = X[11][..., ::-1]
    one = audit(X)
    assert found(one, "swapped_channels").severity == "warning"
    assert places(one, "swapped_channels") == [11]


def test_masks(single):
    masks = single.masks.copy()
    masks[3] = ~masks[3]
    masks[4] = False
    masks[5] = True
    masks = list(masks)
    masks[6] = masks[6][:, :100]
    masks[7] = np.full(SIZE, 7.5)
    X = list(zip(single.X, masks, strict=True))
    report = audit(X, single.y)
    assert places(report, "inverted_mask") == [3]
    assert places(report, "empty_mask") == [4]
    assert places(report, "full_mask") == [5]
    assert places(report, "mask_size") == [6]
    assert places(report, "unreadable_mask") == [7]
    assert "unreadable" not in report.codes
    assert set(report.clean(drop=["inverted_mask", "empty_mask"])) == set(range(30)) - {3, 4}


def test_inversion_changes_its_sign_with_the_mask(single):
    for rgb, mask in zip(single.X[:8], single.masks[:8], strict=True):
        assert inversion(rgb, mask) < 0
        assert inversion(rgb, ~mask) == pytest.approx(-inversion(rgb, mask), abs=1e-6)


def test_overview_on_request(single):
    photo = np.full((*SIZE, 3), (226, 188, 160), np.uint8)
    report = audit([*single.X[:6], photo], overview=True)
    assert places(report, "no_lesion") == [6]
    limb = photo.copy()
    limb[:, :45] = limb[:, 90:] = (90, 95, 110)
    assert places(audit([*single.X[:6], limb], overview=True), "overview_photo") == [6]
    assert not {"no_lesion", "overview_photo"} & set(audit([photo]).codes)


@pytest.mark.parametrize("kind", ["list", "array", "series"])
def test_ways_to_give_the_same(single, kind):
    make = {"list": list, "array": np.asarray, "series": lambda x: pd.Series(x, index=range(100, 130))}[kind]
    metadata = single.metadata.set_index(pd.Index(range(7, 37)))
    expected = audit(single.X, single.y, groups=single.groups, metadata=single.metadata)
    report = audit(single.X, make(single.y), groups=make(single.groups), metadata=metadata)
    assert str(report) == str(expected)


def test_the_same_in_worker_processes(lesions):
    arguments = {"groups": lesions.groups, "metadata": lesions.metadata}
    one, two = (audit(lesions.X, lesions.y, n_jobs=n, **arguments) for n in (1, 2))
    assert str(one) == str(two)
    pd.testing.assert_frame_equal(one.to_frame(), two.to_frame())


@pytest.mark.parametrize(
    ("arguments", "match"),
    [
        ({"y": ["a"]}, "y: found"),
        ({"groups": ["a"]}, "groups: found"),
        ({"split": ["a"]}, "split: found"),
        ({"metadata": pd.DataFrame({"a": [1]})}, "metadata: found 1 rows for 2"),
        ({"metadata": {"a": [1, 2]}}, "metadata: found dict"),
        ({"metadata": pd.DataFrame([[1, 2], [3, 4]], columns=["a", "a"])}, "twice"),
        ({"folds": [([0], [2])]}, "outside 0 ... 1"),
        ({"folds": [3]}, r"folds\[0\]"),
        ({"folds": 5}, "folds: found 5"),
        ({"folds": [([0.5], [1])]}, r"folds\[0\]"),
        ({"margin": 0.7}, "margin"),
    ],
)
def test_bad_arguments(single, arguments, match):
    with pytest.raises(ValueError, match=match):
        audit(single.X[:2], **arguments)


def test_one_image_is_refused(single):
    with pytest.raises(LesionImageError, match="one image"):
        audit(single.X[0])


class Page(HTMLParser):
    """Counts tags, and checks that they close in order."""

    def __init__(self):
        super().__init__()
        self.open, self.tags, self.text = [], [], []

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        if tag not in ("meta", "img", "br"):
            self.open.append(tag)

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_data(self, data):
        self.text.append(data)


def test_report_as_text_table_and_page(tmp_path, single):
    evil = "<script>alert(1)</script>"
    file = tmp_path / "a&<b>.jpg"
    file.write_bytes(jpeg(single.X[0]))
    X = [*single.X[:10], single.X[0], str(file), str(tmp_path / "none.jpg")]
    y = np.array([evil, "b"] * 6 + ["b"])
    report = audit(X, y, metadata=pd.DataFrame({evil: [1, None] * 6 + [2]}))
    text, frame = str(report), report.to_frame()
    assert "For research and education, not for diagnosis" in text
    assert len(frame) == sum(max(len(f.items), 1) for f in report.findings)
    assert set(frame["code"]) == set(report.codes)
    severities = frame["severity"].map(["error", "warning", "note"].index)
    assert severities.is_monotonic_increasing
    report.save(tmp_path / "audit.html")
    html = (tmp_path / "audit.html").read_text(encoding="utf-8")
    page = Page()
    page.feed(html)
    assert page.open == []
    assert not [tag for tag, _ in page.tags if tag in ("script", "b", "link") and tag != "b"]
    assert evil in "".join(page.text)
    assert report.closing in "".join(page.text)
    sources = [attrs["src"] for tag, attrs in page.tags if tag == "img"]
    assert len(sources) >= 4
    assert all(source.startswith("data:image/jpeg;base64,") for source in sources)
    assert "http" not in html
    assert "not for diagnosis" in html
    assert "<img" not in report._repr_html_()
    report.save(tmp_path / "audit.csv")
    assert len(pd.read_csv(tmp_path / "audit.csv")) == len(frame)
    report.save(tmp_path / "audit.txt")
    assert (tmp_path / "audit.txt").read_text(encoding="utf-8") == f"{text}\n"
    assert repr(report).startswith("<AuditReport")
    with pytest.raises(ValueError, match=r"audit.pdf: cannot write .pdf; choose one of \['.html'"):
        report.save(tmp_path / "audit.pdf")


def test_paths_are_shown_without_their_common_folder(tmp_path, single):
    for i in range(3):
        (tmp_path / "images" / str(i)).mkdir(parents=True)
        (tmp_path / "images" / str(i) / "same.jpg").write_bytes(jpeg(single.X[0]))
    report = audit(sorted(str(path) for path in tmp_path.rglob("*.jpg")))
    assert str(report).count(str(tmp_path)) == 1
    assert found(report, "exact_copies").items["name"][0] == str(tmp_path / "images" / "1" / "same.jpg")


def test_memory_of_a_report_does_not_hold_pixels(single):
    report = audit(single.X)
    assert report.facts.memory_usage(deep=True).sum() < 1000 * len(report)


def test_copies_whose_lesion_nobody_knows(single):
    report = audit([single.X[0], single.X[0], single.X[1]], groups=["a", "image:x", "b"])
    assert "or are not known (1 of these images have none)" in report["copies_across_groups"][0].sentence
    assert "not known" not in audit([single.X[0]] * 2, groups=["a", "b"])["copies_across_groups"][0].sentence
