"""Losses under data parallelism, in two real processes: their averaged gradient must be that of one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest
import torch

from grpo_ptr import LOSSES

WORKER = """
import json
import sys
import torch
import torch.distributed as dist
from torch.nn.parallel import DistributedDataParallel
from grpo_ptr import LOSSES, LossInputs

folder, rank = sys.argv[1], int(sys.argv[2])
torch.manual_seed(0)
model = torch.nn.Linear(8, 5)
hidden, tokens = torch.randn(6, 7, 8), torch.randint(5, (6, 7))
lengths, advantages = torch.tensor([1, 2, 3, 5, 7, 7]), torch.randn(6)
mask = torch.arange(7)[None] < lengths[:, None]
old = model(hidden).log_softmax(-1).gather(-1, tokens[..., None])[..., 0].detach() + 0.3 * torch.randn(6, 7)

def write_gradients(policy, rows, world):
    for name, loss in LOSSES.items():
        model.zero_grad()
        logprobs = policy(hidden[rows]).log_softmax(-1).gather(-1, tokens[rows, :, None])[..., 0]
        counts = {"step_completions": len(mask) / world, "step_tokens": int(mask.sum()) / world}
        sampled = {"old_logprobs": old[rows], "ref_logprobs": old[rows]}
        inputs = LossInputs(logprobs, mask[rows], advantages[rows], **sampled, **counts)
        loss(inputs, beta=0.1, **({"max_tokens": 7} if name == "dr_grpo" else {})).loss.backward()
        with open(f"{folder}/{name}-{world}-{rank}.json", "w") as file:
            json.dump(model.weight.grad.tolist(), file)

write_gradients(model, slice(None), 1)
dist.init_process_group("gloo", init_method=f"file://{folder}/store", rank=rank, world_size=2)
policy = DistributedDataParallel(model)
write_gradients(policy, (slice(0, 2), slice(2, 6))[rank], 2)
del policy  # its reducer uses the process group, whose threads must end before the interpreter does
dist.barrier()
dist.destroy_process_group()
"""


def test_two_processes_with_unequal_shares_make_the_gradient_of_one(tmp_path: Path) -> None:
    """Two answers of 3 tokens on one process, four of 22 on the other; DDP averages their gradients."""
    if not torch.distributed.is_available() or not torch.distributed.is_gloo_available():
        pytest.skip("needs gloo")
    commands = [[sys.executable, "-W", "ignore", "-c", WORKER, str(tmp_path), str(rank)] for rank in (0, 1)]
    running = [subprocess.Popen(command, stderr=subprocess.PIPE, text=True) for command in commands]
    errors = [process.communicate(timeout=120)[1] for process in running]
    assert [process.returncode for process in running] == [0, 0], errors
    for name in LOSSES:
        files = (tmp_path / f"{name}-{which}.json" for which in ("1-0", "2-0", "2-1"))
        whole, first, second = (torch.tensor(json.loads(file.read_text())) for file in files)
        assert whole.norm() > 0
        torch.testing.assert_close(first, whole, rtol=1e-5, atol=1e-6, msg=name)
        assert torch.equal(first, second)
