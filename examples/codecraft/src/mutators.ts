// Every change of codecraft that touches more than one row. Each runs on the device at once and in the database for good.
import { defineMutators, mutator, refuse } from '@headwater/schema'
import { z } from 'zod'
import { editFile, resolveCopy } from './mutators/edit.ts'
import { type CodecraftTx, claimPath, createBelow, moveTree, removeTree } from './mutators/files.ts'
import { frameworks, memberRoles, type Project, schema } from './schema.ts'
import { slugOf } from './slug.ts'
import { starterFiles, welcome } from './starter.ts'

const path = z.string().max(500)
const moving = z.object({ id: z.uuid(), path })
const newProject = z.object({ id: z.uuid(), title: z.string().trim().min(1).max(200), description: z.string().trim().max(500), framework: z.enum(frameworks) })
const newFile = z.object({ id: z.uuid(), projectId: z.uuid(), path, type: z.enum(['file', 'directory']) })
/** Both texts of an edit, and what else it says, fit into the largest mutation. */
const content = z.string().max(200_000, 'A file of more than 200,000 characters cannot be edited here.')
const edit = z.object({ id: z.uuid(), projectId: z.uuid(), path, base: content, content })
const newMessage = z.object({ id: z.uuid(), projectId: z.uuid(), content: z.string().trim().min(1).max(100_000), answerId: z.uuid().optional() })
const ofMessage = z.object({ id: z.uuid() })

export const mutators = defineMutators(schema, {
  /** A project with a first message and the files of its framework. */
  createProject: mutator(newProject, async (tx, args) => {
    const now = tx.now()
    await tx.projects.insert({ ...args, ownerId: tx.user, slug: slugOf(args.title, args.id), createdAt: now, updatedAt: now })
    await tx.messages.insert({ id: tx.id(), projectId: args.id, role: 'assistant', content: welcome(args.title, args.framework), sequence: 1, createdAt: now })
    for (const file of starterFiles(args.framework, args.title)) await tx.files.insert({ id: tx.id(), projectId: args.id, ...file, updatedAt: now })
  }),

  /** What hangs on the project goes first, so that it is gone from the screen in the same frame; the database would cascade. */
  deleteProject: mutator(z.object({ id: z.uuid() }), async (tx, { id }) => {
    const project = await projectOf(tx, id)
    if (project.ownerId !== tx.user) refuse('not-owner', `Only its owner can delete “${project.title}”.`)
    for (const { id: message } of await tx.query.messages.where({ projectId: id }).all()) await tx.messages.delete({ id: message })
    for (const { id: file } of await tx.query.files.where({ projectId: id }).all()) await tx.files.delete({ id: file })
    for (const { userId } of await tx.query.projectMembers.where({ projectId: id }).all()) await tx.projectMembers.delete({ projectId: id, userId })
    await tx.projects.delete({ id })
  }),

  /**
   * The next message of a conversation. The project is written first: whoever sends at the same moment waits for this row in
   * the database, is run again on what this one left, and so gets the number after it. With `answerId` the assistant's answer follows it, to be written by
   * the server.
   */
  sendMessage: mutator(newMessage, async (tx, { answerId, ...args }) => {
    await tx.projects.update({ id: args.projectId, updatedAt: tx.now() })
    const last = await tx.query.messages.where({ projectId: args.projectId }).orderBy('sequence', 'desc').first()
    const sequence = (last?.sequence ?? 0) + 1
    await tx.messages.insert({ ...args, role: 'user', authorId: tx.user, sequence, createdAt: tx.now() })
    if (answerId === undefined) return
    const { projectId } = args
    await tx.messages.insert({ id: answerId, projectId, role: 'assistant', content: '', state: 'waiting', sequence: sequence + 1, createdAt: tx.now() })
  }),

  /** What was written until then stays. One that is whole by now stays whole. */
  stopAnswer: mutator(ofMessage, async (tx, { id }) => {
    const message = await tx.query.messages.where({ id }).first()
    if (message?.state === 'waiting' || message?.state === 'writing') await tx.messages.update({ id, state: 'stopped' })
  }),

  /** The rest of an answer that was stopped or interrupted. */
  continueAnswer: mutator(ofMessage, async (tx, { id }) => {
    const message = await tx.query.messages.where({ id }).first()
    if (message?.state === 'stopped' || message?.state === 'interrupted') await tx.messages.update({ id, state: 'waiting' })
  }),

  /** A file or directory, with the directories above it that are not there yet. */
  createFile: mutator(newFile, async (tx, args) => {
    await claimPath(tx, args.projectId, args.path)
    await createBelow(tx, args)
    await tx.projects.update({ id: args.projectId, updatedAt: tx.now() })
  }),

  /** What a person made of a file's text. It is merged with what others made of it; what cannot be becomes a copy beside the file. */
  editFile: mutator(edit, editFile),

  /** The end of such a copy. */
  resolveCopy: mutator(z.object({ id: z.uuid(), base: content, content }), resolveCopy),

  renameFile: mutator(moving, async (tx, args) => moveTree(tx, args.id, args.path)),

  /** Moves what is below as well. */
  renameDirectory: mutator(moving, async (tx, args) => moveTree(tx, args.id, args.path)),

  /** A directory goes with what is below it. */
  deleteFile: mutator(z.object({ id: z.uuid() }), async (tx, { id }) => removeTree(tx, id)),

  /** Lets a person into a project, or changes what they may do there. */
  shareProject: mutator(z.object({ projectId: z.uuid(), userId: z.string().min(1).max(200), role: z.enum(memberRoles) }), async (tx, args) => {
    const project = await projectOf(tx, args.projectId)
    if (project.ownerId !== tx.user) refuse('not-owner', `Only its owner can share “${project.title}”.`)
    if (project.ownerId === args.userId) refuse('owner', `“${project.title}” is theirs already.`)
    const { projectId, userId, role } = args
    const member = await tx.query.projectMembers.where({ projectId, userId }).first()
    if (member) await tx.projectMembers.update({ projectId, userId, role })
    else await tx.projectMembers.insert({ projectId, userId, role, addedAt: tx.now() })
  }),
})

async function projectOf(tx: CodecraftTx, id: string): Promise<Project> {
  return (await tx.query.projects.where({ id }).first()) ?? refuse('absent', 'The project is not there any more.')
}
