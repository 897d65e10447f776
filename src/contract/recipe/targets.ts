/** What layers are to give: `layer`: what they gave on the inputs that they have; `dense`: what they gave on the dense model's. */
export const targets = ['layer', 'dense'] as const;
export type Targets = (typeof targets)[number];
