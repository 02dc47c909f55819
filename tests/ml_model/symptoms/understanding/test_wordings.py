"""Families of wordings, read with the vocabulary and the red-flag rules that the service uses."""

from __future__ import annotations

import pytest

from ml_model.symptoms.engine import shipped_knowledge
from ml_model.symptoms.inference import CaseFindings
from ml_model.symptoms.red_flags import red_flags
from ml_model.symptoms.understanding import TextReader


def said(reader: TextReader, text: str, present: bool = True) -> set[str]:
    return {m.finding for m in reader.read(text).mentions if m.present == present and not m.history}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("my tounge is swolen", "tongue_swelling"), ("terrible hedake", "headache"),
        ("ches tightness", "chest_tightness"),
        ("cold swet", "cold_sweat"), ("a high fevr", "high_fever"), ("the kid banged his hed", "head_injury"),
        ("she is weezing", "wheeze"), ("hyves on both arms", "skin_wheals"),
        ("threw up brite red blod", "vomiting_blood"),
        ("i am not abel to pee", "cannot_pass_urine"), ("she takes blod thiners", "on_anticoagulant"),
        ("bluish lips", "cyanosis"), ("a sorethroat", "sore_throat"),
        ("swelling in herfingers", "hand_or_finger_swelling"),
        ("pain in my stomack", "abdominal_pain"), ("bad hemroids", "anal_lump"), ("diareah since monday", "diarrhea"),
        ("todler drank drane cleaner", "poison_taken"),
    ],
)  # fmt: skip
def test_what_is_no_english_word_is_the_known_word_next_to_it(everything: TextReader, text: str, finding: str) -> None:
    assert finding in said(everything, text)


@pytest.mark.parametrize(
    "text",
    ["we ran in the park", "running shoes", "the water runs", "my ring does not fit", "a spring day",
     "a bat in the attic",
     "he cut the bread", "the clubs were closed", "it was bold of him", "they hatch in the hutch"],
)  # fmt: skip
def test_a_real_word_is_not_mended_nor_more_than_it_says(everything: TextReader, text: str) -> None:
    assert said(everything, text) == set()


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("her smile is lopsided", "facial_droop"),
        ("the corner of his mouth dropped", "facial_droop"),
        ("right arm has gone weak", "arm_weakness"),
        ("my calf is twice as big as the other one", "leg_swelling_one_sided"),
        ("the right thigh is much thicker than the left", "leg_swelling_one_sided"),
        ("coughing up pink froth", "sputum_frothy_pink"),
        ("something like a band around my head", "pain_tight_band"),
        ("back ache that goes down my left leg", "pain_radiating_leg"),
        ("she puked five times", "vomiting_many_times"),
        ("he has a temperature", "fever"),
        ("dark blotches that do not fade under a glass", "rash_purple_not_blanching"),
        ("changing a soaked pad every 15 minutes", "severe_bleeding"),
        ("scalding tea spilled over her leg", "burn_injury"),
        ("an adder bit my ankle", "snake_bite"),
        ("our boy swallowed a laundry pod", "poison_taken"),
        ("he swallowed lamp oil", "poison_taken"),
        ("took 24 ibuprofen tablets", "overdose_taken"),
        ("my period is eight days late", "missed_period"),
        ("lmp was 7 weeks ago", "missed_period"),
        ("lost 9 kg since spring", "weight_loss_unintentional"),
        ("put on 12 pounds", "weight_gain"),
        ("her nose has been bleeding for 40 minutes", "nosebleed_prolonged"),
        ("a seizure that has lasted for 8 minutes", "seizure_prolonged"),
        ("my limbs are swollen", "leg_swelling"),
        ("loss of power in my left arm", "arm_weakness"),
        ("i cannot feel my feet", "numbness_feet"),
        ("pulled out of the lake", "near_drowning"),
        ("the toenail is thick and yellow", "nail_thick_discoloured"),
        ("my fingers turn white in the cold", "finger_colour_change_cold"),
        ("aggravating factors include exercise", "worse_on_exertion"),
        ("shortness of, breath", "shortness_of_breath"),
        ("visual disturbance", "diminished_vision"),
        ("baby hardly kicks", "reduced_fetal_movements"),
    ],
)
def test_idioms_and_compositions(everything: TextReader, text: str, findings: str) -> None:
    assert set(findings.split()) <= said(everything, text)


@pytest.mark.parametrize(
    ("text", "findings"),
    [
        ("i am 31 weeks pregnant", "pregnant pregnancy_late pregnancy_before_37_weeks"),
        ("33 wks pregnant", "pregnant pregnancy_late pregnancy_before_37_weeks"),
        ("she is 39 weeks", "pregnant pregnancy_late"),
        ("7 weeks' gestation", "pregnant pregnancy_early"),
        ("contractions at 30 weeks", "pregnant pregnancy_late pregnancy_before_37_weeks"),
        ("eight months pregnant", "pregnant pregnancy_late pregnancy_before_37_weeks"),
    ],
)
def test_weeks_of_pregnancy_are_figures(everything: TextReader, text: str, findings: str) -> None:
    pregnant = {"pregnant", "pregnancy_early", "pregnancy_late", "pregnancy_before_37_weeks"}
    assert said(everything, text) & pregnant == set(findings.split())


@pytest.mark.parametrize(
    "text",
    ["a cough for 30 weeks", "he is 20 weeks old", "took 2 ibuprofen tablets", "history: 30 years of smoking",
     "died at age 40", "fever (less than 38)"],
)  # fmt: skip
def test_other_figures_say_nothing_of_the_kind(everything: TextReader, text: str) -> None:
    assert not said(everything, text) & {
        "pregnant", "overdose_taken", "low_body_temperature", "high_fever", "low_grade_fever",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("text", "absent"),
    [
        ("No hearing problems", "diminished_hearing"),
        ("no change in appetite", "loss_of_appetite"),
        ("no sleep disturbance", "insomnia"),
        ("no taste disturbance", "loss_of_taste"),
        ("No visual changes", "diminished_vision"),
        ("no extremity swelling", "leg_swelling"),
    ],
)
def test_no_change_is_no_complaint(everything: TextReader, text: str, absent: str) -> None:
    assert said(everything, text) == set()
    assert absent in said(everything, text, present=False)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("No chest discomfort, No abdominal bloating", "abdominal_pain"),
        ("No tenderness, No skin rash", "skin_pain"),
        ("No swelling, No redness of the eyes", "eyelid_swelling"),
        ("No muscle weakness, no facial pain", "muscle_pain"),
    ],
)
def test_denials_lend_each_other_no_words(everything: TextReader, text: str, wrong: str) -> None:
    assert wrong not in said(everything, text, present=False) | said(everything, text)


def test_a_thing_that_has_gone_wrong_has_not_gone(everything: TextReader) -> None:
    assert said(everything, "his leg has gone numb", present=False) == set()
    assert "fatigue" in said(everything, "complains of lack of energy")


def test_lasting_states_of_the_past_history_are_of_now(everything: TextReader) -> None:
    now = said(everything, "Headache.\nPast history: obese, smoker, diabetes mellitus, previous pneumonia with fever")
    assert {"obesity", "smoker", "history_diabetes"} <= now
    assert "fever" not in now


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("His mother says he has a fever", "fever"),
        ("Relatives noticed that he looks pale", "pallor"),
        ("a long standing history of knee pain", "knee_pain"),
        ("in the previous 3 days she had palpitations", "palpitations"),
        ("he had night sweats in the past 2 months", "night_sweats"),
    ],
)
def test_who_tells_of_it_and_since_when_makes_no_history(everything: TextReader, text: str, finding: str) -> None:
    assert finding in said(everything, text)


def test_a_parents_smoking_is_not_the_childs(everything: TextReader) -> None:
    assert "smoker" not in said(everything, "He coughs. His mother smoked during the pregnancy.")


@pytest.mark.parametrize(
    ("text", "rule"),
    [
        ("a ball hit me in the eye", "eye-injury-alone"),
        ("a ball hit me in the eye and i see double", "eye-injury"),
        ("fell off a wall and cannot feel my legs", "spine-injury-nerves"),
        ("cannot find words and her left arm is numb", "stroke-numb-and-speech"),
        ("black dead skin on my toe, terribly painful, and a fever", "black-skin-fever"),
        ("broke my arm and my fingers are numb", "fracture-limb-numb"),
        ("suddenly deaf in my left ear, hearing gone", "hearing-sudden"),
        ("i have thoughts of hurting my baby", "harm-to-baby"),
        ("30 weeks pregnant with blood down my legs", "bleeding-late-pregnancy"),
    ],
)
def test_rules_for_what_is_understood(everything: TextReader, text: str, rule: str) -> None:
    knowledge, case = shipped_knowledge(), CaseFindings(frozenset(said(everything, text)))
    assert rule in {flag.id for flag in red_flags(knowledge.red_flags, case, knowledge.vocabulary)}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("he is three and does not talk yet", "speech_loss"),
        ("my tooth hurts with hot coffee", "burn_injury"),
        ("a rash from the new washing powder", "poison_taken"),
        ("burning and stinging of the eyes", "burn_skin"),
        ("the symptoms have not responded to antibiotics", "unresponsive"),
        ("faint when standing for prolonged periods", "long_menstrual_periods"),
    ],
)
def test_harmless_look_alikes_are_told_apart(everything: TextReader, text: str, wrong: str) -> None:
    assert wrong not in said(everything, text)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("my left arm has gone heavy", "one_sided_weakness"),
        ("my arm went limp for ten minutes", "stroke_signs_passed"),
        ("grandad is clutching his chest", "chest_pain"),
        ("something tore inside my back", "pain_tearing"),
        ("skin is patchy and cold", "mottled_skin"),
        ("cut my hand, it keeps spurting", "severe_bleeding"),
        ("spitting out blood, cupfuls of it", "severe_bleeding"),
        ("nose has been going for an hour despite pinching it", "nosebleed_prolonged"),
        ("a sharp pane on my right side down below", "pelvic_pain_one_sided"),
        ("9 weeks pregnant and bleading a bit", "vaginal_bleeding_in_pregnancy"),
        ("my bump is as hard as a rock", "womb_hard_tender"),
        ("34 weeks pregnant, he hasnt moved all day", "reduced_fetal_movements"),
        ("my legs feel wobbly", "weakness_both_legs"),
        ("it has moved to the bottom right", "pain_migrating_to_right_lower"),
        ("i mist my insulin", "missed_insulin_dose"),
        ("keytones are 3.9", "breath_smells_fruity"),
        ("his meter says 2.4", "blood_sugar_low"),
        ("a black curtin came down over my right eye", "curtain_over_vision"),
        ("she got into grandads heart pills", "poison_taken"),
        ("she was out cold", "loss_of_consciousness"),
        ("hit his hed, watery stuff dripping from his ear", "clear_fluid_nose_or_ear_after_injury"),
        ("went to the toilet and it was all blood", "blood_in_stool"),
        ("having treatment for lymphoma", "chemotherapy"),
        ("feels hot, 38.5", "fever"),
        ("still convulsing after six minutes", "seizure_prolonged"),
        ("tipped a mug of hot tee over her chest", "burn_large"),
        ("bit by an adder", "snake_bite"),
        ("convinced they are coming for him", "paranoia"),
        ("the tv is sending him messages", "delusions_or_hallucinations"),
    ],
)
def test_what_frightened_people_say_of_danger(everything: TextReader, text: str, finding: str) -> None:
    assert finding in said(everything, text)


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        ("she grazed her knee, it bled for a minute", "bleeding_into_joint"),
        ("I fractured my skull as a child in a car crash", "serious_accident"),
        ("a pane of glass", "pain_sharp"),
        ("30 weeks pregnant, no bleeding", "vaginal_bleeding_in_pregnancy"),
        ("32 weeks pregnant and i have not moved my bowels", "reduced_fetal_movements"),
        ("clear fluid comes out of my ear", "clear_fluid_nose_or_ear_after_injury"),
        ("ketones 0.3 on my diet", "breath_smells_fruity"),
        ("they are coming for dinner", "paranoia"),
        ("my tea has gone cold", "cold_exposure"),
        ("my leg went dead for a minute", "stroke_signs_passed"),
        ("the towel is soaked from my shower", "severe_bleeding"),
    ],
)
def test_nearly_the_same_words_say_no_danger(everything: TextReader, text: str, wrong: str) -> None:
    assert wrong not in said(everything, text)
