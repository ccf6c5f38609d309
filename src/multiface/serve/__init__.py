"""The HTTP service: the library's answers as JSON, and no recognition logic of its own. Needs the extra `[serve]`."""
