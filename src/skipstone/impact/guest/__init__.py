"""What runs in a guest, alone: no module of Skipstone's is there."""
