"""The gateway side by side with what else a user could install to serve the same SavedModel."""
