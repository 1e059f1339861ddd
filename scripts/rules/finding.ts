/** One thing that breaks a rule of this repository. Lines count from 1. */
export interface Finding {
  readonly path: string
  readonly line: number
  readonly what: string
  readonly why: string
}

/** A text file of the repository. The path is relative to its root, with slashes. */
export interface SourceFile {
  readonly path: string
  readonly text: string
}

export const lineAt = (text: string, offset: number): number => text.slice(0, offset).split('\n').length

/** As an editor or a terminal links it. */
export const printed = ({ path, line, what, why }: Finding): string => `${path}:${line} ${what}: ${why}`
