"""Everything that touches the JVM, and nothing else does."""
