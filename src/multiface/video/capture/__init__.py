"""Pictures of one person from a camera or a film, with hints."""
