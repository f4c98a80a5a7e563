"""A folder is replaced as a whole: whoever is killed at any moment leaves the old checkpoint or the new one."""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest
from transformers import PreTrainedTokenizerFast

from speechlm import CheckpointError, PocketSize, SpeechLM, load_checkpoint, pocket, save_checkpoint
from speechlm.folders import atomic_dir

KILLER = """
import os, signal, sys
from pathlib import Path

import torch
from speechlm import PocketSize, load_checkpoint, pocket, save_checkpoint, train_tokenizer

place = Path(sys.argv[1])
torch.set_num_threads(1)
size = PocketSize(audio_width=32, audio_layers=1, text_width=32, text_layers=1, num_mel_bins=16)
old, new = (pocket(train_tokenizer(["a voice"], vocab_size=270), seed=seed, size=size) for seed in (1, 2))
save_checkpoint(old, place)


def save_and_die(at):
    # The audit hook sees every file that Python opens, links, renames and removes below the place's folder.
    seen = 0

    def hook(event, arguments):
        nonlocal seen
        if event.split(".")[0] in ("open", "os", "shutil") and str(place.parent) in str(arguments[:2]):
            seen += 1
            if seen == at:
                os.kill(os.getpid(), signal.SIGKILL)

    sys.addaudithook(hook)
    save_checkpoint(new, place, max_shard_size="20KB")
    os._exit(0)


def which(model):
    for name, candidate in (("old", old), ("new", new)):
        if all(torch.equal(a, b) for a, b in zip(model.parameters(), candidate.parameters(), strict=True)):
            return name
    return "torn"


def kill_everywhere(first):
    for at in range(first, 1000, 2):
        child = os.fork()
        if child == 0:
            save_and_die(at)
        killed = os.WIFSIGNALED(os.waitpid(child, 0)[1])
        found = which(load_checkpoint(place))
        print("killed" if killed else "finished", found, flush=True)
        if found == "new":
            save_checkpoint(old, place)
        if not killed:
            break


kill_everywhere(1)
kill_everywhere(2)
print("left", *sorted(path.name for path in place.parent.iterdir()))
"""


def test_a_kill_at_any_moment_leaves_one_of_the_two(tmp_path: Path) -> None:
    """A child saves over an old checkpoint and kills itself at its first, third, … touch of the disk, until one gets
    through; then at its second, fourth, …. Each time the folder loads as the old
    or as the new model to the bit; the next save clears up."""
    place = tmp_path / "there" / "checkpoint"
    environment = os.environ | {"OMP_NUM_THREADS": "1", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}
    done = subprocess.run(
        [sys.executable, "-c", KILLER, str(place)], capture_output=True, text=True, check=False, env=environment
    )
    assert done.returncode == 0, done.stderr[-2_000:]
    *outcomes, left = done.stdout.splitlines()
    counted = Counter(outcomes)
    assert counted["killed old"] > 30
    assert counted["killed new"] > 0
    assert counted["finished new"] == 2
    assert len(counted) == 3
    assert left == "left checkpoint"


def test_an_error_while_writing_leaves_the_old_folder_alone(tmp_path: Path) -> None:
    (tmp_path / "a").mkdir()
    (tmp_path / "a" / "x").write_text("old")
    with pytest.raises(ZeroDivisionError), atomic_dir(tmp_path / "a") as folder:
        (folder / "x").write_text(f"{1 / 0}")
    assert [(p.name, p.read_text()) for p in (tmp_path / "a").iterdir()] == [("x", "old")]
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_what_others_put_there_is_kept(tmp_path: Path) -> None:
    """Files, folders and links that the new folder lacks; not those that match what is to be discarded."""
    old = tmp_path / "a"
    (old / "logs" / "deep").mkdir(parents=True)
    (old / "logs" / "deep" / "run.txt").write_text("history")
    (old / "note.txt").write_text("kept")
    (old / "broken").symlink_to("nowhere")
    (old / "link").symlink_to("note.txt")
    (old / "model-1.safetensors").write_text("stale")
    (old / "config.json").write_text("old")
    with atomic_dir(old, discard=["model*.safetensors"]) as folder:
        (folder / "config.json").write_text("new")
    assert sorted(p.name for p in old.iterdir()) == ["broken", "config.json", "link", "logs", "note.txt"]
    assert (old / "config.json").read_text() == "new"
    assert (old / "logs" / "deep" / "run.txt").read_text() == "history"
    assert (old / "link").is_symlink()
    assert (old / "link").read_text() == "kept"
    assert [p.name for p in tmp_path.iterdir()] == ["a"]


def test_a_file_in_the_way_and_a_forbidden_place_are_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    with pytest.raises(CheckpointError, match="file is a file: name a folder"), atomic_dir(tmp_path / "file"):
        pass
    with (
        pytest.raises(CheckpointError, match=r"cannot be written, what was there is unchanged: .*File exists"),
        atomic_dir(tmp_path / "file" / "below"),
    ):
        pass
    assert (tmp_path / "file").read_text() == "mine"


def test_a_full_disk_leaves_the_old_checkpoint(
    model: SpeechLM, tokenizer: PreTrainedTokenizerFast, tmp_path: Path
) -> None:
    """As far as a process can tell: files may not grow beyond 200 kB, and the weights have more."""
    place = tmp_path / "a"
    save_checkpoint(model, place)
    larger = pocket(tokenizer, seed=1, size=PocketSize(32, 1, 64, 2, 16))
    limits = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (200_000, limits[1]))
    try:
        with pytest.raises(CheckpointError, match="a: cannot be written, what was there is unchanged: "):
            save_checkpoint(larger, place)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, limits)
    assert load_checkpoint(place).head.weight.equal(model.head.weight)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    """What it points to is replaced."""
    (tmp_path / "real").mkdir()
    (tmp_path / "latest").symlink_to("real")
    with atomic_dir(tmp_path / "latest") as folder:
        (folder / "x").write_text("new")
    assert (tmp_path / "latest").is_symlink()
    assert (tmp_path / "real" / "x").read_text() == "new"


def test_a_half_written_folder_is_named_as_such(model: SpeechLM, tmp_path: Path) -> None:
    save_checkpoint(model, tmp_path / "a")
    (tmp_path / "a").rename(tmp_path / ".a.partial")
    with pytest.raises(CheckpointError, match=r"\.a\.partial is half written: a process died while saving it"):
        load_checkpoint(tmp_path / ".a.partial")


def test_a_folder_that_was_renamed_aside_is_read_there(model: SpeechLM, tmp_path: Path) -> None:
    """As a process leaves it that dies between the two renames."""
    save_checkpoint(model, tmp_path / "a")
    record = json.loads((tmp_path / "a" / "checkpoint.json").read_text())
    (tmp_path / "a").rename(tmp_path / ".a.previous")
    assert load_checkpoint(tmp_path / "a").head.weight.equal(model.head.weight)
    save_checkpoint(model, tmp_path / "a")
    assert json.loads((tmp_path / "a" / "checkpoint.json").read_text()) == record
    assert [p.name for p in tmp_path.iterdir()] == ["a"]
