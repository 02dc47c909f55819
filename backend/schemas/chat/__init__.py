"""What is asked and answered in a conversation.

May import schemas and ml_model.
"""
