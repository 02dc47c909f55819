"""Train the heart disease risk model.

python ml_model/train_heart_risk_model.py --data ml_model/Dataset/heart_risk --out ml_model/models/heart-risk --seed 0

An additive logistic model with sign constraints; missing values by a joint Gaussian of the columns. Gradient boosting
reaches less, in ten folds and with a site left out; weights pulled to Framingham or to the health examinations of the
third table gain nothing, so neither table is in the model. The manifest has the cost, and all of these figures, per
site, per sex and by what is given.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train_tabular import run_risk_recipe

if __name__ == "__main__":
    sys.exit(run_risk_recipe("heart-risk", __doc__ or ""))
