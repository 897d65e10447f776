/** Bits of a kept weight; runs from before quantization have none. */
export const sql = `
ALTER TABLE runs ADD COLUMN bits INTEGER;
CREATE INDEX runs_by_bits ON runs (bits, id);
`;
