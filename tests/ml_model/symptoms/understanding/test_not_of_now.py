"""What is told of long ago, only asked about, or a figure of speech, and dangers that stand near it."""

from __future__ import annotations

import pytest

from ml_model.symptoms.understanding import TextReader


def now(reader: TextReader, text: str) -> set[str]:
    return {m.finding for m in reader.read(text).mentions if m.present and not m.history}


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("had jaundice in 2009 and got fully cured", "jaundice_new"),
        ("I broke my arm when I was seven", "fracture_suspected"),
        ("five years back I had chest pain", "chest_pain"),
        ("what should I pack in case someone gets bitten by a snake?", "snake_bite"),
        ("what does heart attack chest pain feel like", "chest_pain"),
        ("first aid course: what to do if someone is choking", "choking"),
        ("first aid kit", "history_hiv"),
        ("my new boots are killing me", "pain_severe"),
        ("my crush liked my picture", "pain_crushing"),
        ("a rubbed spot on the heel", "vaginal_bleeding"),
        ("just a bit tender", "pain_severe"),
        ("bleach kills all the germs", "violent_thoughts"),
        ("running 42.2 km next month", "high_fever"),
        ("temp 35.6 this morning", "temperature_below_35"),
        ("resting pulse is 44", "pulse_very_slow"),
        ("he stopped drinking water", "alcohol_stopped_suddenly"),
    ],
)
def test_no_finding_of_now(everything: TextReader, text: str, finding: str) -> None:
    assert finding not in now(everything, text)


@pytest.mark.parametrize(
    ("text", "finding"),
    [
        ("when I was 30 weeks pregnant the chest pain began and I still have it", "chest_pain"),
        ("had chest pain since 2009 and still have chest pain", "chest_pain"),
        ("of course he is choking, if someone can help", "choking"),
        ("what does it mean, I have chest pain", "chest_pain"),
        ("I was bitten by a snake", "snake_bite"),
        ("my knee is killing me", "pain_severe"),
        ("running 101.4 tonight", "fever"),
        ("100.4 F", "fever"),
        ("thermometer says 31.9", "temperature_below_35"),
        ("pulse 36", "pulse_very_slow"),
        ("swatting at bugs that aren't there", "hallucinations"),
        ("haven't felt a single kick at 36 weeks", "reduced_fetal_movements"),
        ("picked mushrooms in the wood and now vomiting", "poison_taken"),
        ("he drink liquid for open the sink pipe", "poison_taken"),
        ("the voices told him to stab them", "command_voices"),
        ("says the baby got swapped", "paranoia"),
        ("got my forearm casted yesterday", "cast_on_limb"),
        ("a tube in his head for water on the brain", "brain_shunt"),
        ("his mouth has locked", "trismus"),
    ],
)
def test_a_finding_of_now(everything: TextReader, text: str, finding: str) -> None:
    assert finding in now(everything, text)
