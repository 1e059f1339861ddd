// The demo's first data: a dozen projects of three people, as `seed/*.txt` tells them, with times that count back from now.
import { randomUUID } from 'node:crypto'
import { readdirSync, readFileSync } from 'node:fs'
import type { SeedDatabase } from '@headwater/server'
import { people } from '../people.ts'
import { slugOf } from '../slug.ts'
import { parseSeedFile, type SeedProject } from './seedFile.ts'

/** Fills an empty database: one statement per table. */
export async function seed(database: SeedDatabase): Promise<void> {
  const rows = rowsOf(readSeed(), Date.now())
  const insert = (text: string, given: readonly object[]) => database.query(text, [JSON.stringify(given)])

  await insert(
    `insert into users (id, name, email)
     select id, name, email from jsonb_to_recordset($1::text::jsonb) as row (id text, name text, email text)`,
    people,
  )
  await insert(
    `insert into projects (id, owner_id, title, description, slug, framework, status, created_at, updated_at)
     select id, "ownerId", title, description, slug, framework, status, "createdAt", "updatedAt"
     from jsonb_to_recordset($1::text::jsonb) as row
       (id uuid, "ownerId" text, title text, description text, slug text, framework text, status text, "createdAt" timestamptz, "updatedAt" timestamptz)`,
    rows.projects,
  )
  await insert(
    `insert into project_members (project_id, user_id, role, added_at)
     select "projectId", "userId", role, "addedAt"
     from jsonb_to_recordset($1::text::jsonb) as row ("projectId" uuid, "userId" text, role text, "addedAt" timestamptz)`,
    rows.members,
  )
  await insert(
    `insert into messages (id, project_id, role, author_id, content, sequence, created_at)
     select id, "projectId", role, "authorId", content, sequence, "createdAt"
     from jsonb_to_recordset($1::text::jsonb) as row
       (id uuid, "projectId" uuid, role text, "authorId" text, content text, sequence integer, "createdAt" timestamptz)`,
    rows.messages,
  )
  await insert(
    `insert into files (id, project_id, path, type, content, language, updated_at)
     select id, "projectId", path, type, content, language, "updatedAt"
     from jsonb_to_recordset($1::text::jsonb) as row
       (id uuid, "projectId" uuid, path text, type text, content text, language text, "updatedAt" timestamptz)`,
    rows.files,
  )
}

/** Every project of the seed. Throws an Error that names the file if one cannot be read. */
export function readSeed(): readonly SeedProject[] {
  const folder = new URL('../../seed/', import.meta.url)
  const names = readdirSync(folder).filter((name) => name.endsWith('.txt'))
  return names.sort().map((name) => {
    try {
      return parseSeedFile(readFileSync(new URL(name, folder), 'utf8'))
    } catch (error) {
      throw new Error(`seed/${name} cannot be read: ${error instanceof Error ? error.message : String(error)}`, { cause: error })
    }
  })
}

function rowsOf(projects: readonly SeedProject[], now: number) {
  const known = projects.map((project) => ({ ...project, id: randomUUID() }))
  return {
    projects: known.map((project) => projectRow(project, now)),
    members: known.flatMap(({ id, members, createdMinutesAgo }) =>
      members.map(({ person, role }) => ({ projectId: id, userId: person, role, addedAt: ago(now, createdMinutesAgo / 2) })),
    ),
    messages: known.flatMap((project) => messageRows(project, now)),
    files: known.flatMap(({ id, files, updatedMinutesAgo }) =>
      files.map((file) => ({ id: randomUUID(), projectId: id, ...file, updatedAt: ago(now, updatedMinutesAgo) })),
    ),
  }
}

type Known = SeedProject & { readonly id: string }

const projectRow = ({ id, owner, title, description, framework, status, createdMinutesAgo, updatedMinutesAgo }: Known, now: number) => ({
  id,
  ownerId: owner,
  title,
  description,
  slug: slugOf(title, id),
  framework,
  status,
  createdAt: ago(now, createdMinutesAgo),
  updatedAt: ago(now, updatedMinutesAgo),
})

/** The last message is as old as the project's last change; those before it lie a reading, or now and then a day, further back. */
function messageRows({ id, messages, updatedMinutesAgo, createdMinutesAgo }: Known, now: number) {
  let minutesAgo = updatedMinutesAgo
  const backwards = [...messages].reverse().map((message, i) => {
    const isNextDay = i % 6 === 5
    const at = Math.min(minutesAgo, createdMinutesAgo)
    minutesAgo += isNextDay ? 1_290 : 1 + message.content.length / 300
    return {
      id: randomUUID(),
      projectId: id,
      role: message.author === null ? 'assistant' : 'user',
      authorId: message.author,
      content: message.content,
      sequence: messages.length - i,
      createdAt: ago(now, at),
    }
  })
  return backwards.reverse()
}

const ago = (now: number, minutes: number) => new Date(now - minutes * 60_000).toISOString()
