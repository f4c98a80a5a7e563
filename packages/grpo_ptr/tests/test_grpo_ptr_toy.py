"""The whole of the algorithm on the smallest policy there is: two logits, two answers, one of them right."""

from __future__ import annotations

import pytest
import torch

from grpo_ptr import ADVANTAGES, LOSSES, Deviation, LossInputs, rewards

GROUPS, K = 4, 8


@pytest.mark.parametrize("loss", sorted(LOSSES))
@pytest.mark.parametrize("advantages", sorted(ADVANTAGES))
def test_the_expected_reward_rises(loss: str, advantages: str) -> None:
    """Answers of one token, drawn from the policy, two updates to a batch so that ratios leave 1; from an even start
    the right answer must have at least 0.9 after sixty batches, whatever the pair of loss and advantage."""
    torch.manual_seed(0)
    logits = torch.zeros(2, requires_grad=True)
    optimizer = torch.optim.SGD([logits], lr=0.25)
    options = {"max_tokens": 1} if loss == "dr_grpo" else {}
    everything = torch.ones(GROUPS, K, dtype=torch.bool)
    for _ in range(60):
        old = logits.detach().log_softmax(0)
        answers = torch.multinomial(old.exp(), GROUPS * K, replacement=True).view(GROUPS, K)
        breakdown = rewards(everything, answers == 1, None, reasoning_enabled=False)
        advantage = ADVANTAGES[advantages](breakdown, Deviation.POPULATION).flatten()
        chosen = answers.view(-1, 1)
        for _ in range(2):
            logprobs = logits.log_softmax(0)[chosen]
            inputs = LossInputs(logprobs, everything.view(-1, 1), advantage, old_logprobs=old[chosen])
            optimizer.zero_grad()
            LOSSES[loss](inputs, beta=0.0, **options).loss.backward()
            optimizer.step()
    assert logits.softmax(0)[1].item() >= 0.9
