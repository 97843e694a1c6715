"""An upgrade of databases tried on copies of them, with each release's own code; the cloud is not touched."""
