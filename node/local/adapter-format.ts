/** The forms in which an adapter lies in a folder. */
export const ADAPTER_FORMATS = ["weft", "peft", "pyreft"] as const;

/** weft's own form, or that of another program. */
export type AdapterFormat = (typeof ADAPTER_FORMATS)[number];
