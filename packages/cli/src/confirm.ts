import { createInterface } from 'node:readline/promises'
import { HeadwaterError } from '@headwater/protocol'
import type { Database } from '@headwater/server'

export const confirmArgs = {
  yes: { type: 'boolean', description: 'do not ask' },
  confirm: { type: 'string', description: 'the name of the database, instead of typing it' },
} as const

interface Given {
  readonly yes?: boolean | undefined
  readonly confirm?: string | undefined
}

/** Whether somebody said that they mean this database: by --yes, or by its name, given or typed. Nobody is asked where nobody can answer. */
export async function isConfirmed(database: Database, { yes = false, confirm }: Given, question: string | null): Promise<boolean> {
  if (yes) return true
  const rows = await database.query('select current_database() as name')
  const name = String(rows[0]?.name)
  const typed = confirm ?? (question === null || !process.stdin.isTTY ? null : await ask(`${question}\nType the name of the database (${name}) to go on: `))
  if (typed !== null && typed !== name) throw new HeadwaterError('usage', `This database is ${name}, not ${typed}.`, 'Nothing was done.')
  return typed !== null
}

async function ask(question: string): Promise<string> {
  const lines = createInterface({ input: process.stdin, output: process.stderr })
  try {
    return (await lines.question(question)).trim()
  } finally {
    lines.close()
  }
}
