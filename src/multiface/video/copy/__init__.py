"""The annotated copy of a file with all its sound, and the recording of a stream."""
