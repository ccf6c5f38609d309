"""Video and cameras: sources, one engine that tracks and names, and where its answers go. Needs PyAV (`[video]`)."""
