"""The one error of a build."""


class BuildFailure(Exception):
    """A network cannot be built; the message says why and what to do."""
