"""Phrases in any order, over clauses, with slips: what is told of, and where."""

from __future__ import annotations

import time

import pytest

from ml_model.symptoms.understanding import TextReader, Understanding


def present(understanding: Understanding) -> set[str]:
    """Findings told of as there, now."""
    return {
        m.finding
        for m in understanding.mentions
        if m.present and not m.history and not m.finding.startswith("duration_")
    }


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("I have a fever", "fever"),
        ("Fever and chills", "fever chills"),
        ("fever, chills & cough", "fever chills cough"),
        ("PYREXIA", "fever"),
        ("chest pain and leg swelling", "chest_pain leg_swelling"),
        ("chest pain with leg swelling", "chest_pain leg_swelling"),
        ("chest pain with swelling of the leg", "chest_pain leg_swelling"),
        ("pain in my chest", "chest_pain"),
        ("my chest hurts", "chest_pain"),
        ("my chest really aches", "chest_pain"),
        ("pain in my chest when I move my arm", "chest_pain"),
        ("I can't move my left arm because of pain", "arm_pain"),
        ("severe chest pain", "chest_pain pain_severe"),
        ("right lower abdominal pain", "right_lower_abdominal_pain"),
        ("pain in the right lower abdomen", "right_lower_abdominal_pain"),
        ("RLQ pain", "right_lower_abdominal_pain"),
        ("RIF pain", "right_lower_abdominal_pain"),
        ("tummy ache", "abdominal_pain"),
        ("stomachache", "abdominal_pain"),
        ("my tummy hurts", "abdominal_pain"),
        ("head ache", "headache"),
        ("headaches", "headache"),
        ("the worst headache of my life", "headache_worst_ever"),
        ("SOB", "shortness_of_breath"),
        ("SOB on exertion", "breathlessness_exertion"),
        ("N/V", "nausea vomiting"),
        ("c/o N/V/D", "nausea vomiting diarrhea"),
        ("I keep throwing up", "vomiting"),
        ("threw up twice", "vomiting"),
        ("diarrhoea", "diarrhea"),
        ("haematuria", "visible_blood_urine"),
        ("blood in my pee", "visible_blood_urine"),
        ("it hurts to pee", "painful_urination"),
        ("burning on urination", "painful_urination"),
        ("ankle edema", "ankle_oedema"),
        ("her ankles are swollen", "ankle_oedema"),
        ("pins and needles", "pins_and_needles"),
        ("I can't sleep", "insomnia"),
        ("I cannot sleep", "insomnia"),
        ("she isn't sleeping", "insomnia"),
        ("no appetite", "loss_of_appetite"),
        ("lost my appetite", "loss_of_appetite"),
        ("itchy rash", "rash_itchy"),
        ("the rash is itchy", "rash_itchy"),
        ("dry, hacking cough", "dry_cough"),
        ("throat is sore", "sore_throat"),
        ("the pain comes and goes", "pain_comes_and_goes"),
        ("pain that is on and off", "pain_comes_and_goes"),
        ("short of breath", "shortness_of_breath"),
        ("the pain came back", ""),
        ("the left turn was right", ""),
        ("I walk my dog to the shop", ""),
    ],
)
def test_a_phrase_is_found_in_other_words(reader: TextReader, text: str, findings: str) -> None:
    assert present(reader.read(text)) == set(findings.split())


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("redness and swelling of the knee", "knee_redness knee_swelling"),
        ("pain, swelling and redness of the knee", "knee_pain knee_redness knee_swelling"),
        ("her left knee is swollen and painful", "knee_swelling knee_pain"),
        ("my knee hurts and it is swollen", "knee_pain knee_swelling"),
        ("My knee hurts. It is swollen.", "knee_pain knee_swelling"),
        ("knee pain, swelling and redness", "knee_pain knee_swelling knee_redness"),
        ("pain and numbness in the hand", "hand_pain hand_numbness"),
        ("pain in the knee, ankle and hip", "knee_pain ankle_pain hip_pain"),
        ("hip and knee pain", "hip_pain knee_pain"),
        ("hand and foot swelling", "hand_swelling foot_swelling"),
        ("loss of smell and taste", "loss_of_smell loss_of_taste"),
        ("difficulty speaking and swallowing", "speech_trouble swallowing_trouble"),
        ("worse on coughing and lying down", "worse_on_coughing worse_lying_down"),
        (
            "pain started near the navel and is now in the right lower abdomen",
            "central_abdominal_pain right_lower_abdominal_pain",
        ),
        (
            "The pain started near my navel. Now it is in my right lower abdomen",
            "central_abdominal_pain right_lower_abdominal_pain",
        ),
        ("knee pain, fever, cough", "knee_pain fever cough"),
    ],
)
def test_what_belongs_together_is_put_together(reader: TextReader, text: str, findings: str) -> None:
    assert present(reader.read(text)) == set(findings.split())


def test_pain_that_goes_elsewhere_is_two_findings(reader: TextReader) -> None:
    assert {"chest_pain", "pain_radiating_arm"} <= present(reader.read("pain in my chest, which goes to the left arm"))


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("hedache", "headache"),
        ("headahce", "headache"),
        ("diahrea", "diarrhea"),
        ("diarrea", "diarrhea"),
        ("diarhoea", "diarrhea"),
        ("vomitting", "vomiting"),
        ("vommiting", "vomiting"),
        ("trouble brething", "shortness_of_breath"),
        ("dificulty breathing", "shortness_of_breath"),
        ("palpatations", "palpitations"),
        ("constapation", "constipation"),
        ("diziness", "dizziness"),
        ("insomina", "insomnia"),
        ("chest tighness", "chest_tightness"),
        ("feaver", "fever"),
    ],
)
def test_a_slip_is_mended_at_a_price(reader: TextReader, text: str, finding: str) -> None:
    mention = next(m for m in reader.read(text).mentions if m.finding == finding)
    assert mention.score <= 100.0
    assert (mention.start, mention.end) == (0, len(text))


@pytest.mark.parametrize(
    "text", ["lever", "river", "never again", "couch", "rush", "hand in hand", "counting", "bough"]
)
def test_a_known_word_is_no_slip_of_another(reader: TextReader, text: str) -> None:
    assert reader.read(text).mentions == ()


def test_places_are_those_of_the_text_as_sent(reader: TextReader) -> None:
    text = "Ménière’s… “chest pain” 😀 & fièver"
    mention = reader.read(text).mentions[0]
    assert text[mention.start : mention.end] == mention.text == "chest pain"


def test_sentences_run_together_are_parted(reader: TextReader) -> None:
    understanding = reader.read("No feverNot a smoker")
    assert {(m.finding, m.present) for m in understanding.mentions} == {("fever", False), ("smoker", False)}


def test_words_that_nothing_is_made_of_are_told(reader: TextReader) -> None:
    text = "I have a fever and a zorbly wobblet since yesterday"
    assert [text[a:b] for a, b in reader.read(text).not_understood] == ["zorbly wobblet"]


@pytest.mark.parametrize(
    "text",
    [
        "a" * 5000, "," * 5000, "\U0001f600" * 5000, "\x00\x01\x07" * 1666, " " * 5000, "." * 5000,
        "-" * 5000, "'" * 5000,
        "pain " * 1000, "pain and " * 555, "fever, " * 714, "no " * 1666, "1 " * 2500, "12 months " * 500,
        "knee pain, " * 454,
        "left knee and " * 357, "12 year old " * 416, "temperature " * 416, "120/80/" * 714, "a/" * 2500,
        "\u75db" * 5000,
        "e\u0301" * 2500, "mother had pain " * 312, "no: " * 1250, "", "\n", "\ud800",
    ],
    ids=lambda text: repr(text[:12]),
)  # fmt: skip
def test_anything_is_read_in_bounded_time(reader: TextReader, text: str) -> None:
    reader.read(text)
    started = time.process_time()
    reader.read(text)
    assert time.process_time() - started < 2  # 0.05 on a machine that does nothing else


def test_only_the_first_five_thousand_characters_are_read(reader: TextReader) -> None:
    assert reader.read("x " * 2500 + "fever").mentions == ()
