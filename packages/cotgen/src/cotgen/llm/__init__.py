"""Reasoning written by a language model behind an OpenAI-compatible endpoint, and the client that asks it.

- `openai_generator`, `prompting`: what is asked about an utterance, and which of the verified answers is kept
- `chat`, `endpoint`, `replies`: the client, `Chat.complete`; one try at one request; what came back
- `spending`, `answer_cache`: ceilings on tokens and cost; answers that were paid for
"""
