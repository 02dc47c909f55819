"""What is denied, what only looks so, and what is said of the past or of others."""

from __future__ import annotations

import pytest

from ml_model.symptoms.understanding import TextReader


def told(reader: TextReader, text: str) -> set[str]:
    """Findings with + (there) or - (denied), and H of the past or the family."""
    return {
        ("+" if m.present else "-") + ("H:" if m.history else "") + m.finding
        for m in reader.read(text).mentions
        if not m.finding.startswith("duration_")
    }


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no fever", "-fever"),
        ("not feverish", "-fever"),
        ("without fever", "-fever"),
        ("denies fever", "-fever"),
        ("She denied fever", "-fever"),
        ("negative for fever", "-fever"),
        ("absence of fever", "-fever"),
        ("free of fever", "-fever"),
        ("never had fever", "-fever"),
        ("neither fever nor cough", "-fever -cough"),
        ("I did not have a fever", "-fever"),
        ("She has not had fever or cough", "-fever -cough"),
        ("I don't have a fever", "-fever"),
        ("he hasn't had any cough", "-cough"),
        ("no fever, cough or headache", "-fever -cough -headache"),
        ("No fever, cough, or headache.", "-fever -cough -headache"),
        ("No fever, No chest pain", "-fever -chest_pain"),
        ("denies fever, cough, and headache.", "-fever -cough -headache"),
        ("Denies fever, chills. Reports cough.", "-fever -chills +cough"),
        ("no longer has fever", "-fever"),
        ("fever is absent", "-fever"),
        ("fever and cough are absent", "-fever -cough"),
        ("fever: no", "-fever"),
        ("Fever - absent", "-fever"),
        ("Fever? No. Cough? Yes.", "-fever +cough"),
        ("fever has resolved", "-fever"),
        ("no fever but cough", "-fever +cough"),
        ("no fever but has cough", "-fever +cough"),
        ("no fever, but I do have a cough", "-fever +cough"),
        ("no symptoms except for cough", "+cough"),
        ("no fever apart from chills", "-fever +chills"),
        ("has headache, no fever, vomiting twice", "+headache -fever +vomiting"),
        ("I am not vomiting and have fever", "-vomiting +fever"),
        ("No nausea, vomiting, diarrhea.", "-nausea -vomiting -diarrhea"),
        ("no weight loss or night sweats", "-weight_loss -night_sweats"),
        ("no pain in the chest", "-chest_pain"),
        ("no redness or swelling of the knee", "-knee_redness -knee_swelling"),
        ("knee swelling but no redness", "+knee_swelling -knee_redness"),
        ("knee pain without swelling", "+knee_pain -knee_swelling"),
        ("Not a smoker", "-smoker"),
        ("non-smoker", "-smoker"),
        ("never smoked", "-smoker"),
        ("I don't smoke", "-smoker"),
        ("no known allergies", "-history_allergies"),
        ("the rash is not itchy", "-rash_itchy +skin_rash"),
        ("not pregnant", "-pregnant"),
        ("chest pain, not relieved by rest", "+chest_pain -relieved_by_rest"),
        ("Absent: fever, cough", "-fever -cough"),
        ("Negatives: fever, cough\nHeadache", "-fever -cough +headache"),
        ("Headache. Absent: fever, chills.", "+headache -fever -chills"),
        ("no fever, cough started yesterday", "-fever +cough"),
        ("no fever; cough", "-fever +cough"),
        ("lack of fever", "-fever"),
        ("no vomiting after the headache", "-vomiting +headache"),
        ("nor does she have a cough", "-cough"),
    ],
)
def test_what_is_denied(reader: TextReader, text: str, expected: str) -> None:
    assert told(reader, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("no improvement of cough", "+cough"),
        ("cough is no better", "+cough"),
        ("cough not getting better", "+cough"),
        ("cough has not improved", "+cough"),
        ("the cough won't go away", "+cough"),
        ("the cough has not gone away", "+cough"),
        ("cough that does not respond to tablets", "+cough"),
        ("not only fever but cough", "+fever +cough"),
        ("no change in cough", "+cough"),
        ("cannot rule out fever", "+fever"),
        ("no relief of headache", "+headache"),
        ("not without fever", "+fever"),
        ("I don't know why I have a headache", "+headache"),
        ("not sure what causes this headache", "+headache"),
        ("I've never had such a headache", "+headache"),
        ("never had a headache like this", "+headache"),
        ("no idea where the rash is from", "+skin_rash"),
        ("cannot stop vomiting", "+vomiting"),
        ("I can't work because of back pain", "+back_pain"),
        ("cough is not getting worse", "+cough -getting_worse"),
    ],
)
def test_what_only_looks_denied_is_there(reader: TextReader, text: str, expected: str) -> None:
    assert told(reader, text) == set(expected.split())


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("known diabetic", "+history_diabetes"),
        ("hypertension controlled on medication", "+history_hypertension"),
        ("h/o HTN, DM", "+history_hypertension +history_diabetes"),
        ("history of asthma presents with cough", "+history_asthma +cough"),
        ("takes metformin", "+on_metformin"),
        ("no history of diabetes", "-history_diabetes"),
        ("three-day history of cough", "+cough"),
        ("history of cough for 3 days", "+cough"),
        ("history of headache", "+H:headache"),
        ("Past history: asthma, headache", "+history_asthma +H:headache"),
        ("he had rash as a child", "+H:skin_rash"),
        ("two years ago had chest pain", "+H:chest_pain"),
        ("chest pain started two years ago", "+chest_pain"),
        ("family history of diabetes", "+family_diabetes"),
        ("her mother has diabetes", "+family_diabetes"),
        ("sister with breast cancer", "+family_breast_cancer"),
        ("diabetes in her father", "+family_diabetes"),
        ("her father had chest pain", "+H:chest_pain"),
        ("Family history: diabetes. Cough: yes.", "+family_diabetes +cough"),
        ("Family history: -. Headache for 2 days", "+headache"),
        ("no family history of diabetes", "-family_diabetes"),
        ("My mother, 70, has chest pain", "+chest_pain"),
        ("my mother had diabetes and I have a cough", "+family_diabetes +cough"),
    ],
)
def test_history_and_family(reader: TextReader, text: str, expected: str) -> None:
    assert told(reader, text) == set(expected.split())
