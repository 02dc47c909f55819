"""Questions about a result, symptoms or a picture, answered in plain words with what each statement rests on.

`conversation.py` is the way of a question: rules (self-harm, red flags) first, then the evidence, then the words.
May import services of its own floor, schemas and ml_model; no view.
"""
