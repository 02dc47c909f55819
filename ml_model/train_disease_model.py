"""Train the disease ranking from symptoms.

python ml_model/train_disease_model.py --data ml_model/Dataset/symptoms --out ml_model/models/disease --seed 0

Naive Bayes in which a symptom that a short list does not mention counts less than absent; a linear softmax and a
multilayer perceptron on the same lists were no better. The manifest has the cost and the figures on symptom vectors
never seen in training, for lists cut short to one to five symptoms too, and those of plain naive Bayes.
"""

from __future__ import annotations

import sys

from ml_model.training.commands.train_tabular import run_symptom_recipe

if __name__ == "__main__":
    sys.exit(run_symptom_recipe("disease", __doc__ or ""))
