"""One token at a time for K answers to each prompt, with what they share held and read once.

transformers' own cache holds the prompt once per answer and is reallocated with each token. `Decoder` holds the keys
and values of a prompt once: the queries of all its answers are multiplied with them in one product, and only the
answers' own tokens are kept per answer. To do so it calls the norms, projections and activations of the text tower
itself, in the order of transformers' `Qwen2_5OmniDecoderLayer`; the tests check it against transformers' own pass.

Answers are kept in a grid of P prompts by K cells. An answer that has ended is no longer computed; its cell is freed
when a quarter of the grid is empty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import Any

import torch
from torch import Tensor, nn
from transformers import Cache

from policy.errors import OptionError
from speechlm import SpeechLM

ROOM = 64  # tokens by which the answers' keys and values grow
EMPTY = 0.25  # share of empty cells at which the grid is compacted
FEWEST, MOST = 4, 63  # rows for which a CPU multiplies weights by rows faster than rows by weights (measured)

Projection = Callable[[Tensor], Tensor]


@dataclass(frozen=True, slots=True)
class _Layer:
    """One decoder layer, with the keys and values `[P, H, prompt, D]` of its prompts and of its answers.

    The answers' are `[P, H, K, room, D]`, of which as many tokens are filled as there were steps.
    """

    norms: tuple[nn.Module, nn.Module]
    qkv: tuple[Projection, Projection, Projection]
    out: Projection
    mlp: tuple[Projection, Projection, Projection]
    activation: nn.Module
    scaling: float
    shared: tuple[Tensor, Tensor]
    own: tuple[Tensor, Tensor]


class Decoder:
    """The text tower after `prefix`, the cache of P left-padded prompts, for `k` answers to each.

    `prompt_mask` int64[P, T] is 1 on real tokens; `limit` is how many tokens an answer may have. Row p·k + j is answer
    j to prompt p, until `keep` takes rows away. Raises `OptionError` where a layer's sliding window is shorter than
    prompt and answer: only full attention is computed here.
    """

    def __init__(self, model: SpeechLM, prefix: Cache, prompt_mask: Tensor, *, k: int, limit: int) -> None:
        tower: Any = model.text_tower
        _check_windows(tower, prompt_mask.shape[1] + limit)
        self._embed, self._norm, self._head = model.embed_tokens, tower.norm, _projection(model.head)
        self._layers = [_layer(m, kv, k) for m, kv in zip(tower.layers, prefix.layers, strict=True)]
        self._steps = 0
        self._cells = (len(prompt_mask), k)
        self._place = torch.arange(len(prompt_mask) * k, device=prompt_mask.device)  # the cell of each row
        self._padding = None if bool(prompt_mask.all()) else (prompt_mask == 0)[:, None, None, None]
        positions = prompt_mask.sum(-1, keepdim=True) + torch.arange(limit, device=prompt_mask.device)
        cos, sin = tower.rotary_emb(self._layers[0].shared[0], positions.expand(3, *positions.shape))
        half = sin.shape[-1] // 2
        self._rotation = cos, torch.cat([-sin[..., :half], sin[..., half:]], dim=-1)  # [P, limit, D]

    def step(self, tokens: Tensor) -> Tensor:
        """Append `tokens[N]`, one to each row, and return the scores `[N, V]` of what follows them."""
        if self._steps == self._layers[0].own[0].shape[3]:
            self._layers = [replace(layer, own=_grow(layer.own)) for layer in self._layers]
        cos, sin = (part[self._place // self._cells[1], self._steps][:, None] for part in self._rotation)
        x = self._embed(tokens).t().contiguous().t()  # the layout in which `_matmul_transposed` leaves its results
        for layer in self._layers:
            y = layer.norms[0](x)
            qkv = torch.cat([project(y) for project in layer.qkv], dim=-1)
            x = x + layer.out(self._attend(layer, qkv.view(len(qkv), -1, cos.shape[-1]), cos, sin))
            gate, up, down = layer.mlp
            y = layer.norms[1](x)
            x = x + down(layer.activation(gate(y)) * up(y))
        self._steps += 1
        return self._head(self._norm(x))

    def keep(self, rows: Tensor) -> None:
        """Go on with these rows only, `int64[n]` ascending; there must be one."""
        self._place = self._place[rows]
        prompts, used = torch.unique(self._place // self._cells[1], return_counts=True)
        cells = len(prompts), int(used.max())
        if cells[0] * cells[1] <= (1 - EMPTY) * self._cells[0] * self._cells[1]:
            self._compact(prompts, used, cells)

    def _compact(self, prompts: Tensor, used: Tensor, cells: tuple[int, int]) -> None:
        """Keep these prompts, of each as many answers as `used` says, in a grid of `cells`."""
        rank = torch.arange(cells[1], device=used.device)
        row = (used.cumsum(0) - used)[:, None] + rank
        old = self._place[row.clamp(max=len(self._place) - 1)] % self._cells[1]  # any cell where there is no row
        self._place = (torch.arange(cells[0], device=used.device)[:, None] * cells[1] + rank)[rank < used[:, None]]
        self._layers = [_moved(layer, prompts, old) for layer in self._layers]
        self._rotation = self._rotation[0][prompts], self._rotation[1][prompts]
        self._padding = None if self._padding is None else self._padding[prompts]
        self._cells = cells

    def _attend(self, layer: _Layer, qkv: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        """Attention `[N, heads·D]` of one token per row, whose queries, keys and values are `qkv[N, heads + 2H, D]`."""
        prompts, k = self._cells
        groups, width = layer.own[0].shape[1], qkv.shape[-1]
        heads = qkv.shape[1] - 2 * groups
        rotated = qkv[:, :-groups]
        rotated = torch.addcmul(rotated * cos, rotated.roll(width // 2, -1), sin)
        query, key, value = rotated[:, :heads] * layer.scaling, rotated[:, heads:], qkv[:, -groups:]
        for cache, new in zip(layer.own, (key, value), strict=True):
            cache[:, :, :, self._steps] = self._to_grid(new).transpose(1, 2)
        query = self._to_grid(query).view(prompts, k, groups, -1, width).transpose(1, 2).flatten(2, 3)  # [P, H, K·G, D]
        own_keys, own_values = (part[:, :, :, : self._steps + 1] for part in layer.own)
        shared_keys, shared_values = layer.shared
        # Scores of the shared and of the own tokens come from two products, but one softmax must span both.
        own = query.view(prompts, groups, k, -1, width) @ own_keys.transpose(-1, -2)  # [P, H, K, G, steps]
        shared = (query @ shared_keys.transpose(-1, -2)).view(*own.shape[:-1], -1)
        if self._padding is not None:
            shared = shared.masked_fill_(self._padding, torch.finfo(shared.dtype).min)
        scores = torch.cat([shared, own], dim=-1)
        weights = scores.softmax(-1, dtype=torch.promote_types(scores.dtype, torch.float32)).to(value.dtype)
        of_prompt, of_answer = weights[..., : shared.shape[-1]], weights[..., shared.shape[-1] :]
        result = (of_prompt.flatten(2, 3) @ shared_values).view(prompts, groups, k, -1, width) + of_answer @ own_values
        rows: Tensor = result.transpose(1, 2).reshape(prompts * k, heads * width)
        return rows if len(rows) == len(qkv) else rows[self._place]

    def _to_grid(self, rows: Tensor) -> Tensor:
        """`rows[N, …]` as `[P, K, …]`, zero in empty cells."""
        prompts, k = self._cells
        if len(rows) < prompts * k:
            rows = rows.new_zeros(prompts * k, *rows.shape[1:]).index_copy_(0, self._place, rows)
        return rows.reshape(prompts, k, *rows.shape[1:])


def _layer(module: Any, prefix: Any, k: int) -> _Layer:
    attention, mlp = module.self_attn, module.mlp
    prompts, groups, _, width = prefix.keys.shape
    return _Layer(
        norms=(module.input_layernorm, module.post_attention_layernorm),
        qkv=(_projection(attention.q_proj), _projection(attention.k_proj), _projection(attention.v_proj)),
        out=_projection(attention.o_proj),
        mlp=(_projection(mlp.gate_proj), _projection(mlp.up_proj), _projection(mlp.down_proj)),
        activation=mlp.act_fn,
        scaling=attention.scaling,
        shared=(prefix.keys, prefix.values),
        own=(prefix.keys.new_empty(prompts, groups, k, 0, width), prefix.keys.new_empty(prompts, groups, k, 0, width)),
    )


def _grow(own: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
    keys, values = (nn.functional.pad(part, (0, 0, 0, ROOM)) for part in own)
    return keys, values


def _moved(layer: _Layer, prompts: Tensor, cells: Tensor) -> _Layer:
    """The layer with these prompts, and of each the answers in `cells[prompts, K]`."""
    own_keys, own_values = (
        part.transpose(1, 2)[prompts[:, None], cells].transpose(1, 2).contiguous() for part in layer.own
    )
    shared = layer.shared
    if len(prompts) < len(shared[0]):
        shared = shared[0][prompts], shared[1][prompts]
    return replace(layer, shared=shared, own=(own_keys, own_values))


def _projection(module: nn.Module) -> Projection:
    """How `module` is called: as it is, or where it is a linear map and nothing else by `_matmul_transposed`."""
    hooked = module._forward_hooks or module._forward_pre_hooks  # noqa: SLF001 - what calling its weight would pass by
    if type(module) is nn.Linear and module.weight.device.type == "cpu" and not hooked:
        return partial(_matmul_transposed, module)
    return module


def _matmul_transposed(linear: nn.Linear, x: Tensor) -> Tensor:
    """`linear(x)` for `x[N, in]`; a few rows are multiplied from the right, so the result is stored by column."""
    if not FEWEST <= len(x) <= MOST:
        by_rows: Tensor = linear(x)
        return by_rows
    if linear.bias is None:
        return (linear.weight @ x.t()).t()
    return torch.addmm(linear.bias[:, None], linear.weight, x.t()).t()


def _check_windows(tower: Any, tokens: int) -> None:
    windows = [getattr(layer.self_attn, "sliding_window", None) for layer in tower.layers]
    shortest = min((w for w in windows if w is not None), default=tokens)
    if shortest < tokens:
        raise OptionError(
            f"prompt and answer may have {tokens} tokens, but a layer attends to {shortest} only: cut the clip or "
            "lower max_new_tokens"
        )
