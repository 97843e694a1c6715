"""Programs that run on hosts, whole and alone: nothing of Skipstone is there."""
