"""What runs in a release's own Python."""
