const codes = { bold: 1, dim: 2, red: 31, green: 32, yellow: 33, cyan: 36 } as const

/** Colour where a person reads, plain text where a program does. */
export function paint(style: keyof typeof codes, text: string): string {
  const isPlain = !process.stdout.isTTY || process.env.NO_COLOR !== undefined
  return isPlain ? text : `\u001b[${codes[style]}m${text}\u001b[0m`
}

/** Somebody's text on one line: control characters in it must not move a terminal's cursor. */
export const onLine = (text: string): string => text.replace(/\p{Cc}/gu, '\ufffd')
