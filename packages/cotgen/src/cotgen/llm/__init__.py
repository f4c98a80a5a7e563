"""Reasoning written by a language model behind an OpenAI-compatible endpoint, and the client for it.

- `openai_generator`, `prompting`: the prompt for an utterance, and which of the verified answers is kept
- `chat`, `metered_client`, `replies`: the client, `Chat.complete`; each HTTP request of it; what comes back
- `budget`, `answer_cache`: limits on tokens and cost; answers that were paid for
"""
