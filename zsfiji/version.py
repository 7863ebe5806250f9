"""The version of zsfiji, in one place."""

__version__ = "0.1.0"
