/** Where the keyboard goes from one mark of a chart. */
export type MarkMove = 'left' | 'right' | 'up' | 'down' | 'first' | 'last';
