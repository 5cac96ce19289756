"""The one error of this folder: something that its user can do something about, in one line."""


class PackagingError(Exception):
    """What could not be done, and why."""
