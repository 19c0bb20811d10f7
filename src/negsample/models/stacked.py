"""Layers of several models as one: what each does to its own rows."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from negsample.models.sasrec import NORM_EPS


class Linears(nn.Module):
    """S linear layers: (S * N, D) to (S * N, D)."""

    def __init__(self, weight_SDD: nn.Parameter, bias_SD: nn.Parameter) -> None:
        super().__init__()
        self.weight, self.bias = weight_SDD, bias_SD

    def forward(self, states_ND: Tensor) -> Tensor:
        """See the class."""
        states_SND = states_ND.view(len(self.weight), -1, states_ND.shape[1])
        found: Tensor = _Products.apply(states_SND, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return found.flatten(0, 1)


class _Products(torch.autograd.Function):
    """(S, N, D) products with weights, whose gradient comes as the weights lie in memory: PyTorch's own would be copied
    for that."""

    @staticmethod
    def forward(ctx: Any, states_SND: Tensor, weight_SDD: Tensor, bias_SD: Tensor) -> Tensor:
        ctx.save_for_backward(states_SND, weight_SDD)
        return torch.baddbmm(bias_SD.unsqueeze(1), states_SND, weight_SDD.transpose(1, 2))

    @staticmethod
    def backward(ctx: Any, gradient_SND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        states, weight = (each.to(gradient_SND.dtype) for each in ctx.saved_tensors)
        of_weight, of_bias = torch.bmm(gradient_SND.transpose(1, 2), states), gradient_SND.sum(1)
        given, kept = (each.dtype for each in ctx.saved_tensors)  # wider than the gradient, in a narrow encoder
        return torch.bmm(gradient_SND, weight).to(given), of_weight.to(kept), of_bias.to(kept)


class Norms(nn.Module):
    """S layer norms: (S * N, D) to (S * N, D)."""

    def __init__(self, weight_SD: nn.Parameter, bias_SD: nn.Parameter) -> None:
        super().__init__()
        self.weight, self.bias = weight_SD, bias_SD

    def forward(self, states_ND: Tensor) -> Tensor:
        """See the class."""
        normal_ND = F.layer_norm(states_ND, states_ND.shape[1:], eps=NORM_EPS)
        normal_SND = normal_ND.view(len(self.weight), -1, states_ND.shape[1])
        found: Tensor = _Scaled.apply(normal_SND, self.weight, self.bias)  # type: ignore[no-untyped-call]
        return found.flatten(0, 1)


class _Scaled(torch.autograd.Function):
    """(S, N, D) values times weights, and biases, with half as many kernels in the gradient as ``torch.addcmul``."""

    @staticmethod
    def forward(ctx: Any, values_SND: Tensor, weight_SD: Tensor, bias_SD: Tensor) -> Tensor:
        ctx.save_for_backward(values_SND, weight_SD)
        return torch.addcmul(bias_SD.unsqueeze(1), values_SND, weight_SD.unsqueeze(1))

    @staticmethod
    def backward(ctx: Any, gradient_SND: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        values_SND, weight_SD = ctx.saved_tensors
        return gradient_SND * weight_SD.unsqueeze(1), (gradient_SND * values_SND).sum(1), gradient_SND.sum(1)
