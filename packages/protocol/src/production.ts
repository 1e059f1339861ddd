// An empty function: bundlers take its calls out, and with them all that only these use.
export function development(_run: () => void): void {}
