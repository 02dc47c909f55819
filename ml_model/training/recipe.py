"""Recipes: everything about a training that is chosen before it starts. Imports no library."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any, Literal

BACKBONES = ("efficientnetv2b0", "efficientnetb0", "mobilenetv2", "resnet50", "densenet121", "small_cnn")
Architecture = Literal["xresnet1d", "inception_time", "loss_bce", "act_gelu", "loss_weighted_bce"]
PUBLISHED = frozenset({"loss_bce", "act_gelu", "loss_weighted_bce"})  # networks on recordings that others trained


@dataclass(frozen=True)
class Augmentation:
    """Ranges and probabilities. Angles in degrees, shift and zoom as shares of the side, noise_levels of 255.

    stain: how far the amounts of haematoxylin and eosin change, as a share. coarse: how often a picture is shown
    at a lower resolution, down to coarsest_px for the whole of it. other_sites: how often an ultrasound picture is
    shown as another machine would, by ultrasound_sites.random_site. border: the share of a side that is cut off at
    each edge, at random up to it. near_lesion: how often only the surroundings of an outlined lesion are shown, or as
    small a part of a picture without one.
    """

    horizontal_flip: bool = True
    vertical_flip: bool = False
    rotation_degrees: float = 15.0
    shift: float = 0.08
    zoom: float = 0.15
    stretch: float = 0.08
    brightness: float = 0.15
    contrast: float = 0.2
    saturation: float = 0.0
    codec: float = 0.5
    rescale: float = 0.3
    blur: float = 0.15
    noise: float = 0.2
    noise_levels: float = 8.0
    stain: float = 0.0
    coarse: float = 0.0
    coarsest_px: int = 50
    erase: float = 0.0
    other_sites: float = 0.0
    border: float = 0.0
    near_lesion: float = 0.0


@dataclass(frozen=True)
class Phase:
    """A stretch of training at one picture size.

    size_px: side of the squares that are shown, varied by the augmentation; None shows whole pictures as the served
    model will see them, and does not vary them.
    frozen: only the head learns, on features of the frozen backbone that are computed once.
    sources: the data sets drawn from; none named means all. pictures: how many are drawn in an epoch, by
    default as many as there are.
    learning_rate is the peak; it rises over the first 5 % of the steps and falls as a cosine.
    """

    name: str
    epochs: int
    size_px: int | None
    learning_rate: float
    frozen: bool = False
    batch_size: int = 32
    sources: tuple[str, ...] = ()
    pictures: int | None = None


@dataclass(frozen=True)
class Transfer:
    """How fine-tuning keeps what its start has learnt elsewhere, so that it holds where it was not trained.

    With a frozen phase before it this is a linear probe first and fine-tuning from there (Kumar 2022). frozen_until:
    the backbone's layer up to which nothing learns. frozen_batch_norm: every batch normalisation stays as it is.
    rate_decay: factor on the learning rate for each halving of the resolution between a layer and the last feature
    maps, from the picture's side. pull: towards the weights of the start (L2-SP), in place of weight decay.
    shares: which points on the way from the start to the weights of each epoch are tried (WiSE-FT, Wortsman 2022); none
    keeps the best epoch. soup: whether the best of them are averaged, as long as that helps (greedy soup). Both choose
    by the recipe's yardstick.
    """

    frozen_until: str | None = None
    frozen_batch_norm: bool = False
    rate_decay: float = 1.0
    pull: float = 0.0
    shares: tuple[float, ...] = ()
    soup: bool = False


@dataclass(frozen=True)
class Recipe:
    """Defaults suit a fine-tuning from ImageNet of some thousands of pictures.

    label_alone: how often a picture is trained on its label alone and not on the class within it that was derived
    from its pixels, which other views of it would not be put into. sampling_power: 0 draws pictures as they come, 1
    every class of a source equally often; source_power does the same for the sources. With logit adjustment the
    trained logits are those of equally frequent classes; served_prior_weight 1 gives the frequencies of the sampler
    back to the served model, 0 does not. decision "balanced" takes them away again when a class is named, and only
    then.
    test_time_flips are the mirror images that the served model sees beside the picture, at twice the time for each.
    Choose all three on validation. last_layer: the backbone's layer behind which its rest is left out, where textures
    matter more than things. pooling: over the cells of the last feature maps; with "mean_max" the head sees mean and
    maximum of each, so that a small finding is not lost in the mean of a large picture. looks_per_record: how many
    pages with looks of their own each ECG recording is drawn as for training. cross_validated: the data set, too
    small for a split, whose figure `--cross-validate` measures by training the phases that draw on it anew for each
    fold of its groups. left_out: the data sets of which `--leave-sources-out` tells how a model does that has not
    seen them, by a training without each. own_head_for: the data set whose labels mean something else than the
    others', which gets a linear head of its own when the phases are through; the embedding tells which head
    answers. own_head_layer: the earlier layer of the backbone that this head reads, instead of the last one.
    forget_sources: when the phases are through, the directions by which the data sets of one label are told apart
    are taken out of the embedding. yardstick: what chooses among the epochs, on validation (docs/training.md,
    "Models abroad").
    """

    task: str
    phases: tuple[Phase, ...]
    backbone: str = "efficientnetv2b0"
    last_layer: str | None = None
    pooling: Literal["mean", "mean_max"] = "mean"
    hidden_units: tuple[int, ...] = ()
    dropout: float = 0.3
    loss: Literal["cross_entropy", "focal"] = "cross_entropy"
    focal_gamma: float = 2.0
    label_smoothing: float = 0.0
    label_alone: float = 0.0
    sampling_power: float = 0.5
    source_power: float = 0.0
    rebalance: Literal["none", "logit_adjustment", "class_weights"] = "logit_adjustment"
    served_prior_weight: float = 0.0
    decision: Literal["most_probable", "balanced"] = "most_probable"
    test_time_flips: tuple[Literal["horizontal", "vertical"], ...] = ()
    augmentation: Augmentation = field(default_factory=Augmentation)
    looks_per_record: int = 1
    cross_validated: str | None = None
    left_out: tuple[str, ...] = ()
    own_head_for: str | None = None
    own_head_layer: str | None = None
    forget_sources: bool = False
    transfer: Transfer = field(default_factory=Transfer)
    yardstick: Literal["pooled", "sources", "ultrasound_sites"] = "pooled"
    weight_decay: float = 0.02
    ema_momentum: float = 0.995
    patience_epochs: int = 6
    mixed_precision: bool = False
    deterministic: bool = False
    seed: int = 0


@dataclass(frozen=True)
class SignalAugmentation:
    """Probabilities and ranges; noise and wander as standard deviations in mV.

    page: as a printed page shows it, each lead in its column's share of the time and zero elsewhere.
    crop: zero outside a window of at least `shortest` of the time. mixup: Beta parameter, 0 for none. device: as
    another electrocardiograph would deliver it, by signal_devices.random_device.
    """

    shift: float = 0.5
    gain: float = 0.2
    lead_gain: float = 0.1
    wander_mv: float = 0.05
    noise_mv: float = 0.03
    crop: float = 0.5
    shortest: float = 0.4
    page: float = 0.3
    lead_off: float = 0.2
    most_leads_off: int = 3
    mixup: float = 0.0
    device: float = 0.0


@dataclass(frozen=True)
class SignalRecipe:
    """Networks with their seeds, and how each is trained. learning_rate is the peak of a warm cosine.

    Where `--weights` are given, the networks of PUBLISHED start from them and are tuned for tuned_epochs, pulled
    towards their start (L2-SP) in place of weight decay; with no epochs they stay as they are.
    """

    task: str
    members: tuple[tuple[Architecture, int], ...]
    epochs: int = 40
    learning_rate: float = 3e-3
    tuned_epochs: int = 10
    tuned_learning_rate: float = 5e-4
    pull: float = 0.1
    batch_size: int = 64
    weight_decay: float = 0.05
    label_smoothing: float = 0.02
    ema_momentum: float = 0.98
    augmentation: SignalAugmentation = field(default_factory=SignalAugmentation)
    seed: int = 0


@dataclass(frozen=True)
class GateRecipe:
    """last_layer: where the backbone ends; the gate has to be much faster than what it stands before."""

    epochs: int
    learning_rate: float
    batch_size: int
    last_layer: str
    augmentation: Augmentation
    backbone: str = "efficientnetv2b0"
    label_smoothing: float = 0.02
    weight_decay: float = 0.02
    ema_momentum: float = 0.99
    mixed_precision: bool = False
    seed: int = 0


# Choices about the served model, made after the phases: they leave the weights that a phase ends with as they are.
AFTER_THE_PHASES = (
    "served_prior_weight", "decision", "test_time_flips", "cross_validated", "left_out", "own_head_for",
    "own_head_layer", "forget_sources",
)  # fmt: skip


def plain(recipe: Recipe | SignalRecipe | GateRecipe) -> dict[str, Any]:
    """A recipe as plain data, as JSON keeps it."""
    found: dict[str, Any] = json.loads(json.dumps(recipe, default=vars))
    return found
