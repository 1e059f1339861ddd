import { describe, expect, test } from 'vitest'
import { pathProblem } from '../src/path.ts'
import { personOf } from '../src/people.ts'
import { readSeed } from '../src/server/seed.ts'
import { parseSeedFile } from '../src/server/seedFile.ts'
import { slugOf } from '../src/slug.ts'

describe('the seed', () => {
  const projects = readSeed()

  test('tells of a dozen projects and more, of people who are there', () => {
    expect(projects.length).toBeGreaterThanOrEqual(12)
    for (const { owner, members, messages } of projects) {
      const named = [owner, ...members.map((member) => member.person), ...messages.flatMap(({ author }) => author ?? [])]
      for (const id of named) expect(personOf(id), id).toBeDefined()
      expect(members.map((member) => member.person)).not.toContain(owner)
      expect(members.every(({ role }) => role === 'editor' || role === 'viewer')).toBe(true)
    }
  })

  test.each(projects.map((project) => [project.title, project] as const))(
    '%s has a conversation, and a tree without gaps',
    (_, { messages, files, title, description }) => {
      expect(messages.length).toBeGreaterThanOrEqual(5)
      expect(messages.every(({ content }) => content.length > 0)).toBe(true)
      const paths = files.map((file) => file.path)
      expect(new Set(paths).size).toBe(paths.length)
      for (const path of paths) expect(pathProblem(path), path).toBeNull()
      expect(files.filter((file) => file.type === 'file').length).toBeGreaterThanOrEqual(4)
      expect(title.length).toBeLessThanOrEqual(200)
      expect(description.length).toBeLessThanOrEqual(500)
    },
  )

  test('a file that is not understood says what is wrong', () => {
    expect(() => parseSeedFile('title: A\n')).toThrow('The head has no line “description:”.')
    expect(() => parseSeedFile('title: A\n@@ picture a.png\n')).toThrow('“@@ picture a.png” is neither a message nor a file.')
  })
})

describe('a slug', () => {
  test('is the title without what does not belong in an address, and the end of the id', () => {
    expect(slugOf('  Überraschung: 2 Eier! ', '01a1fc72-0d60-7000-85f7-cd42bffdc530')).toBe('uberraschung-2-eier-fdc530')
    expect(slugOf('日本語', '01a1fc72-0d60-7000-85f7-cd42bffdc530')).toBe('fdc530')
    expect(slugOf('x'.repeat(200), '01a1fc72-0d60-7000-85f7-cd42bffdc530')).toHaveLength(67)
  })
})
