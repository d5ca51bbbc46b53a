/** The adapter methods by kind. A new one is a file of its own and a line here. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { combination } from "./combination.ts";
import { DIREFT } from "./direft.ts";
import { DORA } from "./dora.ts";
import { FFA_LORA } from "./ffa-lora.ts";
import { LORA } from "./lora.ts";
import { LOREFT } from "./loreft.ts";
import type { AdapterDefinition, AdapterMethod } from "./method.ts";
import { methodOf } from "./method.ts";
import { NODIREFT } from "./nodireft.ts";
import { NOREFT } from "./noreft.ts";
import { ownDefinition } from "./own-kind.ts";
import { TRI_LORA } from "./tri-lora.ts";

type Definitions = {
  readonly [Kind in AdapterSettings["kind"]]: AdapterDefinition<Extract<AdapterSettings, { kind: Kind }>>;
};

const DEFINITIONS: Definitions = {
  lora: LORA,
  dora: DORA,
  "ffa-lora": FFA_LORA,
  "tri-lora": TRI_LORA,
  loreft: LOREFT,
  direft: DIREFT,
  noreft: NOREFT,
  nodireft: NODIREFT,
  combination: combination(definitionOf, definitionOf),
};

/** The method of these settings' kind. */
export function adapterMethod<Settings extends AdapterSettings>(settings: Settings): AdapterMethod<Settings> {
  return methodOf(definitionOf(settings));
}

function definitionOf<Settings extends AdapterSettings>(settings: Settings): AdapterDefinition<Settings> {
  return (ownDefinition(settings) ?? DEFINITIONS[settings.kind]) as unknown as AdapterDefinition<Settings>;
}
