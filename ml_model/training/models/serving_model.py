"""From the trained weights to the model that is served."""

from __future__ import annotations

import keras

from ml_model.training.job import Job
from ml_model.training.models.concept_erasure import with_sources_forgotten
from ml_model.training.models.image_classifier import build
from ml_model.training.models.source_specific_head import with_own_head


def served_model(job: Job, trained: keras.Model) -> keras.Model:
    """The trained weights at the served size, with what the recipe fits when the phases are through.

    What needs a data set that is not among the training pictures is left out: one of a task's sets is enough to train.
    """
    served = build(job)
    served.set_weights(trained.get_weights())
    if job.recipe.forget_sources:
        served = with_sources_forgotten(job, served)
    there = {s.source for s in job.pick("train")}
    return with_own_head(job, served) if job.recipe.own_head_for in there else served
