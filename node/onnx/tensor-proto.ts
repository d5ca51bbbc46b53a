/** Tensors, their external ranges and attributes between protobuf messages and graph objects. */
import { create } from "@bufbuild/protobuf";
import { NodeError } from "../errors.ts";
import type { Dtype, Tensor, TensorData } from "../tensor.ts";
import { sizeOf } from "../tensor.ts";
import { ARRAY_BY_DTYPE, CODE_BY_DTYPE, DTYPE_BY_CODE } from "./dtype.ts";
import { constantValue, externalValue } from "./graph.ts";
import type { AttributeProto, TensorProto } from "./onnx_pb.ts";
import { AttributeProtoSchema, StringStringEntryProtoSchema, TensorProtoSchema } from "./onnx_pb.ts";
import type { Attribute, ExternalRange, OnnxValue } from "./value.ts";

const invalid = (text: string): NodeError => new NodeError("ONNX_INVALID", text);

/** Longest part of a name from the file that an error message repeats. */
const NAME_SHOWN = 120;
const shown = (name: string): string => (name.length > NAME_SHOWN ? `${name.slice(0, NAME_SHOWN)}…` : name);

/** A constant or external value as an initializer of a model file. */
export function encodeInitializer(name: string, value: OnnxValue): TensorProto {
  const common = { name, dims: value.shape.map(BigInt), dataType: CODE_BY_DTYPE[value.dtype] };
  if (value.source.kind === "constant") {
    return create(TensorProtoSchema, { ...common, rawData: rawBytes(value.source.data) });
  }
  if (value.source.kind !== "external") throw invalid(`${name} is not an initializer`);
  const { location, offset, length } = value.source.range;
  return create(TensorProtoSchema, {
    ...common,
    dataLocation: 1,
    externalData: Object.entries({ location, offset: `${offset}`, length: `${length}` }).map(([key, text]) =>
      create(StringStringEntryProtoSchema, { key, value: text }),
    ),
  });
}

/** A weight of the file as a value of the graph.  Throws: ONNX_INVALID. */
export function decodeInitializer(tensor: TensorProto): OnnxValue {
  const { dtype, shape } = typeOf(tensor);
  if (tensor.dataLocation === 1) return externalValue(tensor.name, dtype, shape, rangeOf(tensor, dtype, shape));
  return constantValue({ dtype, shape, data: decodeData(tensor, dtype, shape) }, tensor.name);
}

/** A tensor whose data is in the message.  Throws: ONNX_INVALID. */
export function decodeTensorProto(tensor: TensorProto): Tensor {
  const { dtype, shape } = typeOf(tensor);
  if (tensor.dataLocation === 1) throw invalid(`tensor ${shown(tensor.name)} keeps its data in another file`);
  return { dtype, shape, data: decodeData(tensor, dtype, shape) };
}

function typeOf(tensor: TensorProto): { dtype: Dtype; shape: readonly number[] } {
  const dtype = DTYPE_BY_CODE[tensor.dataType];
  if (!dtype) throw invalid(`tensor ${shown(tensor.name)} has data type ${tensor.dataType}, which is not supported`);
  const shape = tensor.dims.map(Number);
  if (shape.length > 32 || !shape.every((n) => Number.isSafeInteger(n) && n >= 0)) {
    throw invalid(`tensor ${shown(tensor.name)} has the shape [${shape.slice(0, 32)}]`);
  }
  return { dtype, shape };
}

/** The place of external data: a file beside the model, never one elsewhere. */
function rangeOf(tensor: TensorProto, dtype: Dtype, shape: readonly number[]): ExternalRange {
  const entries = new Map(tensor.externalData.map(({ key, value }) => [key, value]));
  const location = entries.get("location") ?? "";
  const bytes = sizeOf(shape) * ARRAY_BY_DTYPE[dtype].BYTES_PER_ELEMENT;
  const number = (key: string, fallback: number): number => {
    const text = entries.get(key);
    return text === undefined ? fallback : /^\d{1,15}$/.test(text) ? Number(text) : Number.NaN;
  };
  const [offset, length] = [number("offset", 0), number("length", bytes)];
  const parts = location.split(/[/\\]/);
  if (location === "" || parts.includes("..") || parts[0] === "" || /^[A-Za-z]:/.test(location)) {
    throw invalid(`tensor ${shown(tensor.name)} keeps its data at "${shown(location)}", which is not beside the model`);
  }
  if (!Number.isSafeInteger(offset) || length !== bytes) {
    throw invalid(`tensor ${shown(tensor.name)} of shape [${shape}] has ${length} bytes of data at ${offset}`);
  }
  return { location, offset, length };
}

function decodeData(tensor: TensorProto, dtype: Dtype, shape: readonly number[]): TensorData {
  const count = sizeOf(shape);
  const ArrayType = ARRAY_BY_DTYPE[dtype];
  const raw = tensor.rawData;
  const wrong = (given: string): NodeError =>
    invalid(`tensor ${shown(tensor.name)} of shape [${shape}] has ${given} of data`);
  if (raw.length > 0) {
    if (raw.length !== count * ArrayType.BYTES_PER_ELEMENT) throw wrong(`${raw.length} bytes`);
    // A copy is aligned, and lets go of the file (a Buffer's own slice would not); the weights are then held once.
    return new ArrayType(new Uint8Array(raw).buffer);
  }
  const listed = { float32: tensor.floatData, float64: tensor.doubleData, int64: tensor.int64Data }[dtype as "float32"];
  const values: readonly (number | bigint)[] = listed ?? tensor.int32Data;
  if (values.length !== count) throw wrong(`${values.length} values`);
  return dtype === "int64"
    ? BigInt64Array.from(values, BigInt)
    : (ArrayType as Float32ArrayConstructor).from(values, Number);
}

function rawBytes(data: TensorData): Uint8Array {
  return new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
}

/** An attribute as the message of a model file. */
export function encodeAttribute(name: string, attribute: Attribute): AttributeProto {
  if ("int" in attribute) return create(AttributeProtoSchema, { name, type: 2, i: BigInt(attribute.int) });
  if ("float" in attribute) return create(AttributeProtoSchema, { name, type: 1, f: attribute.float });
  if ("string" in attribute)
    return create(AttributeProtoSchema, { name, type: 3, s: new TextEncoder().encode(attribute.string) });
  if ("ints" in attribute) return create(AttributeProtoSchema, { name, type: 7, ints: attribute.ints.map(BigInt) });
  if ("floats" in attribute) return create(AttributeProtoSchema, { name, type: 6, floats: [...attribute.floats] });
  const { dtype, shape, data } = attribute.tensor;
  const t = create(TensorProtoSchema, {
    dims: shape.map(BigInt),
    dataType: CODE_BY_DTYPE[dtype],
    rawData: rawBytes(data),
  });
  return create(AttributeProtoSchema, { name, type: 4, t });
}

/** Numbers beyond 2^53 only ever say "to the end": the largest exact integer says it as well. */
function integer(value: bigint): number {
  return Math.min(Math.max(Number(value), Number.MIN_SAFE_INTEGER), Number.MAX_SAFE_INTEGER);
}

/** An attribute's value.  Throws: ONNX_INVALID naming the operator when it is of a kind that weft has no use for. */
export function decodeAttribute(op: string, attribute: AttributeProto): Attribute {
  switch (attribute.type) {
    case 1:
      return { float: attribute.f };
    case 2:
      return { int: integer(attribute.i) };
    case 3:
      return { string: new TextDecoder().decode(attribute.s) };
    case 6:
      return { floats: attribute.floats };
    case 7:
      return { ints: attribute.ints.map(integer) };
    case 4:
      if (attribute.t) return { tensor: decodeTensorProto(attribute.t) };
  }
  const what = `attribute ${shown(attribute.name)} of type ${attribute.type}`;
  throw invalid(`${shown(op)} has the ${what}, which is not supported`);
}
