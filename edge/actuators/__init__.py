"""The gate and one file per driver."""
