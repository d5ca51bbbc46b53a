"""What peft, transformers, torch and onnx themselves make of files that weft wrote, for originals.python.test.ts.

usage: python3 originals.py FOLDER     reads FOLDER/jobs.json, writes FOLDER/answers.json and FOLDER/made
Needs torch, transformers, peft, onnx: pip install torch==2.13.0 transformers peft==0.21.0 onnx
"""
import json
import os
import sys

import onnx
import peft
import torch
import transformers
from collections import OrderedDict

HERE = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(HERE, "../../training/golden"))
from small_models import FAMILIES, Prng, listed, small_model  # noqa: E402


def logits(model, job):
    ids, mask = torch.tensor([job["ids"]]), torch.tensor([job["mask"]])
    with torch.no_grad():
        return listed(model.eval()(input_ids=ids, attention_mask=mask).logits)


def in_peft(job):
    model = peft.PeftModel.from_pretrained(small_model(job["family"]), job["folder"])
    return logits(model, job)


def merged(job):
    model_class = getattr(transformers, FAMILIES[job["family"]][0])
    model, report = model_class.from_pretrained(job["folder"], output_loading_info=True, attn_implementation="eager")
    loose = {key: sorted(map(str, names)) for key, names in report.items() if names}
    return dict(logits=logits(model, job), loose=loose, dtype=str(model.dtype))


def state_dict(job):
    state = torch.load(job["file"], weights_only=True)
    return dict(type=type(state).__name__, tensors={k: [str(t.dtype), list(t.shape), listed(t)] for k, t in state.items()})


def register_rms_norm():
    """onnxruntime has this operator in the default domain, and the checker does not know it: what it takes and gives."""
    schema = onnx.defs.OpSchema
    schema_of = dict(
        inputs=[schema.FormalParameter("X", "T"), schema.FormalParameter("scale", "T")],
        outputs=[schema.FormalParameter("Y", "T")],
        type_constraints=[("T", ["tensor(float)"], "float32")],
        attributes=[
            schema.Attribute("axis", onnx.helper.make_attribute("axis", -1), "from which on values are normalised"),
            schema.Attribute("epsilon", onnx.helper.make_attribute("epsilon", 1e-5), "added to the mean of squares"),
        ],
    )
    onnx.defs.register_schema(schema("SimplifiedLayerNormalization", "", 1, **schema_of))


def checked(job):
    """Throws what the checker says; full: shapes and types are inferred, strictly."""
    onnx.checker.check_model(job["file"], full_check=True)
    model = onnx.load(job["file"], load_external_data=False)
    return dict(operators=sorted({node.op_type for node in model.graph.node}))


def saved(folder):
    """State dicts as programs save them: of modules and of tensors that share, turn or cut a storage."""
    os.makedirs(folder, exist_ok=True)
    values = Prng(9).normals([6, 4])
    linear = torch.nn.Linear(4, 6)
    linear.weight.data = values.clone()
    linear.bias.data = values[:, 0].clone()
    states = dict(
        module=linear.state_dict(),
        pyreft=OrderedDict(weight=values.clone(), bias=values[:, 0].clone(), rotate_layer=values.T.contiguous()),
        parameters=dict(weight=torch.nn.Parameter(values.clone())),
        turned=dict(weight=values.T, cut=values[1:5, 1:3], row=values[2]),
        bfloat16=dict(weight=values.bfloat16(), half=values.half(), double=values.double()),
        counted=dict(weight=values, steps=torch.tensor(7), empty=torch.zeros(0, 4)),
    )
    for name, state in states.items():
        torch.save(state, os.path.join(folder, name + ".bin"))
    torch.save(linear, os.path.join(folder, "whole-module.bin"))
    torch.save(states["module"], os.path.join(folder, "old-form.bin"), _use_new_zipfile_serialization=False)
    return {name: {k: listed(t.float()) for k, t in state.items() if t.is_floating_point()} for name, state in states.items()}


if __name__ == "__main__":
    folder = sys.argv[1]
    jobs = json.load(open(os.path.join(folder, "jobs.json")))
    kinds = dict(peft=in_peft, merged=merged, state=state_dict, onnx=checked)
    answers = {}
    register_rms_norm()
    for name, job in jobs.items():
        try:
            answers[name] = kinds[job["kind"]](job)
        except Exception as error:
            answers[name] = f"{type(error).__name__}: {error}"
    answers["saved"] = saved(os.path.join(folder, "made"))
    json.dump(answers, open(os.path.join(folder, "answers.json"), "w"))
