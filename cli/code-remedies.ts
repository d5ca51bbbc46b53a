/**
 * What a person can do about an error that names no problem and whose message does not say it itself: by its code, for every
 * code that there is.
 */
import type { NodeErrorCode } from "../node/index.ts";
import type { ProtocolErrorCode } from "../protocol/errors.ts";

const AGAIN_BY_ITSELF = "a peer asks again by itself; weft doctor checks the network";
const NEWEST = "install the newest version on both sides";
const MANIFEST = "take a file that weft network create has written";

/** A clause that follows what is wrong, after a semicolon; undefined: the help of the command that was given. */
export const CODE_REMEDIES: Readonly<Record<NodeErrorCode | ProtocolErrorCode, string | undefined>> = {
  // Of a peer and its machine.
  ADAPTER_FILE: "name a folder that weft train or weft adapter import wrote",
  ADAPTER_FORMAT: "weft adapter inspect shows what a folder holds, and weft adapter import takes PEFT and pyreft",
  ADAPTER_SETTINGS: undefined,
  ADAPTER_SHAPE: "give --model the directory that the adapter was trained on",
  BLOB_BUSY: AGAIN_BY_ITSELF,
  BLOB_CUT: AGAIN_BY_ITSELF,
  BLOB_HASH: AGAIN_BY_ITSELF,
  BLOB_LENGTH: AGAIN_BY_ITSELF,
  BLOB_MISSING: AGAIN_BY_ITSELF,
  CHECKPOINT_CORRUPT: "move that file away, and the peer goes on from the checkpoint before",
  CONFIG_INVALID: undefined,
  DATA_DIRECTORY: "repair the folder, or choose another --data-dir",
  DATA_FORMAT: "weft data check FILE shows how a file is read",
  DATA_LOCKED: "stop it or choose another --data-dir",
  DATA_MISMATCH: "choose another --data-dir for this data, or give the same data as before",
  DATA_TOO_SMALL: "give more examples; weft data check FILE counts them",
  DEVICE_UNAVAILABLE: "choose another --device; weft doctor tries them all",
  DIAL_FAILED: "weft doctor checks the network",
  DISK_FULL: "free some space and start again",
  EGRESS_LEDGER: "weft egress verify shows where the record is damaged",
  FRAME_INVALID: NEWEST,
  GRADIENT_RULE_MISSING: "name other weights, or freeze what uses that operator",
  IDENTITY_IN_USE: "stop one of the two",
  KEY_FILE: "weft keys restore brings a key back from its backup",
  LISTEN_FAILED: "choose another --listen or --port",
  MANIFEST_INVALID: MANIFEST,
  MANIFEST_MISMATCH: "choose another --data-dir for this network",
  MODEL_CONFIG: "docs/MODELS.md has the models that can be read",
  MODEL_MISMATCH: "take the model that the network was made with; weft network show has its digests",
  MODEL_MISSING:
    "name a model on this machine, because none is fetched: a folder as Hugging Face has it, a .gguf file, or a .onnx file for weft model train",
  MEMBERSHIP_ENDED: "ask an admin for weft members promote",
  NOT_ADMITTED: "ask an admin of the network",
  NOT_ALLOWED: "weft members list shows who may decide",
  ONNX_INVALID: "export the model again; docs/MODELS.md says what can be read",
  PEER_FAILED: "weft status and the peer's log say more",
  PORT_IN_USE: "choose another --port, or stop that program",
  PRIVACY_BUDGET: "start with a new --data-dir, or without --dp where the network allows it",
  RUNTIME_MODEL: "try --device cpu; weft bugreport collects what helps to find the fault",
  SAFETENSORS_INVALID: "get the file again from where it came",
  STORE_FAILED: "weft doctor opens the store and says what can be done",
  STREAM_FAILED: AGAIN_BY_ITSELF,
  TIMEOUT: "try again; weft doctor checks the network",
  TOKENIZER_MISSING: "copy tokenizer.json from the model that it belongs to",
  TOO_OFTEN: "wait a minute and try again",
  TORCH_FILE_INVALID: "save it again as safetensors",
  TRAINING_DIVERGED: "lower --learning-rate, or have --tune find one",
  // Of bytes and settings that the protocol refuses.
  BASE_UNKNOWN: AGAIN_BY_ITSELF,
  CONTENT_ID_INVALID: NEWEST,
  ENCODING_UNKNOWN: NEWEST,
  FIELD_INVALID: undefined,
  GENESIS_INVALID: MANIFEST,
  INVITE_INVALID: "ask whoever sent it for a new one (weft network invite)",
  KEY_INVALID: "weft init makes a key, weft keys restore brings one back",
  MALFORMED: NEWEST,
  NETWORK_ID_INVALID: MANIFEST,
  NOT_CANONICAL: MANIFEST,
  PAYLOAD_INVALID: NEWEST,
  PAYLOAD_LENGTH: NEWEST,
  PEER_ID_INVALID: "copy the whole id, as weft init prints it",
  SIGNATURE_INVALID: "get the file again from whoever signed it",
  TOO_LARGE: "take a smaller one",
  VALUE_NOT_FINITE: "lower --learning-rate",
  WRONG_KIND: "take the file that this command is for",
};

/** Words by which a message says itself what to do. */
const SAYS_IT =
  /(?:^|[;:,.?] )(?:and |or |then |please )?(?:give|name|choose|write|take|use|run|see|leave|set|make|move|remove|repair|install|ask|start|stop|lower|save|copy|get|put|export|join|paste|correct|restore|check|did you mean|expected|install|free|raise|get|download|unpack|decrypt|extract|drop|rename|merge|train|weft \w+)\b/i;

/** Whether a message says itself what to do. */
export const saysWhatToDo = (message: string): boolean => SAYS_IT.test(message);
