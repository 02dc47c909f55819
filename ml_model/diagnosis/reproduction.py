"""An answer made again from the answer itself and what was sent, to be compared bit for bit."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from ml_model.diagnosis.bundle_fit import require_fit
from ml_model.diagnosis.case import Case
from ml_model.diagnosis.decision import Diagnosis
from ml_model.diagnosis.pipeline import Engines, diagnose
from ml_model.errors import MediDiagnoseError, PoorQuality
from ml_model.inference.bundle import MANIFEST, MODELS_DIR, Bundle, file_sha256, load_bundle
from ml_model.inference.local.settings import LocalPointsInvalid, read_local_settings, with_local_points
from ml_model.inference.predictor import Predictor
from ml_model.inference.provenance import body_preprocessing_sha256, preprocessing_sha256
from ml_model.inputs.dicom.presentation import Presentation
from ml_model.inputs.file_type import input_sha256
from ml_model.inputs.json_body import json_object, read_body
from ml_model.inputs.tabular import DiseaseQuestion, risk_values
from ml_model.symptoms.checker import SymptomAssessment, SymptomChecker, words_of
from ml_model.symptoms.engine import SymptomEngine, rules_alone
from ml_model.tabular.risk_model import HeartRiskModel, RiskAssessment
from ml_model.tabular.symptom_model import MatchedSymptom, RankedDisease
from ml_model.tasks.labels import label_of, label_probabilities
from ml_model.tasks.registry import ImageTask, RiskTask, SymptomTask, load_task

Result = Mapping[str, Any]
Files = Sequence[tuple[str, bytes]]  # name and content
Task = ImageTask | SymptomTask | RiskTask


class CannotReplay(MediDiagnoseError):
    """The answer, the files and the models at hand do not belong together."""


@dataclass(frozen=True)
class Replay:
    """What was told, and what is told again."""

    answered: Outcome
    again: Outcome
    same_preprocessing: bool

    @property
    def identical(self) -> bool:
        """Every figure that was answered, to the last bit, and the finding named."""
        figures = self.again.figures
        same = all(name in figures and figures[name] == p for name, p in self.answered.figures.items())
        return same and self.again.named == self.answered.named


def replay(result: Result, files: Files, models: Path = MODELS_DIR, local: Path | None = None) -> Replay:
    """Answer `files` again with the model that `result` names, and the site's operating points, of the file `local`,
    where it names some. Raises CannotReplay and the errors of the decoders."""
    try:
        model, provenance = result["model"], result["provenance"]
        task, sha256, source = load_task(model["task"]), model["sha256"], model.get("source")
        then, sent = provenance["preprocessing_sha256"], tuple(provenance["input_sha256"])
        asked: Mapping[str, Any] = provenance["request"]
        answered = outcome_in(task, result)
    except (KeyError, TypeError, AttributeError) as error:
        raise CannotReplay(f"this is no answer of the service: {error} is missing or malformed") from error
    if sha256 is None:
        raise CannotReplay("no model answered (demo mode), so there is nothing to make again")
    if source == "user":
        raise CannotReplay(
            f"a user's own model answered ({model.get('version')}); only answers of bundles can be made again"
        )
    found = input_sha256([data for _, data in files])
    if found != sent:
        raise CannotReplay(f"the answer was to files of SHA-256 {', '.join(sent)}; given were {', '.join(found)}")
    bundle = _held_locally(_bundle(models, task, sha256), model.get("local_operating_points"), local)
    if isinstance(task, ImageTask):
        return Replay(answered, _image_again(task, bundle, files, result, asked), then == preprocessing_sha256(task))
    again = _body_again(task, bundle, files[0][1], top_k=len(answered.figures))
    return Replay(answered, again, then == body_preprocessing_sha256(task, bundle.manifest.files))


def _bundle(models: Path, task: Task, sha256: str) -> Bundle:
    """The bundle below `models` whose manifest has that SHA-256."""
    seen = []
    for manifest in sorted(models.glob(f"{task.id}*/{MANIFEST}")):
        name, found = manifest.parent.name, file_sha256(manifest)
        if found != sha256:
            seen.append(f"{name} {found}")
            continue
        contract = task.contract_sha256
        if isinstance(task, ImageTask) and name != task.id:
            contract = task.signal_contract_sha256
        bundle = load_bundle(manifest.parent, task=name, contract_sha256=contract)
        if isinstance(task, ImageTask):
            require_fit(bundle, task)
        return bundle
    there = "; ".join(seen) or "none of this task"
    raise CannotReplay(f"the answer is of model {sha256}; in {models} there is {there}")


def _held_locally(bundle: Bundle, sha256: str | None, local: Path | None) -> Bundle:
    """Against the site's thresholds that the answer names, if any."""
    if sha256 is None:
        return bundle
    if local is None:
        raise CannotReplay(f"a site's own operating points were used, SHA-256 {sha256}; give the file that has them")
    try:
        points = read_local_settings(local).points.get(bundle.manifest.task)
        if points is None or points.sha256 != sha256:
            there = points.sha256 if points else "nothing for this model"
            raise CannotReplay(f"the answer is of the operating points {sha256}; in {local.name} there is {there}")
        return with_local_points(bundle, points)
    except LocalPointsInvalid as error:
        raise CannotReplay(str(error)) from error


def _body_again(task: SymptomTask | RiskTask, bundle: Bundle, body: bytes, top_k: int) -> Outcome:
    """A JSON body, answered by the service's own path."""
    if isinstance(task, RiskTask):
        return outcome_of_risk(HeartRiskModel.load(bundle, task).assess(risk_values(task, json_object(body))))
    question, engine = read_body(body, DiseaseQuestion), SymptomEngine.load(bundle)
    checker = engine.checker or rules_alone()
    made = checker.assess(words_of(question), top_k)
    if made.self_harm or (question.ranking == "knowledge" and engine.checker is not None):
        return outcome_of_told(checker, made, {s.id: s.name for s in engine.table.symptoms})
    matches = engine.table.match(question.symptoms)
    return outcome_of_symptoms(engine.table.rank(matches.names, question.age, question.sex, top_k), matches.matched)


def _presentation(result: Result, asked: Mapping[str, Any]) -> Presentation:
    """Frame and window as they were asked for; before answers told of DICOM files the first frame was read."""
    unasked = 1 if "input_check" in result and not result["input_check"].get("dicom") else None
    return Presentation(asked.get("frame", unasked), asked.get("window"))


def _image_again(task: ImageTask, bundle: Bundle, files: Files, result: Result, asked: Mapping[str, Any]) -> Outcome:
    read_as, predictor = (result.get("recording") or {}).get("read_as", "picture"), Predictor(bundle)
    of_recording, of_signal = read_as == "recording", read_as in ("recording", "page_signal")
    case = Case(
        pictures=() if of_recording else tuple(data for _, data in files),
        recording=tuple(files) if of_recording else (),
        age_years=asked.get("age_years"),
        sex=asked.get("sex"),
        view=asked.get("view"),
        sampling_rate_hz=asked.get("sampling_rate_hz"),
        gate="off",
        presentation=_presentation(result, asked),
    )
    engines = Engines(signals=predictor) if of_signal else Engines(pictures=predictor)
    try:
        made = diagnose(task, case, engines)
    except PoorQuality as error:
        raise CannotReplay(f"the signal could not be read off this page again: {error}") from error
    again = outcome_of_image(task, made.decision.diagnosis, result)
    if "measurements" not in result or not (made.ecg and made.ecg.measured):
        return again
    told = ((m.code, m.lead, m.value) for one in made.ecg.measured.judged if (m := one.measurement))
    return replace(again, figures=again.figures | _measured(told))


NOTHING_NAMED = "nothing"


@dataclass(frozen=True)
class Outcome:
    """`figures`: probabilities (0-1), scores and log-odds by what they belong to. `named`: what was settled on."""

    figures: dict[str, float]
    named: str


def outcome_in(task: ImageTask | SymptomTask | RiskTask, result: Result) -> Outcome:
    """What an answer of the service says. Raises KeyError, TypeError or AttributeError for what is no such answer."""
    if isinstance(task, SymptomTask):
        rows = {row["disease"]: row["probability"] for row in result["top_predictions"]}
        matched = {_matched(row["given"], row["name"]): row["score"] for row in result["symptoms_matched"]}
        named = result["prediction"]
        return Outcome(rows | matched, named["disease"] if named else NOTHING_NAMED)
    if isinstance(task, RiskTask):
        found = result["prediction"]
        added = {_added_by(name): factor["contribution"] for name, factor in result["risk_factors"].items()}
        whole = {name: result[name] for name in ("baseline_log_odds", "imputed_log_odds")}
        return Outcome({"probability": found["probability"], **whole, **added}, _risk(**_words_of(found)))
    if "class_probabilities" in result:
        return Outcome(
            {**result["class_probabilities"], "probability": result["probability"]}, result["classification"]
        )
    if "all_predictions" in result:
        ranked = {row["code"]: row["confidence"] for row in result["all_predictions"]}
        told = ((row["code"], row.get("lead"), row["value"]) for row in result.get("measurements", ()))
        return Outcome(ranked | _measured(told), result["prediction"]["code"])
    return Outcome({"confidence": result["confidence"]}, str(result["prediction"]))


def outcome_of_image(task: ImageTask, diagnosis: Diagnosis, result: Result) -> Outcome:
    """A diagnosis in the shape of `result`: classes, labels of the data set, or one word."""
    by_code = {row.spec.code: min(1.0, float(row.probability)) for row in diagnosis.ranking}
    code = diagnosis.predicted.code
    if "class_probabilities" in result:
        totals, label = label_probabilities(by_code, task.datasets[0].labels), label_of(task, code)
        return Outcome({**totals, "probability": totals[label]}, label)
    if "all_predictions" in result:
        return Outcome(by_code, code)
    return Outcome({"confidence": by_code[code]}, diagnosis.predicted.type.capitalize())


def outcome_of_symptoms(ranking: Sequence[RankedDisease], matched: Sequence[MatchedSymptom]) -> Outcome:
    """A ranking of diseases, the most probable first, and how the symptoms were read."""
    rows = {disease.disease: disease.probability for disease in ranking}
    return Outcome(rows | {_matched(m.given, m.name): m.score for m in matched}, ranking[0].disease)


def outcome_of_told(checker: SymptomChecker, made: SymptomAssessment, names: Mapping[str, str]) -> Outcome:
    """The same of the symptom checker. names: of the table's symptoms, by id, which stay."""
    rows = {one.condition.name: one.probability for one in made.ranking}
    findings = checker.knowledge.vocabulary.findings
    told = [(given, m) for given, found in made.matched for m in found if m.present]
    read = {_matched(given, names.get(m.finding, findings[m.finding].name)): m.score for given, m in told}
    return Outcome(rows | read, made.ranking[0].condition.name if made.ranking else NOTHING_NAMED)


def outcome_of_risk(found: RiskAssessment) -> Outcome:
    """A risk with what each factor adds to it."""
    whole = {"baseline_log_odds": found.baseline_log_odds, "imputed_log_odds": found.imputed_log_odds}
    added = {_added_by(factor.name): factor.contribution for factor in found.factors}
    return Outcome({"probability": found.probability, **whole, **added}, _risk(found.condition, found.risk_level))


def _measured(rows: Iterable[tuple[str, str | None, float | None]]) -> dict[str, float]:
    """What was measured of an ECG, by code and lead; nothing of what could not be."""
    return {f"measured {code} {lead or ''}".strip(): value for code, lead, value in rows if value is not None}


def _words_of(prediction: Mapping[str, Any]) -> dict[str, str]:
    return {name: prediction[name] for name in ("condition", "risk_level")}


def _risk(condition: str, risk_level: str) -> str:
    return f"{condition} ({risk_level})"


def _matched(given: str, name: str) -> str:
    return f"{given} -> {name}"


def _added_by(factor: str) -> str:
    return f"contribution of {factor}"
