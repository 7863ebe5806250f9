"""Parameters as dialogs, macros, scripts and the command line show them, each declared once.

A parameter is an annotated type: type, range, unit, label and help text. Parameters that belong
together are the fields of a frozen dataclass, a :class:`~zsfiji.parameters.declare.ParameterGroup`.
A command takes such groups as arguments, and its dialog and macro options are their fields. The
settings of a method are a group as well; they stand with the method, in
``zsfiji/services/<method>/settings.py``. No torch and no Java here.
"""
