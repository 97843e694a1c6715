"""Programs that steps run on a cloud's hosts, sent there as text; Python 3.9's library is all they have."""
