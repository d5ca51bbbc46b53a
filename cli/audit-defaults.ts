/** What `weft audit inversion` does where nothing else is said. */

/** One of each kind of what is sent: both factors, B only, C only, an edit of the residual stream. */
export const AUDITED = [
  "lora:r8:q_proj,v_proj",
  "ffa-lora:r8:q_proj,v_proj",
  "tri-lora:r8:q_proj,v_proj",
  "loreft:r8:f7+l7",
] as const;

/** Short texts of a small model, minutes on two cores. */
export const AUDIT_DEFAULTS = { texts: 3, maxTokens: 16, steps: 20, attackSteps: 60, attempts: 6 } as const;
