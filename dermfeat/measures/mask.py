"""How far the mask can be trusted: a stand-in, a lesion cut by the frame, several pieces."""

import cv2
import numpy as np


def mask_quality(lesion):
    """Measure what the mask is worth, for a classifier to weigh the other measures by.

    Parameters
    ----------
    lesion : Lesion

    Returns
    -------
    dict of str to float
        ``is_fallback`` : [0, 1] -
            1 where the mask outlined nothing and a centred ellipse took its place, or its maker was unsure, else 0.
        ``confidence`` : [0, 1] -
            How sure the segmenter is of the mask (`dermfeat.preparation.segment_lesion`); 1 for masks of the user.
        ``frame_share`` : [0, 1] share
            Pixels of the mask in the field of view, of all pixels of the field of view.
        ``frame_contact`` : [0, 1] share
            Points of the contour on the frame, or beside or outside the field of view: no real edges.
        ``component_count`` : [1, inf] -
            8-connected pieces of the mask.
        ``main_component_share`` : [0, 1] share
            Pixels of the mask in its largest piece, the only one that shape is measured on.
    """
    field, mask = lesion.field, lesion.mask
    pieces, main_share = 1, 1.0
    if not lesion.is_one_piece:
        pieces = cv2.connectedComponents(mask.view(np.uint8), connectivity=8)[0] - 1
        main_share = np.count_nonzero(mask & lesion.shape_mask) / np.count_nonzero(mask)
    # outside the frame counts as unseen
    seen = cv2.erode(field.view(np.uint8), np.ones((3, 3)), borderType=cv2.BORDER_CONSTANT, borderValue=0)
    x, y = lesion.contour.T
    return {
        "is_fallback": float(lesion.is_fallback),
        "confidence": lesion.confidence,
        "frame_share": np.count_nonzero(mask & field) / max(np.count_nonzero(field), 1),
        "frame_contact": float(1 - seen[y, x].mean()),
        "component_count": float(pieces),
        "main_component_share": main_share,
    }
