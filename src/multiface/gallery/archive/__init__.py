"""The archive of a gallery's people, `.mfgallery`: its layout, written, read and taken in."""
