// Codecraft as it is: its schema, grants, rules and mutators, with people who have other roles in other projects, are let into them and out of them, talk, and edit files together.
// What is not here is the assistant, whose jobs take real time.
import { defineMutators, defineSchema, holdersMayWrite, type Mutators, mutator, type Schema, validate } from '@headwater/schema'
import { z } from 'zod'
import { access } from '../../../examples/codecraft/src/access.ts'
import { mutators } from '../../../examples/codecraft/src/mutators.ts'
import { directoriesOf } from '../../../examples/codecraft/src/path.ts'
import { schema as tables } from '../../../examples/codecraft/src/schema.ts'
import { grants } from '../../../examples/codecraft/src/server/grants.ts'
import type { Random } from '../../harness/generated/random.ts'
import { people } from './small.ts'
import { type Act, type Foreign, leaveMark, mark, marks, type Workload } from './workload.ts'

const projects = Array.from({ length: 4 }, (_, i) => `60000000-0000-4000-8000-00000000000${i}`)
/** Of somebody who has no device, and lets nobody in. */
const hidden = { person: 'zoe', project: '60000000-0000-4000-8000-000000000009' }
const fileOf = (project: string, i: number) => `f${i}${project.slice(2)}`
const paths = ['README.md', 'src/main.ts', 'src/app.ts', 'src/parts/list.ts', 'docs/notes.md', 'docs', 'src']
const roles = ['viewer', 'editor']
const at = '2026-01-01T00:00:00.000Z'

const insertProject = `insert into projects (id, owner_id, title, slug, framework, created_at, updated_at) values ($1::text::uuid, $2, $3, $4, 'react', $5::text::timestamptz, $5::text::timestamptz)`
const insertMember =
  'insert into project_members (project_id, user_id, role, added_at) values ($1::text::uuid, $2, $3, $4::text::timestamptz) on conflict (project_id, user_id) do update set role = excluded.role'
const insertFile = `insert into files (id, project_id, path, type, content, updated_at) values ($1::text::uuid, $2::text::uuid, $3, 'file', $4, $5::text::timestamptz) on conflict do nothing`
const insertDirectory = `insert into files (id, project_id, path, type, updated_at) values ($1::text::uuid, $2::text::uuid, 'src', 'directory', $3::text::timestamptz)`
const insertMessage = `insert into messages (id, project_id, role, content, sequence, created_at)
  select $1::text::uuid, $2::text::uuid, 'assistant', $3, coalesce(max(sequence), 0) + 1, $4::text::timestamptz from messages where project_id = $2::text::uuid`

export function codecraft(): Workload {
  const schema = defineSchema({ ...tables.tables, marks })
  let texts = 0
  const canary = () => `§${++texts}§`
  const line = () => `it says ${canary()} here`
  /** Those that were made are found again. */
  const files = projects.flatMap((project) => [0, 1].map((i) => ({ id: fileOf(project, i), project })))
  const all = [...projects]

  const letsIn = (random: Random, project: string, person: string): Foreign => ({ text: insertMember, parameters: [project, person, random.pick(roles), at] })
  const letsOut = (project: string, person: string): Foreign => ({
    text: 'delete from project_members where project_id = $1::text::uuid and user_id = $2',
    parameters: [project, person],
  })
  const says = (random: Random, project: string): Foreign => ({ text: insertMessage, parameters: [random.uuid(), project, canary(), at] })

  return {
    name: 'codecraft',
    schema,
    mutators: marked(schema, mutators),
    grants,
    isFixed: true,
    mayWait: true,
    access: { ...access, tables: new Map([...access.tables, ...[...holdersMayWrite(schema).tables].filter(([name]) => name === 'marks')]) },
    refuses: ['not-owner', 'owner', 'path', 'exists', 'directory', 'changed', 'into-itself', 'not-directory'],
    rows: [
      ...[...people, hidden.person].map((id) => ({
        text: 'insert into users (id, name, email) values ($1, $2, $3)',
        parameters: [id, canary(), `${id}@codecraft.test`],
      })),
      ...[...projects, hidden.project].map((id, i) => ({ text: insertProject, parameters: [id, people[i] ?? hidden.person, canary(), `slug-${i}`, at] })),
      ...projects.map((id, i) => ({ text: insertMember, parameters: [id, people[(i + 1) % people.length] ?? '', roles[i % 2] ?? '', at] })),
      ...files.map(({ id, project }, i) => ({
        text: insertFile,
        parameters: [id, project, paths[i % 2] ?? '', Array.from({ length: 6 }, line).join('\n'), at],
      })),
      ...projects.map((id) => ({ text: insertDirectory, parameters: [fileOf(id, 2), id, at] })),
      { text: insertFile, parameters: [fileOf(hidden.project, 0), hidden.project, 'README.md', line(), at] },
    ],
    act: (random, person) => {
      const draw = random.int(100)
      // Mostly in a project that is theirs, or that they were in at first.
      const isOwn = random.is(0.6)
      const place = [...people, person].indexOf(person)
      const own = [projects[place] ?? '', projects[(place + people.length - 1) % people.length] ?? '']
      const projectId = random.pick(isOwn ? own : all)
      const file = random.pick(files.filter(({ project }) => !isOwn || own.includes(project)))
      const content = line()
      if (draw < 35)
        return {
          name: 'editFile',
          args: { id: file.id, projectId: file.project, path: random.pick(paths), at: random.int(1_000), verb: random.int(4), content },
        }
      if (draw < 55) return { name: 'sendMessage', args: { id: random.uuid(), projectId, content } }
      if (draw < 63) {
        files.push({ id: random.uuid(), project: projectId })
        return { name: 'createFile', args: { id: files.at(-1)?.id, projectId, path: random.pick(paths), type: random.is(0.2) ? 'directory' : 'file' } }
      }
      if (draw < 68) return { name: random.is(0.5) ? 'renameFile' : 'renameDirectory', args: { id: file.id, path: `${random.pick(paths)}${random.int(4)}` } }
      if (draw < 72) return { name: 'deleteFile', args: { id: file.id } }
      if (draw < 77) return { name: 'resolveCopy', args: { at: random.int(1_000), content } }
      if (draw < 88) return { name: 'shareProject', args: { projectId, userId: random.pick(people), role: random.pick(roles) } }
      if (draw < 92) return { name: 'projectMembers.delete', args: { projectId, userId: random.is(0.5) ? person : random.pick(people) } }
      if (draw < 96) return { name: 'projects.update', args: { id: projectId, title: canary() } }
      if (draw < 98) return { name: 'deleteProject', args: { id: projectId } }
      all.push(random.uuid())
      return { name: 'createProject', args: { id: all.at(-1), title: canary(), description: '', framework: 'express' } }
    },
    atHand,
    foreign: (random) => {
      const [project, person] = [random.pick(projects), random.pick(people)]
      const drawn = random.some<Foreign>(
        [
          letsIn(random, project, person),
          letsOut(project, person),
          // Whoever goes may be back in the next moment, in the same transaction or in another one.
          { text: 'delete from project_members where user_id = $1', parameters: [person] },
          { text: 'update projects set owner_id = $2 where id = $1::text::uuid', parameters: [project, person] },
          { text: 'update files set content = $2 where id = $1::text::uuid', parameters: [random.pick(files).id, line()] },
          says(random, project),
          says(random, hidden.project),
          { text: 'update files set content = $2 where project_id = $1::text::uuid', parameters: [hidden.project, line()] },
          { text: 'delete from messages where project_id = $1::text::uuid', parameters: [random.pick([project, hidden.project])] },
        ],
        0.25,
      )
      const empty = { text: 'truncate messages', parameters: [] }
      return [...(random.is(0.03) ? [empty] : []), ...(random.is(0.5) ? drawn : drawn.toReversed())]
    },
    nobodys: [`project:${hidden.project}`, `user:${hidden.person}`],
    flicker: (random, person) => {
      const project = random.pick(projects)
      const emptied = [{ text: 'truncate messages', parameters: [] }, ...projects.map((id) => says(random, id))]
      return { loss: letsOut(project, person), gain: letsIn(random, project, person), emptied, kind: 'project', key: project }
    },
    use: (random) => ({ kind: 'project', key: random.pick(all) }),
    wrong: (rows) => {
      const known = new Set(rows('files').map(({ projectId, project_id: project = projectId, path }) => `${project} ${path}`))
      const lost = [...known].find((one) => directoriesOf(one.slice(37)).some((directory) => !known.has(`${one.slice(0, 37)}${directory}`)))
      return lost ? `a directory above ${lost} is missing` : null
    },
  }
}

/** The app's own mutators, each of which leaves a mark besides: what it takes is judged by its own validator. */
function marked(schema: Schema, own: Mutators): Mutators {
  const entries = Object.entries(own).map(([name, { args: takes, run, once }]) => {
    const args = z.looseObject({ mark })
    return [
      name,
      mutator(
        args,
        async (tx, { mark: left, ...given }) => {
          await run(tx, validate(takes, given, name))
          await leaveMark(tx, left)
        },
        { once },
      ),
    ]
  })
  return defineMutators(schema, Object.fromEntries(entries))
}

/** Who edits a file goes on from the text that they see, and who ends a conflict from both. */
function atHand({ name, args }: Act, rows: Parameters<NonNullable<Workload['atHand']>>[1]): Act['args'] {
  const { at: place, verb, content, ...others } = args
  const pick = <T>(from: readonly T[]) => from[Number(place) % Math.max(1, from.length)]
  if (name === 'resolveCopy') {
    const copy = pick(rows('files').filter(({ conflictOf }) => typeof conflictOf === 'string'))
    const file = rows('files').find(({ id }) => id === copy?.conflictOf)
    return { id: copy?.id ?? fileOf(hidden.project, 1), base: file?.content ?? '', content: `${file?.content ?? ''}\n${content}` }
  }
  if (name !== 'editFile') return args
  const file = rows('files').find(({ id }) => id === others.id)
  const base = String(file?.content ?? '')
  const lines = base === '' ? [] : base.split('\n')
  const from = Number(place) % (lines.length + 1)
  // A line more, one in the place of another, or one less.
  lines.splice(from, verb === 0 || lines.length > 30 ? 0 : 1, ...(verb === 3 && lines.length > 2 ? [] : [String(content)]))
  if (lines.length > 30) lines.shift()
  return { ...others, path: file?.path ?? others.path, base, content: lines.join('\n') }
}
