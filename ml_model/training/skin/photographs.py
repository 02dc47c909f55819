"""The rule by which the input gate tells skin that was photographed without a dermatoscope: fit it, and count what
becomes of such photographs and of dermatoscopic pictures.

    python -m ml_model.training.skin.photographs --data ml_model/Dataset --fit
    python -m ml_model.training.skin.photographs --data ml_model/Dataset --into docs/skin.md [--limit 60]

No photographs of skin are among the data: they are simulated. --fit weighs the gate's embedding and a few statistics of
the picture by logistic regression, on training pictures, as they are and altered, against simulated photographs and
everyday ones, and prints ml_model/input_gate/skin_photographs.toml; the threshold is that which 1 in 100 validation
lesions exceeds as they are, and no more than 2 in 100 altered. Without --fit the rule served is measured through
the whole pipeline, on test pictures, with ways of simulating that it was not fitted on, too.
"""

from __future__ import annotations

import csv
import sys
from collections.abc import Callable, Iterable, Iterator, Sequence
from pathlib import Path

import cv2
import numpy as np
from numpy.random import Generator
from numpy.typing import NDArray

from ml_model.diagnosis.case import Case, CaseResult
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.errors import MediDiagnoseError
from ml_model.inference.bundle import MODELS_DIR, load_bundle
from ml_model.inference.predictor import MODEL_FILE, Predictor
from ml_model.input_gate.modality_classifier import (
    BUNDLE_ID,
    modality_spec,
    overview_of,
    photograph_rule,
    picture_statistics,
)
from ml_model.inputs.images.decoder import decode_image, fitted
from ml_model.tasks.registry import ImageTask, load_image_tasks
from ml_model.tasks.triage_scale import AT_LEAST, LEVELS
from ml_model.training.augmentation.images import recompressed
from ml_model.training.augmentation.surrounds import COLOURS, framed_by_share
from ml_model.training.commands.command_line import command_parser
from ml_model.training.data.decoded_cache import as_png, picture_bytes
from ml_model.training.data.readers import read_task
from ml_model.training.data.samples import Sample
from ml_model.training.input_gate.data import NATURAL_FOLDER
from ml_model.training.reports.kept_figures import HEAD, Figure, counted, write
from ml_model.training.skin.clinical_photos import FITTED_ON, MEASURED_ON, photographed

Pixels = NDArray[np.uint8]
Change = Callable[[Pixels, Generator], Pixels]
Bytes = Iterable[bytes]
# Pictures that the fit sees: dermatoscopic ones, which of them altered, and simulated ones of each way.
DERMATOSCOPIC, ALTERED, SIMULATED = 1500, slice(700, 950), 150
STRENGTH = 0.03  # of the inverse penalty, chosen with each way left out in turn
FALSE_ALARMS, OF_ALTERED = 0.01, 0.02  # of the validation lesions, as they are and altered
CALM = LEVELS[: LEVELS.index(AT_LEAST)]


def altered(pixels: Pixels, rng: Generator) -> Pixels:
    """A dermatoscopic picture as it may come: cropped, enlarged, round, re-encoded, blurred, framed."""
    height, width = pixels.shape[:2]
    if rng.random() < 0.6:
        share = rng.uniform(0.55, 1)
        rows, columns = int(height * share), int(width * share)
        top, left = int(rng.integers(0, height - rows + 1)), int(rng.integers(0, width - columns + 1))
        pixels = np.ascontiguousarray(pixels[top : top + rows, left : left + columns])
    if rng.random() < 0.5:
        pixels = np.asarray(cv2.resize(pixels, (600, 450), interpolation=cv2.INTER_CUBIC), np.uint8)
    if rng.random() < 0.2:
        height, width = pixels.shape[:2]
        y, x = np.mgrid[-1 : 1 : height * 1j, -1 : 1 : width * 1j]
        inside = 1 / (1 + np.exp((np.hypot(x, y) - rng.uniform(0.9, 1.2)) * rng.uniform(20, 80)))
        pixels = np.rint(pixels * inside[..., None]).astype(np.uint8)
    how = rng.random()
    if how < 0.5:
        pixels = photographed(np.asarray(pixels / np.float32(255), np.float32), rng, cast=0.08)
    elif how < 0.7:
        pixels = recompressed(pixels, "JPEG", int(rng.integers(30, 96)))
    elif how < 0.85:
        pixels = np.asarray(cv2.GaussianBlur(pixels, (0, 0), float(rng.uniform(0.5, 1.6))), np.uint8)
    return framed_by_share(pixels, 0.1, COLOURS[rng.choice(list(COLOURS))]) if rng.random() < 0.15 else pixels


def shuffled(samples: Sequence[Sample], split: str) -> list[Sample]:
    """Those of a split, in an order that is always the same."""
    own = [s for s in samples if s.split == split]
    return [own[i] for i in np.random.default_rng(1).permutation(len(own))]


def chosen(samples: Sequence[Sample], split: str, count: int) -> list[Sample]:
    """Half of them of a finding, as far as there are such."""
    own, grave = shuffled(samples, split), {"mel", "bcc", "akiec"}
    found, harmless = ([s for s in own if (s.label in grave) is wanted] for wanted in (True, False))
    both = [*found[: count // 2], *harmless[: count - count // 2]]
    return [both[i] for i in np.random.default_rng(0).permutation(len(both))]


def changed(samples: Sequence[Sample], change: Change, task: ImageTask, first_seed: int) -> Iterator[bytes]:
    """Each sample's picture after a change, as a PNG file."""
    for number, sample in enumerate(samples):
        rgb = decode_image(picture_bytes(sample), task.input, full_size=True, whole=True).rgb
        yield as_png(np.ascontiguousarray(change(np.asarray(rgb), np.random.default_rng(first_seed + number))))


def everyday(data: Path, split: str) -> Iterator[bytes]:
    """Photographs of everyday things."""
    with (data / NATURAL_FOLDER / "split.csv").open(newline="", encoding="utf-8") as stream:
        rows = [row for row in csv.DictReader(stream) if row["split"] == split]
    for row in rows:
        yield (data / NATURAL_FOLDER / Path(row["file"]).name).read_bytes()


def features(files: Bytes, task: ImageTask, gate: Predictor) -> NDArray[np.float64]:
    """(N, features) that the rule weighs."""
    rows = []
    for data in files:
        decoded = decode_image(data, task.input)
        embedding = gate.predict(overview_of(decoded.rgb)[None]).embedding[0]
        rows.append(np.concatenate([embedding, picture_statistics(fitted(decoded, task.input).pixels)]))
    return np.array(rows, np.float64)


def fitted_rule(
    dermatoscopic: NDArray[np.float64], photographs: NDArray[np.float64], strength: float = STRENGTH
) -> tuple[NDArray[np.float64], float]:
    """Weights of the features and an offset, by logistic regression of standardised features, both kinds as heavy."""
    from sklearn.linear_model import LogisticRegression

    rows = np.vstack([dermatoscopic, photographs])
    mean, spread = rows.mean(axis=0), rows.std(axis=0) + 1e-6
    truth = np.arange(len(rows)) >= len(dermatoscopic)
    model = LogisticRegression(C=strength, class_weight="balanced", max_iter=2000)
    model.fit((rows - mean) / spread, truth)
    weights = model.coef_[0] / spread
    return weights, float(model.intercept_[0] - weights @ mean)


def threshold(scores: NDArray[np.float64], groups: Sequence[str], share: float = FALSE_ALARMS) -> float:
    """The score that such a share of the groups exceeds, each by its highest."""
    names, index = np.unique(np.array(groups), return_inverse=True)
    highest = np.full(len(names), -np.inf)
    np.maximum.at(highest, index, scores)
    return float(np.quantile(highest, 1 - share, method="higher"))


def fit(task: ImageTask, gate: Predictor, samples: Sequence[Sample], data: Path) -> str:
    """skin_photographs.toml, with the text that is there."""
    train, val = shuffled(samples, "train")[:DERMATOSCOPIC], shuffled(samples, "val")
    as_sent = [picture_bytes(s) for s in (*train[: ALTERED.start], *train[ALTERED.stop :])]
    each = chosen(samples, "train", SIMULATED)
    simulated = [changed(each, way, task, 10_000) for way in FITTED_ON.values()]
    dermatoscopic, photographs = (
        np.vstack([features(files, task, gate) for files in kinds])
        for kinds in (
            (as_sent, changed(train[ALTERED], altered, task, 50_000)),
            (*simulated, list(everyday(data, "train"))[::6]),
        )
    )
    weights, offset = fitted_rule(dermatoscopic, photographs)
    least = max(
        threshold(features(sent, task, gate) @ weights + offset, [s.group for s in of], share)
        for of, sent, share in (
            (val, map(picture_bytes, val), FALSE_ALARMS),
            (val[:100], changed(val[:100], altered, task, 60_000), OF_ALTERED),
        )
    )
    return as_toml(gate, weights, offset - least - 1e-6)


def as_toml(gate: Predictor, weights: NDArray[np.float64], offset: float) -> str:
    """The file, with the words of the one that is served."""
    rule, sha256 = photograph_rule(), gate.bundle.manifest.files[MODEL_FILE]
    lines = [", ".join(f"{w:.6g}" for w in weights[i : i + 8]) for i in range(0, len(weights), 8)]
    body = "".join(f"  {line},\n" for line in lines)
    head = f'kind = "{rule.kind}"\ntold = "{rule.told}"\nmodel_sha256 = "{sha256}"\noffset = {offset:.6g}\n'
    return f"{HEADER}{head}weights = [\n{body}]\n"


HEADER = """\
# From which weighted sum of the gate's embedding and of `picture_statistics` a picture of skin is called a photograph
# without a dermatoscope. Made by `python -m ml_model.training.skin.photographs --fit`; anew after the gate is trained.

"""


def answers(task: ImageTask, files: Bytes, engines: Engines) -> list[CaseResult | None]:
    """As the service answers each; None where it refuses."""
    told = list[CaseResult | None]()
    for data in files:
        try:
            told.append(diagnose(task, Case(pictures=(data,)), engines))
        except MediDiagnoseError:
            told.append(None)
    return told


def called(result: CaseResult | None) -> bool:
    """Whether an answer says that it is of a photograph."""
    return result is not None and photograph_rule().told in result.input_check.abstain_reasons


def figures_of(what: str, results: Sequence[CaseResult | None], groups: Sequence[str]) -> Iterator[Figure]:
    """What became of one kind of picture."""
    given = [(result, group) for result, group in zip(results, groups, strict=True) if result is not None]
    kept = [group for _, group in given]
    yield counted(f"{what}: refused", [result is None for result in results], groups)
    yield counted(f"{what}: answered, of these called a photograph", [called(r) for r, _ in given], kept)
    yield counted(f"{what}: refused or called a photograph", [r is None or called(r) for r in results], groups)
    calm = [r is not None and r.decision.triage.level in CALM for r in results]
    yield counted(f"{what}: answered calmly", calm, groups)


def main(arguments: Sequence[str] | None = None) -> int:
    """Fit, or measure."""
    parser = command_parser(__doc__ or "", "--data", "--models", "--limit")
    parser.add_argument("--fit", action="store_true", help="print a new rule instead of measuring the one served")
    parser.add_argument("--split", choices=("val", "test"), default="test", help="which pictures (default: test)")
    parser.add_argument("--into", type=Path, help="a page with the marks of the table")
    options = parser.parse_args(arguments)
    models, tasks = options.models or MODELS_DIR, tuple(load_image_tasks())
    task = next(t for t in tasks if t.input.modality == photograph_rule().kind)
    gate = Predictor(load_bundle(models / BUNDLE_ID, task=BUNDLE_ID, contract_sha256=modality_spec().contract_sha256))
    samples = read_task(options.data, task)
    if options.fit:
        print(fit(task, gate, samples, options.data))
        return 0
    predictor = Predictor(load_bundle(models / task.id, task=task.id, contract_sha256=task.contract_sha256))
    engines, figures = Engines(pictures=predictor, gate=gate, tasks=tasks), list[Figure]()
    own = [s for s in samples if s.split == options.split]
    some = chosen(samples, options.split, options.limit or 60)
    sent: list[tuple[str, Sequence[Sample], Bytes]] = [
        ("dermatoscopic pictures as they are", own, map(picture_bytes, own)),
        ("dermatoscopic pictures altered", some, changed(some, altered, task, 70_000)),
    ]
    ways = {**{f"{name} (fitted on)": way for name, way in FITTED_ON.items()}, **MEASURED_ON}
    sent += [(f"simulated, {name}", some, changed(some, way, task, 80_000)) for name, way in ways.items()]
    print(*HEAD, sep="\n")
    for what, of, files in sent:
        for figure in figures_of(what, answers(task, files, engines), [s.group for s in of]):
            print(figure, flush=True)
            figures.append(figure)
    if options.into:
        write(figures, options.into)
    return 0


if __name__ == "__main__":
    sys.exit(main())
