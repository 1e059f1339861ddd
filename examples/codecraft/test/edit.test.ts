// Two people in one file: real devices, a real database, and the editor's own draft between them.
import { createTestApp, type TestApp, type TestDevice } from '@headwater/testing'
import fc from 'fast-check'
import { afterEach, beforeEach, describe, expect, test } from 'vitest'
import config from '../headwater.config.ts'
import { mutators } from '../src/mutators.ts'
import { people } from '../src/people.ts'
import { schema } from '../src/schema.ts'
import { createDraft } from '../src/web/project/editor/draft.ts'

type Device = TestDevice<typeof schema, typeof mutators>

let app: TestApp<typeof schema, typeof mutators>

beforeEach(async () => {
  app = await createTestApp({ schema, access: config.access, mutators, grants: config.grants, settleMsMax: 20_000 })
  for (const { id, name, email } of people) await app.sql`insert into users (id, name, email) values (${id}, ${name}, ${email})`
})
afterEach(() => app.close())

const readme = 'one\ntwo\nthree\nfour\nfive\n'

/** Ada's project, shared with Grace, with one file that both have open. */
async function openBoth() {
  const [ada, grace] = [await app.device('ada'), await app.device('grace')]
  const projectId = ada.id()
  ada.mutate.createProject({ id: projectId, title: 'Notes', description: '', framework: 'react' })
  ada.mutate.shareProject({ projectId, userId: 'grace', role: 'editor' })
  await app.settled()
  await Promise.all([ada, grace].map((device) => device.scope('project', projectId).ready))
  const { id } = ada.query.files.where({ projectId, path: 'README.md' }).first() ?? { id: '' }
  await ada.mutate.files.update({ id, content: readme }).confirmed
  await app.settled()
  return { projectId, id, ada: openEditor(ada, projectId, id), grace: openEditor(grace, projectId, id) }
}

/** The file as one person has it before them; `later` is the moment after the last key. */
function openEditor(device: Device, projectId: string, id: string) {
  let later: (() => void) | null = null
  const row = () => device.query.files.where({ id }).first()
  const { path } = row() ?? { path: 'README.md' }
  const draft = createDraft(row()?.content ?? '', {
    write: (base, content) => void device.mutate.editFile({ id, projectId, path, base, content }),
    timer: (_, run) => {
      later = run
      return () => {
        later = null
      }
    },
  })
  const live = device.query.files.where({ id }).live()
  live.subscribe(() => {
    const shown = live.result().rows[0]
    if (shown) draft.follow(shown.content)
  })
  return {
    device,
    draft,
    type: (change: (text: string) => string) => draft.type(change(draft.get())),
    later: () => later?.(),
    copies: () => device.query.files.where({ projectId, conflictOf: id }).orderBy('path').all(),
    content: () => row()?.content,
  }
}
type Editing = ReturnType<typeof openEditor>

const write = async (editor: Editing, change: (text: string) => string) => {
  editor.type(change)
  editor.later()
}

describe('two people in one file', () => {
  test('see what the other writes while they write, and both end with all of it', async () => {
    const { ada, grace } = await openBoth()
    ada.type((text) => text.replace('one', 'ONE'))
    await write(grace, (text) => text.replace('five', 'FIVE'))
    await app.settled()
    expect(ada.draft.get()).toBe('ONE\ntwo\nthree\nfour\nFIVE\n')
    ada.later()
    await app.settled()
    expect([ada.content(), grace.content(), grace.draft.get()]).toEqual(Array(3).fill('ONE\ntwo\nthree\nfour\nFIVE\n'))
    expect(ada.copies()).toEqual([])
  })

  test('apart, then together: what each wrote in other lines is merged', async () => {
    const { ada, grace } = await openBoth()
    ada.device.offline()
    await write(ada, (text) => text.replace('one', 'ONE'))
    await write(ada, (text) => `${text}six\n`)
    await write(grace, (text) => text.replace('three', 'THREE'))
    await ada.device.restart()
    ada.device.online()
    await app.settled()
    expect([ada.content(), grace.content()]).toEqual(Array(2).fill('ONE\ntwo\nTHREE\nfour\nfive\nsix\n'))
  })

  test('in the same words: one stands, the other is a copy that names its writer, and goes on while they type', async () => {
    const { ada, grace, projectId, id } = await openBoth()
    ada.device.offline()
    await write(ada, (text) => text.replace('three', 'ADA'))
    await write(grace, (text) => text.replace('three', 'GRACE'))
    await app.settled()
    await write(ada, (text) => text.replace('ADA', 'ADA SAYS'))
    ada.device.online()
    await app.settled()
    expect([ada.content(), grace.content(), ada.draft.get()]).toEqual(Array(3).fill('one\ntwo\nGRACE\nfour\nfive\n'))
    const copy = { path: 'README.ada.md', content: 'one\ntwo\nADA SAYS\nfour\nfive\n', conflictOf: id, conflictBy: 'ada', language: 'Markdown', projectId }
    expect(ada.copies()).toMatchObject([copy])
    expect(grace.copies()).toMatchObject([copy])
  })

  test('a copy ends by being merged by hand, and not over what was written meanwhile', async () => {
    const { ada, grace } = await openBoth()
    ada.device.offline()
    await write(ada, (text) => text.replace('three', 'ADA'))
    await write(grace, (text) => text.replace('three', 'GRACE'))
    ada.device.online()
    await app.settled()
    const [copy] = ada.copies()
    const base = ada.content() ?? ''
    await write(grace, (text) => `zero\n${text.replace('GRACE', 'GRACE!')}`)
    await app.settled()
    const resolve = (content: string, from = base) => ada.device.mutate.resolveCopy({ id: copy?.id ?? '', base: from, content })
    expect(await resolve(base.replace('GRACE', 'ADA')).confirmed).toMatchObject({ type: 'refused', code: 'changed' })
    expect(ada.copies()).toHaveLength(1)
    expect(await resolve(base.replace('GRACE', 'BOTH'), (ada.content() ?? '').replace('zero\n', '')).confirmed).toEqual({ type: 'applied' })
    await app.settled()
    expect([grace.content(), grace.copies()]).toEqual(['zero\none\ntwo\nBOTH\nfour\nfive\n', []])
  })

  test('a file that is deleted while somebody writes in it leaves what they wrote', async () => {
    const { ada, grace, id, projectId } = await openBoth()
    ada.device.offline()
    await write(ada, (text) => `${text}six\n`)
    await write(ada, (text) => `${text}seven\n`)
    grace.device.mutate.deleteFile({ id })
    await app.settled()
    ada.device.online()
    await app.settled()
    expect(grace.copies()).toMatchObject([{ path: 'README.ada.md', content: `${readme}six\nseven\n` }])
    expect(await grace.device.mutate.resolveCopy({ id: grace.copies()[0]?.id ?? '', base: '', content: 'kept\n' }).confirmed).toEqual({ type: 'applied' })
    await app.settled()
    expect(ada.device.query.files.where({ projectId, path: 'README.ada.md' }).first()).toMatchObject({ content: 'kept\n', conflictOf: null, conflictBy: null })
  })

  test('a viewer’s edit is refused, a directory has no text, and twice the same is once', async () => {
    const { ada, grace, projectId, id } = await openBoth()
    ada.device.mutate.shareProject({ projectId, userId: 'grace', role: 'viewer' })
    await app.settled()
    const edit = { id, projectId, path: 'README.md', base: readme, content: `${readme}!` }
    expect(await grace.device.mutate.editFile(edit).confirmed).toMatchObject({ type: 'refused', code: 'forbidden' })
    const src = ada.device.query.files.where({ projectId, path: 'src' }).first()?.id ?? ''
    expect(await ada.device.mutate.editFile({ ...edit, id: src }).confirmed).toMatchObject({ type: 'refused', code: 'directory' })
    for (const _ of [1, 2]) expect(await ada.device.mutate.editFile(edit).confirmed).toEqual({ type: 'applied' })
    expect([ada.content(), ada.copies()]).toEqual([`${readme}!`, []])
  })

  /** More of them, of all chance: EDITS=500. */
  const runs = Number(process.env.EDITS ?? 0)
  const step = fc.record({ who: fc.nat(1), what: fc.constantFrom('insert', 'append', 'replace', 'delete', 'write', 'network', 'meet'), at: fc.nat(30) })

  test('whatever both do, and whenever they are apart: every word that nobody took out is in the file or in a copy', {
    timeout: 120_000 + runs * 5_000,
  }, async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(step, { minLength: 5, maxLength: 25 }), async (steps) => {
        await app.reset()
        for (const { id, name, email } of people) await app.sql`insert into users (id, name, email) values (${id}, ${name}, ${email})`
        const { ada, grace } = await openBoth()
        const editors = [ada, grace]
        const away = [false, false]
        const [written, taken] = [new Set<string>(), new Set<string>()]
        const wordsOf = (text: string) => text.split(/\s+/).filter(Boolean)
        for (const [i, { who, what, at }] of steps.entries()) {
          const editor = editors[who]
          if (!editor) throw new Error('nobody')
          if (what === 'write') editor.later()
          else if (what === 'meet') await app.settled()
          else if (what === 'network') {
            away[who] = !away[who]
            if (away[who]) editor.device.offline()
            else editor.device.online()
          } else {
            const before = editor.draft.get()
            const words = before.split(/(?<=\s)/)
            const place = at % (words.length + 1)
            const added = what === 'delete' ? [] : [`${who === 0 ? 'a' : 'g'}${i}${what === 'append' ? '\n' : ' '}`]
            words.splice(place, what === 'delete' || what === 'replace' ? 1 : 0, ...added)
            // Words are whole: one put behind a last word without a space after it would change that.
            const after = words.map((word) => (/\s$/.test(word) || word === '' ? word : `${word} `)).join('')
            for (const word of wordsOf(after)) if (!wordsOf(before).includes(word)) written.add(word)
            for (const word of wordsOf(before)) if (!wordsOf(after).includes(word)) taken.add(word)
            editor.type(() => after)
          }
        }
        for (const editor of editors) editor.later()
        for (const editor of editors) editor.device.online()
        await app.settled()
        for (const editor of editors) editor.later()
        await app.settled()
        expect(ada.content()).toBe(grace.content())
        const kept = new Set(wordsOf([ada.content() ?? '', ...grace.copies().map((copy) => copy.content)].join(' ')))
        expect([...written].filter((word) => !taken.has(word) && !kept.has(word))).toEqual([])
      }),
      runs > 0 ? { numRuns: runs } : { numRuns: 6, seed: 20_261_121 },
    )
  })
})
