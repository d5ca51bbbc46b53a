/** Models as other exporters write them: any operator set, any domain, made from plain rows. For tests. */
import { create, toBinary } from "@bufbuild/protobuf";
import { createPrng } from "../../protocol/prng.ts";
import type { Dtype, Tensor } from "../tensor.ts";
import { float32, sizeOf } from "../tensor.ts";
import { CODE_BY_DTYPE } from "./dtype.ts";
import type { AttributeProto, GraphProto } from "./onnx_pb.ts";
import {
  AttributeProtoSchema,
  GraphProtoSchema,
  ModelProtoSchema,
  NodeProtoSchema,
  OperatorSetIdProtoSchema,
  TensorProtoSchema,
  TensorShapeProto_DimensionSchema,
  TensorShapeProtoSchema,
  TypeProto_TensorSchema,
  TypeProtoSchema,
  ValueInfoProtoSchema,
} from "./onnx_pb.ts";

/** A float is written { float }, a graph { graph }; integers, text, lists of integers and tensors as they are. */
export type RawAttribute =
  | number
  | string
  | readonly number[]
  | Tensor
  | { readonly float: number }
  | { readonly floats: readonly number[] }
  | { readonly graph: RawGraph };

export interface RawNode {
  readonly op: string;
  readonly domain?: string;
  readonly name?: string;
  readonly inputs: readonly string[];
  readonly outputs: readonly string[];
  readonly attributes?: Readonly<Record<string, RawAttribute>>;
}

export interface RawInput {
  readonly dtype?: Dtype;
  /** A dimension with a name is open; an empty name is one without a name. */
  readonly shape: readonly (number | string)[];
}

export interface RawGraph {
  readonly nodes: readonly RawNode[];
  readonly inputs?: Readonly<Record<string, RawInput>>;
  readonly weights?: Readonly<Record<string, Tensor>>;
  readonly outputs: readonly string[];
}

export interface RawModel extends RawGraph {
  readonly opset: number;
  readonly domains?: readonly string[];
}

/** The model's bytes. */
export function modelBytes(model: RawModel): Uint8Array {
  const domains = [["", model.opset] as const, ...(model.domains ?? []).map((domain) => [domain, 1] as const)];
  return toBinary(
    ModelProtoSchema,
    create(ModelProtoSchema, {
      irVersion: 8n,
      opsetImport: domains.map(([domain, version]) =>
        create(OperatorSetIdProtoSchema, { domain, version: BigInt(version) }),
      ),
      graph: graphOf(model),
    }),
  );
}

/** Values in [low, high], different for every name, away from 0. */
export function sampleOf(name: string, shape: readonly number[], low = -2, high = 2): Tensor {
  const stream = createPrng(11).fork(name);
  const values = Array.from({ length: sizeOf(shape) }, () => {
    const x = low + (high - low) * stream.uniform();
    return Math.abs(x) < 0.1 ? 0.1 + Math.abs(x) : x;
  });
  return float32(shape, values);
}

function graphOf(graph: RawGraph): GraphProto {
  return create(GraphProtoSchema, {
    name: "raw",
    node: graph.nodes.map((node) =>
      create(NodeProtoSchema, {
        opType: node.op,
        domain: node.domain ?? "",
        name: node.name ?? "",
        input: [...node.inputs],
        output: [...node.outputs],
        attribute: Object.entries(node.attributes ?? {}).map(([name, value]) => attributeOf(name, value)),
      }),
    ),
    input: Object.entries(graph.inputs ?? {}).map(([name, { dtype, shape }]) =>
      infoOf(name, dtype ?? "float32", shape),
    ),
    output: graph.outputs.map((name) => create(ValueInfoProtoSchema, { name })),
    initializer: Object.entries(graph.weights ?? {}).map(([name, tensor]) => tensorOf(tensor, name)),
  });
}

function infoOf(name: string, dtype: Dtype, shape: readonly (number | string)[]) {
  const dim = shape.map((n) =>
    create(TensorShapeProto_DimensionSchema, {
      ...(n === ""
        ? {}
        : { value: typeof n === "number" ? { case: "dimValue", value: BigInt(n) } : { case: "dimParam", value: n } }),
    }),
  );
  const tensor = create(TypeProto_TensorSchema, {
    elemType: CODE_BY_DTYPE[dtype],
    shape: create(TensorShapeProtoSchema, { dim }),
  });
  return create(ValueInfoProtoSchema, {
    name,
    type: create(TypeProtoSchema, { value: { case: "tensorType", value: tensor } }),
  });
}

function tensorOf({ dtype, shape, data }: Tensor, name = "") {
  const rawData = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  return create(TensorProtoSchema, { name, dims: shape.map(BigInt), dataType: CODE_BY_DTYPE[dtype], rawData });
}

function attributeOf(name: string, value: RawAttribute): AttributeProto {
  if (typeof value === "number") return create(AttributeProtoSchema, { name, type: 2, i: BigInt(value) });
  if (typeof value === "string") {
    return create(AttributeProtoSchema, { name, type: 3, s: new TextEncoder().encode(value) });
  }
  if ("float" in value) return create(AttributeProtoSchema, { name, type: 1, f: value.float });
  if ("floats" in value) return create(AttributeProtoSchema, { name, type: 6, floats: [...value.floats] });
  if ("graph" in value) return create(AttributeProtoSchema, { name, type: 5, g: graphOf(value.graph) });
  if ("dtype" in value) return create(AttributeProtoSchema, { name, type: 4, t: tensorOf(value) });
  return create(AttributeProtoSchema, { name, type: 7, ints: value.map(BigInt) });
}
