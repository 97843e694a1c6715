"""What users felt, measured from outside."""
