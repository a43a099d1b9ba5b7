"""What is wrong with an image or its mask itself."""

import numpy as np

from dermfeat.auditing.finding import Finding, counted, image_items
from dermfeat.auditing.overview import overviews

SMALL = 64  # pixels of the shorter side below which `LesionReader` enlarges
ASPECT_TOLERANCE = 0.02  # what LesionReader accepts between image and mask
FULL = 0.985  # share of the frame above which `Lesion` takes a mask for none


def _finding(case, code, severity, found, what, sentence, cure, order=None):
    """Return a list with one finding, or none where nothing is `found` (bool Series); lowest `order` first."""
    index = np.flatnonzero(found)
    if len(index) == 0:
        return []
    if order is not None:
        index = index[np.argsort(order.to_numpy(float)[index], kind="stable")]
    what = what if isinstance(what, str) else [what(case.facts.iloc[i]) for i in index]
    sentence = f"{counted(len(index), 'image')} of {len(case)} {sentence}"
    return [Finding(code, severity, sentence, cure, image_items(case, index, what))]


def unreadable(case):
    """Images and masks that cannot be read."""
    facts = case.facts
    broken, lost = facts["error"].notna(), facts["mask_error"].notna()
    return [
        *_finding(
            case, "unreadable", "error", broken, lambda row: row["error"].removeprefix(f"{row['name']}: "),
            "cannot be read.",
            "Copy or download them again, or leave them out: report.clean().",
        ),
        *_finding(
            case, "unreadable_mask", "error", lost, lambda row: row["mask_error"], "with a mask that cannot be read.",
            "Copy or download the mask again, or give the image without it.",
        ),
    ]  # fmt: skip


def small_images(case):
    """Images with fewer pixels than measures need."""
    small = case.facts[["height", "width"]].min(axis=1) < SMALL
    return _finding(
        case, "small_images", "warning", small, lambda row: f"{row['width']:.0f} x {row['height']:.0f} pixels",
        f"below {SMALL} pixels a side, where measures of texture and border see little.",
        "Use the originals, or leave these out.",
    )  # fmt: skip


def swapped_channels(case):
    """Images whose red and blue channels look exchanged.

    Skin reflects more red than blue. Where the mean blue is above the mean red in most images, the whole set is said to
    be swapped. In a set that is not, single images are named if their darkest quarter is blue too: with a
    blue cast or a blue sticker on the skin the lesion stays brown.
    """
    facts = case.facts
    redness = facts["red"] - facts["blue"]
    blue = redness < 0
    readable = facts["red"].notna().sum()

    def what(row):
        return f"mean red {row['red']:.0f}, mean blue {row['blue']:.0f}"

    if readable and blue.sum() > readable / 2:
        sentence = "have more blue than red, as no skin has: red and blue are exchanged in this set."
        cure = (
            "Reverse the channels, rgb[..., ::-1], where the images are written; of TFRecord files say it in the "
            "reference, file.tfrec#key?channels=bgr (load_siim2020: channels='bgr')."
        )
        return _finding(case, "swapped_channels", "error", blue, what, sentence, cure, redness)
    odd = blue & (facts["dark_blue"] > facts["dark_red"])
    sentence = "have more blue than red, also where they are darkest: exchanged channels, or a blue lesion or light."
    cure = "Look at them; reverse the channels, rgb[..., ::-1], of those that show blue skin."
    return _finding(case, "swapped_channels", "warning", odd, what, sentence, cure, redness)


def masks(case):
    """Masks that are empty, full, inverted or of another shape than the image."""
    facts = case.facts
    share = facts["mask_share"]
    image, mask = facts["width"] / facts["height"], facts["mask_width"] / facts["mask_height"]
    misfit = np.abs(np.log((mask / image).astype(float))) > ASPECT_TOLERANCE

    def sizes(row):
        sides = [row[key] for key in ("width", "height", "mask_width", "mask_height")]
        return "image {:.0f} x {:.0f}, mask {:.0f} x {:.0f} pixels".format(*sides)

    return [
        *_finding(
            case, "inverted_mask", "error", facts["mask_inversion"] > 0, lambda row: f"covers {row['mask_share']:.0%}",
            "with a mask that seems to show the skin: it lies along the frame, and what it leaves out is darker.",
            "Look at them and invert the masks; read palette images by colour, not by index.",
            -facts["mask_inversion"],
        ),
        *_finding(
            case, "empty_mask", "error", share == 0, "nothing is marked", "with an empty mask.",
            "Draw the mask, or give the image without it.",
        ),
        *_finding(
            case, "full_mask", "warning", share > FULL, lambda row: f"covers {row['mask_share']:.1%}",
            f"with a mask of more than {FULL:.1%} of the frame, which outlines nothing.",
            "Look at them; where no lesion is outlined, give the image without the mask.",
        ),
        *_finding(
            case, "mask_size", "error", misfit, sizes, "with a mask of another aspect ratio.",
            "Give the mask that belongs to the image, at any size of the same aspect ratio.",
        ),
    ]  # fmt: skip


def not_dermoscopy(case):
    """Images without a lesion, and clinical overviews; only where the audit looked for lesions."""
    no_lesion, overview = overviews(case.facts)

    def what(row):
        return f"lesion {row['lesion_share']:.1%} of the frame, confidence {row['confidence']:.2f}"

    return [
        *_finding(
            case, "no_lesion", "warning", no_lesion, what, "in which the segmenter finds no lesion or is unsure.",
            "Look at them; give a mask or leave them out.", case.facts["confidence"],
        ),
        *_finding(
            case, "overview_photo", "warning", overview, what, "that look like a clinical overview, not dermoscopy.",
            "Look at them and leave out those that are.", -case.facts["backdrop"],
        ),
    ]  # fmt: skip
