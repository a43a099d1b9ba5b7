"""The ABCD rule's scores, from numbers that were measured before."""

import numpy as np

from dermfeat.measures.color_regions import DERMOSCOPIC_COLORS

RANGES = {"A": (0, 2), "B": (0, 8), "C": (1, 6), "D": (1, 5)}


def total_dermoscopy_score(a, b, c, d):
    """Return the total dermoscopy score, ``1.3 A + 0.1 B + 0.5 C + 0.5 D``, in [1, 8.9].

    Parameters
    ----------
    a : float or array
        Asymmetry, in [0, 2].
    b : float or array
        Border, in [0, 8]; fractions of a sector are taken as they are.
    c : float or array
        Colours, in [1, 6].
    d : float or array
        Structures, in [1, 5].

    Returns
    -------
    float or ndarray

    Raises
    ------
    ValueError
        If a score is missing or out of its range.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    """
    for (name, (low, high)), values in zip(RANGES.items(), (a, b, c, d), strict=True):
        values = np.asarray(values, float)
        outside = ~((values >= low) & (values <= high))
        if outside.any():
            raise ValueError(f"{name} is {values[outside].flat[0]:g}: it goes from {low} to {high}")
    a, b, c, d = (np.asarray(values, float) for values in (a, b, c, d))
    return (1.3 * a + 0.1 * b + 0.5 * c + 0.5 * d)[()]


def tds_band(tds, *, suspicious=4.75, highly_suspicious=5.45):
    """Return what a total dermoscopy score says: "benign", "suspicious" or "highly suspicious".

    Below `suspicious` a lesion counts as benign, above `highly_suspicious` as highly suspicious of melanoma, between
    them, both ends included, as suspicious (Nachbar et al. 1994; some texts set the first at 4.8).

    Parameters
    ----------
    tds : float or array
    suspicious, highly_suspicious : float

    Returns
    -------
    str or ndarray of str
    """
    tds = np.asarray(tds, float)
    if np.isnan(tds).any():
        raise ValueError("the total dermoscopy score is missing (NaN)")
    if suspicious > highly_suspicious:
        raise ValueError(f"suspicious={suspicious} is above highly_suspicious={highly_suspicious}")
    bands = np.select([tds < suspicious, tds <= highly_suspicious], ["benign", "suspicious"], "highly suspicious")
    return bands if tds.ndim else str(bands)


def structures_present(measured, *, network_share=0.1, structureless_share=0.1, streaks=2, dots=2, globules=2):
    """Return which of the ABCD rule's five structures a lesion shows.

    Parameters
    ----------
    measured : mapping of str to float
        The keys of `pigment_network`, `structureless_area`, `streaks` and `dots_and_globules`. Arrays, or a DataFrame's
        columns, give arrays.
    network_share, structureless_share : float
        Shares of the lesion above which a pigment network and a structureless area count; the rule says 10 % for
        the latter and "present" for the network. `structureless_area` leaves rim and hair out of the lesion.
    streaks, dots : float
        Counts above which they count.
    globules : float
        Count from which they count: 2 in most texts, 1 in one.

    Returns
    -------
    dict of str to bool
        ``network``, ``structureless``, ``streaks``, ``dots``, ``globules``.
    """
    value = reader(measured)
    return {
        "network": value("network_share") > network_share,
        "structureless": value("structureless_share") > structureless_share,
        "streaks": value("streaks_count") > streaks,
        "dots": value("dots_count") > dots,
        "globules": value("globules_count") >= globules,
    }


def structure_count(measured, **thresholds):
    """Return D of the ABCD rule: how many of the five structures there are, at least 1 as the rule's range has it.

    Parameters
    ----------
    measured : mapping of str to float
    **thresholds : float
        See `structures_present`.

    Returns
    -------
    float or ndarray
        In [1, 5].
    """
    return np.maximum(sum(np.asarray(there, float) for there in structures_present(measured, **thresholds).values()), 1)


def abcd_score(measured, *, color_share=0.01, **thresholds):
    """Return C, D and the total dermoscopy score of the ABCD rule.

    A is ``asymmetry_score``, B ``border_score``, C the number of dermoscopic colours, D `structure_count`.

    Parameters
    ----------
    measured : mapping of str to float
        The keys of `asymmetry`, `border`, `dermoscopic_colors`, `pigment_network`, `structureless_area`, `streaks` and
        `dots_and_globules`.
    color_share : float
        Share of the lesion from which one of the six dermoscopic colours counts; 5 % in some texts.
    **thresholds : float
        See `structures_present`.

    Returns
    -------
    dict of str to float
        ``color_score`` : [1, 6] -
            C: the number of dermoscopic colours, at least 1 as the rule's range has it.
        ``structure_score`` : [1, 5] -
            D.
        ``tds`` : [1, 8.9] -
            ``1.3 A + 0.1 B + 0.5 C + 0.5 D``; see `tds_band`.

    References
    ----------
    F. Nachbar et al., "The ABCD rule of dermatoscopy", J Am Acad Dermatol 30:551-559, 1994.
    """
    value = reader(measured)
    colors = sum(np.asarray(value(f"{name}_share") >= color_share, float) for name in DERMOSCOPIC_COLORS)
    color = np.maximum(colors, 1)
    structure = structure_count(measured, **thresholds)
    tds = total_dermoscopy_score(value("asymmetry_score"), value("border_score"), color, structure)
    return {"color_score": color, "structure_score": structure, "tds": tds}


def reader(measured):
    """Return a function that looks up a number by name, with or without its family's, and refuses what is missing."""
    full = {str(name).rpartition("__")[2]: name for name in measured}

    def value(name):
        try:
            found = np.asarray(measured[full[name]], float)
        except KeyError:
            raise ValueError(f"{name} is not among the measures that were given; measure the lesion for it") from None
        if np.isnan(found).any():
            raise ValueError(f"{name} is missing (NaN) in the measures that were given; leave such images out")
        return found[()]

    return value
