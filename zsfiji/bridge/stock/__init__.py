"""A Fiji that was started as usual, as a Java program: its menu entries and their Python."""
