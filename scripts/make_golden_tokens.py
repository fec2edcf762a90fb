"""Golden values of procedures as learned tokens (TokMem): the tiny llama of make_golden_train.py with six rows beside its
embeddings, of which the first two stay as they are; their loss, gradients and ten AdamW steps, by torch and transformers.

    python scripts/make_golden_tokens.py Tests/MnemeTrainTests/Golden

Ids from 101 on are the rows. Both what goes into the model and its tied output matrix have them.
"""
import sys

import torch
from golden_training import loss_of, ten_steps, tiny_llama

out = sys.argv[1]
torch.manual_seed(13)
torch.set_num_threads(1)
model = tiny_llama(out)
for p in model.parameters():
    p.requires_grad = False
table = model.get_input_embeddings().weight
earlier = 0.15 * torch.randn(2, table.shape[1])
rows = torch.nn.Parameter(0.15 * torch.randn(4, table.shape[1]))


def logits(ids):
    whole = torch.cat([table, earlier, rows])
    states = model.model(inputs_embeds=whole[ids]).last_hidden_state
    return states @ whole.T


def some(count):
    return [int(t) for t in torch.randint(0, 101, (count,))]


# One procedure, two of them in one answer, and the one that stays.
sequences = [(some(9) + [103, 104] + some(14), 9), (some(7) + [105, 106] + some(5) + [103, 104] + some(6), 7),
             (some(11) + [101, 102] + some(8), 11)]
ten_steps(
    [rows], lambda: loss_of(logits, sequences), lambda of: {"earlier": earlier.clone(), "rows": of(rows).detach().clone()},
    f"{out}/tokens", sequences)
