/** The values that a sentence of the catalogue is filled with, by name. */
export type MessageParams = Readonly<Record<string, string | number>>;
