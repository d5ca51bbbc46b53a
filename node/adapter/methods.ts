/** The adapter methods by kind. A new one is a file of its own and a line here. */
import type { AdapterSettings } from "../../protocol/adapter-spec.ts";
import { LORA } from "./lora.ts";
import { LOREFT } from "./loreft.ts";
import type { AdapterMethod } from "./method.ts";

const METHODS: { readonly [Kind in AdapterSettings["kind"]]: AdapterMethod<Extract<AdapterSettings, { kind: Kind }>> } =
  {
    loreft: LOREFT,
    lora: LORA,
  };

export function adapterMethod<Settings extends AdapterSettings>(settings: Settings): AdapterMethod<Settings> {
  return METHODS[settings.kind] as unknown as AdapterMethod<Settings>;
}
