"""The declarations: every module here declares commands of the menu."""
