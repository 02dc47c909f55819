"""Stands in for the converting process on a full disk: ends as that does."""

import sys

from ml_model.user_models.conversion import CANNOT_WRITE

print("No space left on device", file=sys.stderr)
sys.exit(CANNOT_WRITE)
