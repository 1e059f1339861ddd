/** What every command takes. */
export const jsonArg = { json: { type: 'boolean', description: 'one line of JSON instead of text' } } as const

/** What a command answers: a text for a person, or the whole of it as one line of JSON for a program. */
export function answer(asJson: boolean | undefined, value: unknown, text: () => string): void {
  process.stdout.write(asJson ? `${JSON.stringify(value)}\n` : text())
}
