"""The HTTP service. It imports ml_model; ml_model never imports it."""
