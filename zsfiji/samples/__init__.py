"""Example images; where they come from stands in LICENSES.md."""
