"""The one error for images, and how it is worded."""


class LesionImageError(ValueError):
    """An image, mask or list of images that cannot be used.

    The message always has three parts: which item, what was found, what to do about it.

    Parameters
    ----------
    item : str
        The file, array or position that is at fault.
    found : str
        What was found there.
    cure : str
        What the user can do.
    """

    def __init__(self, item, found, cure):
        super().__init__(item, found, cure)
        self.item, self.found, self.cure = item, found, cure

    def __str__(self):
        return f"{self.item}: {self.found}. {self.cure}"
