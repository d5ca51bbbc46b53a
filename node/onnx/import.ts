/**
 * From the nodes of a file to graph objects. Nodes that no output needs are left out, constants are evaluated on the way,
 * and older and fused operators become those that weft computes. Every value ends with a static shape.
 */
import { NodeError } from "../errors.ts";
import type { Tensor } from "../tensor.ts";
import { DTYPE_BY_CODE, isFloat } from "./dtype.ts";
import { createFolder, type Folder } from "./fold.ts";
import { applyAll, constantData, constantValue, inputValue } from "./graph.ts";
import { loweringOf } from "./lower/index.ts";
import type { ImportedNode } from "./lower/lowering.ts";
import type { GraphProto, ModelProto, NodeProto, ValueInfoProto } from "./onnx_pb.ts";
import { describeNode } from "./shapes/rule.ts";
import { decodeAttribute, decodeInitializer } from "./tensor-proto.ts";
import type { Attributes, OnnxGraph, OnnxValue } from "./value.ts";

/** Sizes that a file leaves open. */
export interface DecodeOptions {
  /** Sizes of open dimensions, by their name in the model or as "input:axis" where they have none. */
  readonly dimensions?: Readonly<Record<string, number>>;
  /** Inputs that are given now instead of when the graph runs (an operand that decides a shape, say). */
  readonly constants?: Readonly<Record<string, Tensor>>;
  /** The outputs wanted; all when absent. What no wanted output needs is not read. */
  readonly outputs?: readonly string[];
}

/** Oldest and newest operator set that is read. */
const OPSET_MIN = 11;
const OPSET_MAX = 24;
/** Deepest branch within branches. */
const BRANCHES_MAX = 8;

const invalid = (text: string, cause?: unknown): NodeError =>
  new NodeError("ONNX_INVALID", text, {}, cause === undefined ? {} : { cause });

interface Reader {
  readonly versions: ReadonlyMap<string, number>;
  readonly folder: Folder;
}

/** Names that a graph sees: its own, then those of the graph around it. */
interface Scope {
  readonly values: Map<string, OnnxValue | undefined>;
  readonly around: Scope | undefined;
}

/** Read a parsed model.  Throws: ONNX_INVALID with what is wrong and where. */
export function importModel(model: ModelProto, options: DecodeOptions): OnnxGraph {
  const { graph } = model;
  if (!graph) throw invalid("the ONNX model holds no graph");
  const reader: Reader = { versions: operatorSets(model), folder: createFolder() };
  const scope: Scope = { values: new Map(), around: undefined };
  for (const tensor of graph.initializer) define(scope, tensor.name, decodeInitializer(tensor));
  const initialized = new Set(scope.values.keys());
  const inputs: OnnxValue[] = [];
  for (const info of graph.input) {
    if (initialized.has(info.name)) continue;
    const given = options.constants && Object.hasOwn(options.constants, info.name);
    const value = given ? constantValue(options.constants[info.name]!) : decodeInput(info, options.dimensions ?? {});
    if (!given) inputs.push(value);
    define(scope, info.name, value);
  }
  const wanted = options.outputs ?? graph.output.map((info) => info.name);
  for (const name of wanted) {
    if (!graph.output.some((info) => info.name === name)) throw invalid(`the model has no output ${name}`);
  }
  importNodes(graph, wanted, scope, reader, 0);
  return { inputs, outputs: Object.fromEntries(wanted.map((name) => [name, lookUp(scope, name, `output ${name}`)])) };
}

function operatorSets(model: ModelProto): ReadonlyMap<string, number> {
  const versions = new Map(model.opsetImport.map(({ domain, version }) => [standard(domain), Number(version)]));
  const version = versions.get("");
  if (version !== undefined && !(version >= OPSET_MIN && version <= OPSET_MAX)) {
    throw invalid(`the model is of operator set ${version}; ${OPSET_MIN} to ${OPSET_MAX} are read: convert it`);
  }
  return versions;
}

const standard = (domain: string): string => (domain === "ai.onnx" ? "" : domain);

function define(scope: Scope, name: string, value: OnnxValue | undefined): void {
  if (scope.values.has(name)) throw invalid(`two things in the model are called ${name}`);
  scope.values.set(name, value);
}

function lookUp(scope: Scope, name: string, reader: string): OnnxValue {
  for (let at: Scope | undefined = scope; at; at = at.around) {
    if (!at.values.has(name)) continue;
    const value = at.values.get(name);
    if (!value) throw invalid(`${reader} reads ${name}, which this operator gives only in training`);
    return value;
  }
  throw invalid(`${reader} reads ${name}, which nothing before it makes`);
}

function importNodes(graph: GraphProto, wanted: readonly string[], scope: Scope, reader: Reader, depth: number): void {
  const needed = neededNodes(graph, wanted);
  for (const node of graph.node) {
    if (!needed.has(node)) continue;
    const outputs = importNode(node, scope, reader, depth);
    for (const [i, name] of node.output.entries()) if (name !== "") define(scope, name, outputs[i]);
  }
}

/** Nodes on the way to the wanted names. */
function neededNodes(graph: GraphProto, wanted: readonly string[]): ReadonlySet<NodeProto> {
  const makers = new Map<string, NodeProto>();
  for (const node of graph.node) for (const name of node.output) makers.set(name, node);
  const needed = new Set<NodeProto>();
  const open = [...wanted];
  for (let name = open.pop(); name !== undefined; name = open.pop()) {
    const node = makers.get(name);
    if (!node || needed.has(node)) continue;
    needed.add(node);
    for (const read of namesRead(node)) open.push(read);
  }
  return needed;
}

/** Names that a node reads, those inside its branches included. */
function namesRead(node: NodeProto): readonly string[] {
  const branches = node.attribute.flatMap((attribute) => (attribute.g ? [attribute.g] : []));
  const inner = branches.flatMap((graph) => [
    ...graph.node.flatMap(namesRead),
    ...graph.output.map((info) => info.name),
  ]);
  return [...node.input, ...inner];
}

function importNode(node: NodeProto, scope: Scope, reader: Reader, depth: number): readonly (OnnxValue | undefined)[] {
  const domain = standard(node.domain);
  const label = node.name;
  const place = `${node.opType}${label ? ` at ${label}` : ""}`;
  if (domain !== "" && domain !== "com.microsoft") throw invalid(`${place}: the domain ${domain} is not supported`);
  const inputs = node.input.map((name) => (name === "" ? undefined : lookUp(scope, name, place)));
  if (node.opType === "If" && domain === "") return branch(node, inputs[0], scope, reader, depth);
  const attributes = Object.fromEntries(node.attribute.map((a) => [a.name, decodeAttribute(node.opType, a)]));
  const version = reader.versions.get(domain) ?? (domain === "" ? undefined : 1);
  if (version === undefined) throw invalid(`${place}: the model imports no version of the standard operator set`);
  const imported = { op: node.opType, domain, version, inputs, attributes, label, outputs: node.output.length };
  try {
    return make(imported, reader.folder);
  } catch (error) {
    if (error instanceof NodeError && error.code === "ONNX_INVALID" && !error.message.includes(place)) {
      throw invalid(`${describeNode(imported)}: ${error.message}`, error);
    }
    if (error instanceof RangeError) throw invalid(`${describeNode(imported)}: ${error.message}`, error);
    throw error;
  }
}

function make(node: ImportedNode, folder: Folder): readonly (OnnxValue | undefined)[] {
  if (node.op === "Constant" && node.domain === "") return [constantValue(constantOf(node.attributes))];
  const folded = node.domain === "" ? folder.fold(node) : undefined;
  if (folded && !(folded.fromWeight && folded.tensors.some(({ dtype }) => isFloat(dtype)))) {
    return folded.tensors.map((tensor) => constantValue(tensor));
  }
  const outputs = loweringOf(node)?.(node) ?? asItStands(node);
  for (const [i, tensor] of (folded?.tensors ?? []).entries()) {
    const value = outputs[i];
    if (value && value.source.kind === "node") folder.remember(value, tensor);
  }
  return outputs;
}

function asItStands(node: ImportedNode): readonly OnnxValue[] {
  if (node.domain !== "") throw new RangeError(`this operator of ${node.domain} is not supported`);
  return applyAll(node.op, node.inputs, { ...node, outputs: node.outputs });
}

/** The tensor of a Constant node, in whichever of its forms. */
function constantOf(attributes: Attributes): Tensor {
  const find = (name: string) => attributes[name];
  const [value, int, ints, float, floats] = ["value", "value_int", "value_ints", "value_float", "value_floats"].map(
    find,
  );
  if (value && "tensor" in value) return value.tensor;
  if (int && "int" in int) return { dtype: "int64", shape: [], data: BigInt64Array.of(BigInt(int.int)) };
  if (ints && "ints" in ints) {
    return { dtype: "int64", shape: [ints.ints.length], data: BigInt64Array.from(ints.ints, BigInt) };
  }
  if (float && "float" in float) return { dtype: "float32", shape: [], data: Float32Array.of(float.float) };
  if (floats && "floats" in floats) {
    return { dtype: "float32", shape: [floats.floats.length], data: Float32Array.from(floats.floats) };
  }
  throw new RangeError("it holds no tensor");
}

/** An If whose condition is known is the branch that it takes (exports of Squeeze look like that). */
function branch(
  node: NodeProto,
  condition: OnnxValue | undefined,
  scope: Scope,
  reader: Reader,
  depth: number,
): readonly (OnnxValue | undefined)[] {
  const [taken] = constantData(condition) ?? [];
  if (taken === undefined) throw invalid(`If at ${node.name}: the condition is not known while building`);
  const name = Number(taken) === 0 ? "else_branch" : "then_branch";
  const graph = node.attribute.find((attribute) => attribute.name === name)?.g;
  if (!graph || depth >= BRANCHES_MAX) throw invalid(`If at ${node.name}: it has no ${name}, or lies too deep`);
  const inner: Scope = { values: new Map(), around: scope };
  for (const tensor of graph.initializer) define(inner, tensor.name, decodeInitializer(tensor));
  const wanted = graph.output.map((info) => info.name);
  importNodes(graph, wanted, inner, reader, depth + 1);
  return wanted.map((output) => lookUp(inner, output, `If at ${node.name}`));
}

function decodeInput(info: ValueInfoProto, dimensions: Readonly<Record<string, number>>): OnnxValue {
  const type = info.type?.value;
  const dtype = type?.case === "tensorType" ? DTYPE_BY_CODE[type.value.elemType] : undefined;
  if (type?.case !== "tensorType" || !dtype) {
    throw invalid(`input ${info.name} is not a tensor of a supported data type`);
  }
  if (!type.value.shape) throw invalid(`input ${info.name} has no shape`);
  const shape = type.value.shape.dim.map(({ value }, axis) => {
    const size = value.case === "dimValue" ? Number(value.value) : -1;
    const names = [`${info.name}:${axis}`, ...(value.case === "dimParam" ? [value.value] : [])];
    const name = names.find((key) => Object.hasOwn(dimensions, key));
    if (size >= 0) {
      if (name === undefined || dimensions[name] === size) return size;
      throw invalid(`input ${info.name}: dimension "${name}" is ${size} in the file, not ${dimensions[name]}`);
    }
    if (name !== undefined) return dimensions[name]!;
    throw invalid(`input ${info.name}: dimension ${names.map((key) => `"${key}"`).join(" or ")} has no size; give one`);
  });
  if (shape.length > 32 || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw invalid(`input ${info.name} has the shape [${shape.slice(0, 32)}]`);
  }
  return inputValue(info.name, dtype, shape);
}
