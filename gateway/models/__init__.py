"""Model versions: found on disk, loaded, warmed up, served."""
