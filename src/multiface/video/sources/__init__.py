"""Where frames come from: files, folders, webcams and streams, as timed pictures."""
