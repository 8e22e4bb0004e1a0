"""A Triton model repository: its folders, its ``config.pbtxt`` files and Triton's flags, as our
settings."""
