"""Configuration carried from one release to another, with a reason for every changed line."""
