/**
 * A display of its own for windows that nobody looks at (Linux; elsewhere they open on the screen). Sets DISPLAY for all processes
 * started after it; returns what closes it.
 */
export function openDisplay(): Promise<() => void>;
