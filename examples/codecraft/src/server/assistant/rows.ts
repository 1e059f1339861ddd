// What an answer is in the database. Every statement is of the job that writes it: another one, or one that was taken for dead, changes nothing.
import type { Database } from '@headwater/server'

export interface Begun {
  readonly prompt: string
  readonly project: string
  readonly files: readonly string[]
  /** What is written of it already. */
  readonly content: string
  readonly people: readonly string[]
}

/** Takes an answer that waits. null: it does not wait, or is gone. */
export async function begin(database: Database, message: string, key: string): Promise<Begun | null> {
  const rows = await database.query(
    `update messages a set state = 'writing', writer = $2::text from projects p
     where a.id = $1::text::uuid and a.state = 'waiting' and p.id = a.project_id
     returning a.content, p.title, (${people}) as people,
       (select m.content from messages m where m.project_id = a.project_id and m.sequence < a.sequence and m.role = 'user' order by m.sequence desc limit 1) as prompt,
       (select json_agg(f.path order by f.path)::text from files f where f.project_id = a.project_id and f.type = 'file') as files`,
    [message, key],
  )
  const row = rows[0]
  if (!row) return null
  const list = (value: unknown): readonly string[] => (typeof value === 'string' ? JSON.parse(value) : [])
  return { prompt: String(row.prompt ?? ''), project: String(row.title), files: list(row.files), content: String(row.content), people: list(row.people) }
}

/** Keeps what is written so far. Answers who may see it; null: it was stopped, or is gone. */
export async function save(database: Database, message: string, key: string, text: string): Promise<readonly string[] | null> {
  const rows = await database.query(
    `update messages a set content = $3::text from projects p
     where a.id = $1::text::uuid and a.writer = $2::text and a.state = 'writing' and p.id = a.project_id returning (${people}) as people`,
    [message, key, text],
  )
  return rows[0] ? JSON.parse(String(rows[0].people)) : null
}

/** The last of it. One that was stopped stays stopped, with what was written until then. */
export async function end(database: Database, message: string, key: string, text: string, state: 'whole' | 'interrupted'): Promise<void> {
  await database.query(
    `update messages set content = $3::text, writer = null, state = case when state = 'writing' then $4::text else state end
     where id = $1::text::uuid and writer = $2::text and state in ('writing', 'stopped')`,
    [message, key, text, state],
  )
}

/** Of a try before this one, whose server is gone. */
export async function interrupt(database: Database, message: string, key: string): Promise<void> {
  await database.query(`update messages set state = 'interrupted', writer = null where id = $1::text::uuid and writer = $2::text and state = 'writing'`, [
    message,
    key,
  ])
}

const people = `select json_agg(one.id)::text from (select p.owner_id as id union select s.user_id from project_members s where s.project_id = p.id) one`
