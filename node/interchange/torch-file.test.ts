import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { NodeError } from "../errors.ts";
import { crc32 } from "./crc32.ts";
import { writeStoredZip } from "./stored-zip.ts";
import { readTorchFile, type StateTensor, writeTorchFile } from "./torch-file.ts";

const hasPython = spawnSync("python3", ["-c", "import zipfile, pickle"]).status === 0;
const tensor = (name: string, shape: number[], values: number[]): StateTensor => ({
  name,
  shape,
  data: Float32Array.from(values),
});
const STATE = [
  tensor("weight", [2, 3], [1, 2, 3, 4, 5, -6.5]),
  tensor("bias", [2], [0.25, -0]),
  tensor("rotate_layer", [3, 2], [9, 8, 7, 6, 5, 4]),
];

/** Opens what we write with Python's own zip and pickle modules, and notes every name and storage that is asked for. */
const PYTHON_READER = `
import io, json, pickle, struct, sys, zipfile
from collections import OrderedDict
z = zipfile.ZipFile(sys.argv[1])
assert z.testzip() is None and all(i.compress_type == 0 for i in z.infolist())
folder = z.namelist()[0].split("/")[0]
names = []
def rebuild(storage, offset, size, stride, grad, hooks):
    return dict(values=storage, offset=offset, size=list(size), stride=list(stride), grad=grad, hooks=list(hooks))
class Restricted(pickle.Unpickler):
    def find_class(self, module, name):
        names.append(module + "." + name)
        return {"collections.OrderedDict": OrderedDict, "torch.FloatStorage": "float",
                "torch._utils._rebuild_tensor_v2": rebuild}[names[-1]]
    def persistent_load(self, pid):
        kind, storage, key, place, count = pid
        assert (kind, storage, place) == ("storage", "float", "cpu")
        return list(struct.unpack("<%df" % count, z.read(folder + "/data/" + key)))
state = Restricted(io.BytesIO(z.read(folder + "/data.pkl"))).load()
offsets = [i.header_offset + 30 + len(i.filename) + struct.unpack("<H", open(sys.argv[1], "rb").read()[i.header_offset + 28:i.header_offset + 30])[0] for i in z.infolist()]
print(json.dumps(dict(state=list(state.items()), names=sorted(set(names)), offsets=offsets,
    byteorder=z.read(folder + "/byteorder").decode(), version=z.read(folder + "/version").decode())))
`;

/** Writes as torch.save does, with stand-ins for torch's own classes: another writer than ours. */
const PYTHON_WRITER = `
import io, pickle, struct, sys, types, zipfile
from collections import OrderedDict
torch, utils = types.ModuleType("torch"), types.ModuleType("torch._utils")
for name in ("FloatStorage", "DoubleStorage", "BFloat16Storage", "LongStorage"):
    setattr(torch, name, type(name, (), dict(__module__="torch")))
def _rebuild_tensor_v2(): pass
_rebuild_tensor_v2.__module__ = "torch._utils"; utils._rebuild_tensor_v2 = _rebuild_tensor_v2
sys.modules["torch"], sys.modules["torch._utils"] = torch, utils
files = []
class Storage:
    def __init__(self, kind, form, values):
        self.pid = ("storage", getattr(torch, kind), str(len(files)), "cuda:0", len(values))
        files.append(struct.pack("<%d%s" % (len(values), form), *values))
class Tensor:
    def __init__(self, storage, offset, size, stride): self.args = (storage, offset, size, stride, False, OrderedDict())
    def __reduce__(self): return (_rebuild_tensor_v2, self.args)
class Pickler(pickle.Pickler):
    def persistent_id(self, o): return o.pid if isinstance(o, Storage) else None
class State(OrderedDict): pass
shared = Storage("FloatStorage", "f", [1, 2, 3, 4, 5, 6])
state = OrderedDict()
state["embed_dim"] = Tensor(Storage("LongStorage", "q", [64]), 0, (), ())
state["straight"] = Tensor(shared, 0, (2, 3), (3, 1))
state["turned"] = Tensor(shared, 0, (3, 2), (1, 3))
state["tail"] = Tensor(shared, 4, (2,), (1,))
state["double"] = Tensor(Storage("DoubleStorage", "d", [0.5, -2.0]), 0, (2,), (1,))
state["brain"] = Tensor(Storage("BFloat16Storage", "H", [0x3F80, 0xC040]), 0, (1, 2), (2, 1))
state._metadata = OrderedDict([("", dict(version=1))])
data = io.BytesIO(); Pickler(data, protocol=2).dump(state)
with zipfile.ZipFile(sys.argv[1], "w") as z:
    z.writestr("some/data.pkl", data.getvalue()); z.writestr("some/byteorder", "little")
    for i, f in enumerate(files): z.writestr("some/data/%d" % i, f)
    z.writestr("some/version", "3\\n")
`;

let folder: string;
beforeAll(() => {
  folder = mkdtempSync(join(tmpdir(), "weft-torch-"));
});
afterAll(() => rmSync(folder, { recursive: true, force: true }));

function python(script: string, file: string): string {
  const { status, stdout, stderr } = spawnSync("python3", ["-c", script, file], { encoding: "utf8" });
  expect(stderr).toBe("");
  expect(status).toBe(0);
  return stdout;
}

/** A file with a pickle of our choice. */
const withPickle = (...parts: (string | number[])[]): Uint8Array => {
  const pickle = parts.flatMap((part) => (typeof part === "string" ? [...new TextEncoder().encode(part)] : part));
  return writeStoredZip(
    new Map([
      ["a/data.pkl", Uint8Array.from(pickle)],
      ["a/data/0", new Uint8Array(8)],
    ]),
  );
};

const refusal = (text: string) =>
  expect.objectContaining({ code: "TORCH_FILE_INVALID", message: expect.stringContaining(text) });

describe("torch files", () => {
  it("has the checksum of the standard", () => {
    expect(crc32(new TextEncoder().encode("123456789"))).toBe(0xcbf43926);
  });

  it("reads back what it wrote", () => {
    expect(readTorchFile(writeTorchFile(STATE), "x.bin")).toEqual(STATE);
  });

  it.skipIf(!hasPython)("is read by Python's zipfile and pickle, naming three things only", () => {
    const file = join(folder, "ours.bin");
    writeFileSync(file, writeTorchFile(STATE));
    const { state, names, offsets, byteorder, version } = JSON.parse(python(PYTHON_READER, file));
    expect(names).toEqual(["collections.OrderedDict", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2"]);
    expect({ byteorder, version }).toEqual({ byteorder: "little", version: "3\n" });
    expect(offsets.map((offset: number) => offset % 64)).toEqual(offsets.map(() => 0));
    expect(state).toEqual(
      STATE.map(({ name, shape, data }) => [
        name,
        {
          values: [...data],
          offset: 0,
          size: shape,
          stride: shape.length === 2 ? [shape[1], 1] : [1],
          grad: false,
          hooks: [],
        },
      ]),
    );
  });

  it.skipIf(!hasPython)("reads what Python's pickler wrote: shared storages, strides, other types, attributes", () => {
    const file = join(folder, "theirs.bin");
    python(PYTHON_WRITER, file);
    expect(readTorchFile(readFileSync(file), "theirs.bin")).toEqual([
      tensor("straight", [2, 3], [1, 2, 3, 4, 5, 6]),
      tensor("turned", [3, 2], [1, 4, 2, 5, 3, 6]),
      tensor("tail", [2], [5, 6]),
      tensor("double", [2], [0.5, -2]),
      tensor("brain", [1, 2], [1, -3]),
    ]);
  });

  it.each<[string, Uint8Array, string]>([
    ["a call of a system function", withPickle("cos\nsystem\n(X", [2, 0, 0, 0], "lstR."), "names os.system"],
    ["an import of builtins", withPickle("cbuiltins\neval\n."), "names builtins.eval"],
    ["a class of torch that runs code", withPickle("ctorch.nn\nModule\n)R."), "names torch.nn.Module"],
    ["the opcode INST", withPickle("(ios\nsystem\n."), "opcode 0x69"],
    ["the opcode NEWOBJ", withPickle("ccollections\nOrderedDict\n)", [0x81], "."), "opcode 0x81"],
    ["the opcode STACK_GLOBAL", withPickle([0x80, 4, 0x93, 0x2e]), "opcode 0x93"],
    ["a call with arguments", withPickle("ccollections\nOrderedDict\n(K", [1], "tR."), "a call of collections"],
    ["attributes on a tensor", withPickle("K", [1], "}b."), "attributes"],
    ["a tensor of no storage", withPickle("}X", [1, 0, 0, 0], "aK", [1], "s."), "no tensor"],
    ["an empty pickle", withPickle(), "truncated"],
    ["a number at the top", withPickle("K", [1], "."), "holds no dict"],
    ["the old form", Uint8Array.of(0x80, 2, 0x8a), "PyTorch 1.5"],
    ["no zip file", new Uint8Array(100), "not a zip file"],
    ["a zip file of something else", writeStoredZip(new Map([["a.txt", new Uint8Array(3)]])), "data.pkl"],
  ])("refuses %s", (_, bytes, text) => {
    expect(() => readTorchFile(bytes, "bad.bin")).toThrow(refusal(text));
  });

  it("refuses a tensor that reaches beyond its storage, and one that claims more than the file has", () => {
    const small = writeTorchFile([tensor("a", [2], [1, 2])]);
    // The size (2,) stands as J 2 0 0 0 behind the offset; a view of a repeated value would be (2^30,) with stride 0.
    const at = small.findIndex((_, i) =>
      [0x28, 0x4a, 2, 0, 0, 0, 0x74, 0x28].every((byte, k) => small[i + k] === byte),
    );
    const longer = repaired(small, [[at + 2, 3]]);
    expect(() => readTorchFile(longer, "x")).toThrow(refusal("beyond its storage"));
    const repeated = repaired(small, [
      [at + 5, 0x40],
      [at + 9, 0],
    ]);
    expect(() => readTorchFile(repeated, "x")).toThrow(refusal("more values than the file has bytes"));
  });

  it("answers damaged files with its own error and nothing else", () => {
    const whole = writeTorchFile(STATE);
    const edit = fc.tuple(fc.nat(whole.length - 1), fc.nat(255));
    fc.assert(
      fc.property(
        fc.array(edit, { minLength: 1, maxLength: 6 }),
        fc.nat(whole.length),
        fc.boolean(),
        (edits, cut, heal) => {
          const bytes = heal ? repaired(whole, edits) : damaged(whole, edits).subarray(0, cut);
          try {
            const total = readTorchFile(bytes, "x").reduce((sum, { data }) => sum + data.length, 0);
            expect(total).toBeLessThanOrEqual(bytes.length);
          } catch (error) {
            expect(error).toBeInstanceOf(NodeError);
            expect((error as NodeError).code).toBe("TORCH_FILE_INVALID");
          }
        },
      ),
      { numRuns: 2000 },
    );
  });
});

function damaged(bytes: Uint8Array, edits: readonly (readonly [number, number])[]): Uint8Array {
  const copy = bytes.slice();
  for (const [at, value] of edits) copy[at] = value;
  return copy;
}

/** Damaged, with the checksums of the entries made right again, so that the pickle itself is reached. */
function repaired(bytes: Uint8Array, edits: readonly (readonly [number, number])[]): Uint8Array {
  const copy = damaged(bytes, edits);
  const view = new DataView(copy.buffer);
  for (let at = 0; at + 46 <= copy.length; at++) {
    if (view.getUint32(at, true) !== 0x02014b50) continue;
    const local = view.getUint32(at + 42, true);
    if (local + 30 > copy.length) continue;
    const begin = local + 30 + view.getUint16(local + 26, true) + view.getUint16(local + 28, true);
    view.setUint32(at + 16, crc32(copy.subarray(begin, begin + view.getUint32(at + 20, true))), true);
  }
  return copy;
}
