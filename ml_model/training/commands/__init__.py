"""What a user runs to train and to measure. Imports the rest of `ml_model`, the heavy libraries only once the options
are read; nothing imports it but the recipes, `ml_model.audit` and `ml_model.replay`."""
