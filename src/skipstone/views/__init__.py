"""What people read, made from the same objects as --json."""
