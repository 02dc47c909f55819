"""Thoughts of dying and of self-harm are recognised in words that the list does not hold; look-alikes stay silent."""

from __future__ import annotations

import time

import pytest

from ml_model.symptoms.self_harm import MAX_CHARACTERS, SelfHarmAnswer, SelfHarmReader
from ml_model.tasks.registry import TASKS_DIR

TOLD = """
I've been thinking of topping myself, I can't look anybody in the face
nobody would notice if I did meself in
I am ninety and I mean to put an end to it
they would have the life insurance and be rid of the burden that I have become
kys is all that goes round my head
I don't want to see another day
there is a noose in the loft and I keep going up to look at it
I feel like walking into the sea
sometimes I deliberately burn my arm with the iron
my uncle says he is going to do himself in
I'd give anything to fall asleep tonight and never open my eyes again
I wish my heart would just stop in the night
my dad goes to bed hoping he doesn't wake up
please tell my kids that I love them, I am so sorry
I've left a note on the kitchen table for my husband
I've been giving all my things away because I won't need them
my daughter has been giving her jewellery away and seems strangely calm
she handed me her ring and said she won't be needing it
I'll be joining my brother soon
she keeps saying she wants to join her husband in the grave
what is the point of going on
there's no point in me being here
I'm checking out for good
I've decided it's time to go and nobody will stop me
I want to leave this life behind
no one would miss me
she says we would be better off without her
I'm frightened of what I could do to myself if I'm left alone
I can't keep myself safe any more
I am worried my brother is going to do something to himself
I've been saving up tablets for when the time comes
I have the means and the plan, I only have to wait until they are out
I tried to hang myself in the garage on sunday
I attempted to take my life a month ago
my brother tried to take his own life last month and now he's quiet again
I hit my head against the wall to punish myself
I feel like cutting
I can't take it any more, I want it to end
I cannot go on with this pain, I've decided to end it
I wish I could just stop existing
I wish the earth would swallow me and I'd be gone for ever
my daughter says she wishes she didn't exist
I wouldn't care if I died tomorrow
I've stopped my insulin because I don't care if I live or die
my daughter says there's no point in anything and she wants it to stop
my dad has bought a rope and won't tell me why
my partner won't stop talking about wanting to die
my son burns himself with a lighter
my 14 year old scratches her arms with a compass because she hates herself
i'm gonna unalive myself tonight
fr i just wanna end it
want to yeet myself off a bridge
i cant go on enymore
i hav a plan to kill myslef
I'm ready to go now, I have lived long enough
I pray God takes me soon
my mother says she is ready to go and has stopped taking her tablets
I've made arrangements for the dog and paid all the bills so I can go in peace
remember me as I was before
I've got thoughts of jumping when I stand on the platform
I've taken twenty tablets and I don't regret it
if I had a gun I'd use it on me
I've been thinking of suicide since the baby came
it's pointless being alive
my son told his teacher he wants to be dead
she told me she took loads of pills
grandma says she has lived long enough
my cousin tried to jump off a bridge
imma kms
im gonna do it tonight bye guys
i want to kil my self
"""
HARMLESS = """
I did myself in at the gym, my back is so sore since the deadlifts
I put an end to it all, the itching, with a cream
I want to see another doctor about my knee
I ran 12 kms and my calf hurts
my tablets keep coming up again after I swallow them
I keep driving over the bridge to work and my neck is stiff
I keep going up to the loft for the rope ladder and my back aches
I burned my arm and cold water helps
I nearly jumped when the pain shot down my leg
my life is over when the pollen comes
blood pressure pills are ready at the pharmacy
I keep my pills by my bed
I want to die of embarrassment about this rash
this cough is killing me
my father passed away and I feel tired
I am ready to go to hospital
I can't live with this itching any longer, any cream?
I want this pain to end
since my husband passed I have chest pain when I climb stairs
I have put my papers in order for the insurance and now my eyes are sore
I gave away my cat because of my allergy
found a rash on my daughter's arms
I scratch my arms till they bleed because of the itch
I hurt myself again at football, same ankle
afraid I might hurt my back again
worried I might die from covid
I wish I could sleep through and not wake up to pee five times
checking out of the hotel I slipped and hurt my hip
had a good innings at cricket but pulled my hamstring
is there any point in taking vitamin C
I can't see the future of this job with my back like this
I have a plan to stop smoking, what helps with the cough
I want the hiccups to end
I hope something happens soon, I've been waiting for my referral with this knee
a truck hit my car and my neck hurts
my friend said goodbye and then fainted
relapsed with my MS, legs are numb
this hangover makes me want to sleep all day
I feel like death, fever of 39
worried sick about my son, he has a fever of 40
I'm done with antibiotics, they give me diarrhoea
I want out of this plaster cast, it itches
please let me go without surgery
I manage better without my inhaler
tell my doctor that I'm sorry I missed the appointment, my cough is worse
I'm leaving for India tonight, and have diarrhoea
I have decided to end the treatment with metformin because of the nausea
my mood is low and I cry a lot
he lost his job and isn't sleeping, has headaches
my husband says he wants to go home but still has a fever
hit my head on the wall by accident, feel sick
I took two paracetamol yesterday and my head still hurts
I have cuts on my legs from brambles that are infected
I can't keep my food down any more
too tired to keep going at work, short of breath on stairs
cutting onions makes my eyes water
the doctor says my time has come for a new hip
I don't feel safe alone at home since my stroke
the pill is not needed anymore
death of my father last week, my chest is tight since
not suicidal, low mood for two weeks
feel like I'm dying when the panic comes
there's nothing left of my toenail
my friend sent me a message that she has scarlet fever
we are giving away our things as we move and I strained my back
I had two bottles of water and still feel dry
I hope the tablets stop the pain
I can't wake my husband
she wants to go home from the hospital
I want to leave the hospital, is that ok with pneumonia
we said goodbye to our daughter at university and I have felt tearful since
I want to follow my doctor's advice but the tablets make me sick
dad died in June and I've had chest pains
there is no use in my left hand
I have no life because of my bowel, always on the toilet
fed up with my bad back
he was in a car accident and has neck pain
I wish I could sleep
I feel better if I am not lying down
no one noticed my fever until today
I need somebody to stop the bleeding
I'm scared to be alone with the baby because of her breathing pauses
we've set a date for the operation
I sat on the roof and got sunburn
tried to do it up again, the zip, and cut my finger
I punched the bag at the gym and my wrist hurts
found a tick on my daughter's arm
scratched my arm on a rusty fence
urge to jump around because of restless legs
ribs hurt after doing a sh exercise
I'm thinking about death in the family and whether my heart gene matters
death rattle sounds from my father's chest
he is better off without gluten
he wrote a letter to his consultant
everything is sorted and ready for the baby, but I've had a headache
I can't bear weight on my ankle
can't do life admin because of brain fog
please God take my headache away
"""


@pytest.fixture(scope="module")
def reader() -> SelfHarmReader:
    return SelfHarmReader.from_file(TASKS_DIR / "red_flags" / "self_harm.toml")


@pytest.mark.parametrize("text", TOLD.strip().splitlines())
def test_what_is_told_is_recognised(reader: SelfHarmReader, text: str) -> None:
    found = reader.found(text)
    assert found is not None
    assert 0 <= found[0] < found[1] <= len(text)


@pytest.mark.parametrize("text", HARMLESS.strip().splitlines())
def test_a_look_alike_stays_silent(reader: SelfHarmReader, text: str) -> None:
    assert reader.found(text) is None


def test_choices_gaps_and_names_of_a_pattern() -> None:
    answer = SelfHarmAnswer("", "", ())
    read = SelfHarmReader([], ["said bye at the"], ["said|says bye|so_long * i am off"], answer)
    assert read.found("he says so long and now I'm off") == (3, 31)
    assert read.found("said bye, I am off") == (0, 18)
    assert read.found("said so and I am off") is None  # half a choice
    assert read.found("said bye to them all there I am off") is None  # more than three words between
    assert read.found("said bye at the door I am off") is None


@pytest.mark.parametrize("piece", ["i want to be ", "no point in ", "he gave things and said i wish ", "not wake up "])
def test_time_grows_with_the_length_of_a_text(reader: SelfHarmReader, piece: str) -> None:
    def least(text: str) -> float:
        taken = []
        for _ in range(5):
            start = time.process_time()
            reader.found(text)
            taken.append(time.process_time() - start)
        return min(taken)

    long = (piece * MAX_CHARACTERS)[:MAX_CHARACTERS]
    assert least(long) < 12 * max(least(long[: MAX_CHARACTERS // 4]), 0.001)
