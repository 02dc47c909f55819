"""A small vocabulary, enough to read by."""

from __future__ import annotations

import pytest

from ml_model.symptoms.engine import shipped_knowledge
from ml_model.symptoms.understanding import TextReader
from ml_model.symptoms.vocabulary import ClinicalFinding, FindingVocabulary

PHRASES: dict[str, str] = {
    "fever": "fever;feverish;high temperature;pyrexia",
    "high_fever": "high fever;temperature of 40",
    "low_grade_fever": "low grade fever",
    "chills": "chills;shivering",
    "cough": "cough",
    "dry_cough": "dry cough;cough without phlegm",
    "headache": "headache;head pain",
    "headache_worst_ever": "worst headache of my life;worst headache ever",
    "nausea": "nausea;feeling sick",
    "vomiting": "vomiting;throwing up;being sick",
    "diarrhea": "diarrhea;loose stools;loose motions",
    "constipation": "constipation",
    "abdominal_pain": "abdominal pain;stomach pain;belly pain",
    "central_abdominal_pain": "pain around navel;central abdominal pain;pain near the belly button",
    "right_lower_abdominal_pain": "right lower abdominal pain;right lower quadrant pain;right iliac fossa pain",
    "chest_pain": "chest pain",
    "chest_tightness": "chest tightness;tight chest",
    "shortness_of_breath": "shortness of breath;difficulty breathing;short of breath",
    "breathlessness_exertion": "shortness of breath on exertion;out of breath on walking",
    "arm_pain": "arm pain",
    "pain_radiating_arm": "pain radiating to arm;pain goes to arm",
    "leg_pain": "leg pain",
    "leg_swelling": "leg swelling",
    "knee_pain": "knee pain",
    "knee_swelling": "knee swelling",
    "knee_redness": "knee redness",
    "hip_pain": "hip pain",
    "ankle_pain": "ankle pain",
    "back_pain": "back pain",
    "hand_pain": "hand pain",
    "hand_numbness": "hand numbness",
    "hand_swelling": "hand swelling",
    "foot_swelling": "foot swelling",
    "sore_throat": "sore throat;throat pain",
    "runny_nose": "runny nose;rhinorrhea",
    "dizziness": "dizziness;dizzy",
    "painful_urination": "pain on urination;burning urination;dysuria;hurts to pee",
    "visible_blood_urine": "blood in urine;hematuria",
    "insomnia": "cannot sleep;insomnia;not sleeping",
    "loss_of_appetite": "no appetite;loss of appetite",
    "loss_of_smell": "loss of smell",
    "loss_of_taste": "loss of taste",
    "speech_trouble": "difficulty speaking",
    "swallowing_trouble": "difficulty swallowing",
    "weight_loss": "weight loss",
    "night_sweats": "night sweats",
    "palpitations": "palpitations",
    "skin_rash": "rash",
    "rash_itchy": "itchy rash",
    "pins_and_needles": "pins and needles",
    "ankle_oedema": "ankle oedema;swollen ankles",
    "pain_severe": "severe pain",
    "pain_comes_and_goes": "pain comes and goes;pain on and off",
    "worse_on_coughing": "worse on coughing",
    "worse_lying_down": "worse lying down",
    "relieved_by_rest": "relieved by rest",
    "getting_worse": "getting worse",
    "smoker": "smoker;smokes",
    "pregnant": "pregnant",
    "history_diabetes": "history of diabetes;diabetes mellitus;diabetes",
    "history_hypertension": "history of hypertension;high blood pressure",
    "history_asthma": "history of asthma;asthmatic",
    "history_allergies": "known allergies;allergies",
    "history_stroke": "history of stroke;previous stroke",
    "family_diabetes": "family history of diabetes",
    "family_breast_cancer": "family history of breast cancer;mother had breast cancer",
    "on_metformin": "metformin",
    "blood_pressure_high": "raised blood pressure",
    "blood_pressure_low": "low blood pressure",
    "pulse_fast": "fast pulse",
    "pulse_slow": "slow pulse",
    "oxygen_low": "low oxygen",
    "blood_sugar_high": "high blood sugar",
    "blood_sugar_low": "low blood sugar",
    "low_body_temperature": "low body temperature",
    "rapid_breathing": "rapid breathing",
    "duration_days": "for days",
    "duration_weeks": "for weeks",
}
PARENTS = {
    "high_fever": "fever", "low_grade_fever": "fever", "dry_cough": "cough", "headache_worst_ever": "headache",
    "central_abdominal_pain": "abdominal_pain", "right_lower_abdominal_pain": "abdominal_pain",
    "breathlessness_exertion": "shortness_of_breath", "rash_itchy": "skin_rash",
}  # fmt: skip


@pytest.fixture(scope="session")
def vocabulary() -> FindingVocabulary:
    """About seventy findings with their phrases."""
    return FindingVocabulary(
        ClinicalFinding(
            id=finding,
            name=finding.replace("_", " "),
            kind="symptom",
            is_a=(PARENTS[finding],) if finding in PARENTS else (),
            phrases=tuple(phrases.split(";")),
            ask="Is it so?",
        )
        for finding, phrases in PHRASES.items()
    )


@pytest.fixture(scope="session")
def reader(vocabulary: FindingVocabulary) -> TextReader:
    """A reader of the small vocabulary."""
    return TextReader(vocabulary)


@pytest.fixture(scope="session")
def everything() -> TextReader:
    """With the vocabulary of this package."""
    return TextReader(shipped_knowledge().vocabulary)
