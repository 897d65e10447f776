"""Times the stages of the reference implementation (reference.py) on the demo model, forward passes and Gram products apart.

    python reference_stages.py REFERENCE_DIR MODEL_DIR CALIBRATION EVAL RECIPE WINDOWS THREADS

RECIPE is JSON: {"sparsity": 0.7, "quant": null | {"bits": 4, "group": 128, "sym": true}, "admm": true}; with `admm` it prunes by admm.py's solver. Prints one JSON object: seconds by stage and the perplexities. The reference itself is not changed: its `Opt.block` is wrapped in a clock.
"""
import json
import sys
import time

reference_dir, model_dir, calibration, evaluation, recipe, windows, threads = sys.argv[1:]
recipe = json.loads(recipe)
sys.path.insert(0, reference_dir)
import torch  # noqa: E402
import admm  # noqa: E402
import reference  # noqa: E402
from safetensors.torch import load_file  # noqa: E402

torch.set_num_threads(int(threads))
torch.set_grad_enabled(False)
clock = {"forward": 0.0}
plain_block = reference.Opt.block


def timed_block(self, *args, **kwargs):
    start = time.perf_counter()
    out = plain_block(self, *args, **kwargs)
    clock["forward"] += time.perf_counter() - start
    return out


reference.Opt.block = timed_block


def solved(weight, gram, sparsity, nm, quant):
    return admm.solve(weight, gram, sparsity, nm, recipe.get("percdamp", 0.01))[0]


if recipe.get("admm"):
    # `compress` sweeps with what `factor` gives it: here that is the Gram matrix itself.
    reference.factor = lambda gram, percdamp: (gram,)
    reference.sweep = solved
model = reference.Opt(model_dir)
calib, ev = load_file(calibration)["tokens"], load_file(evaluation)["tokens"]
names = [model.layer(b, p) for b in range(model.blocks) for p in reference.PROJ]
start = model.embed(calib)

t = time.perf_counter()
dense, _ = reference.perplexity(model, ev, int(windows))
evaluate = time.perf_counter() - t

clock["forward"] = 0.0
took = reference.compress(model, start, {name: recipe["sparsity"] for name in names}, recipe)
inside_grams = clock["forward"] - took["propagate"]
compressed, _ = reference.perplexity(model, ev, int(windows))
print(json.dumps({
    "seconds": {
        "evaluate": evaluate,
        "forward": inside_grams,
        "gram": took["gram"] - inside_grams,
        "factor": took["factor"],
        "solve": took["solve"],
        "propagate": took["propagate"],
    },
    "dense": dense,
    "compressed": compressed,
    "threads": torch.get_num_threads(),
    "torch": torch.__version__,
}))
