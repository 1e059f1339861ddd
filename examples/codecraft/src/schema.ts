// What codecraft stores, said once: the database's tables, what a device holds of them, and the types of both sides.
import { defineSchema, enumeration, integer, type Row, ref, table, text, timestamp, uuid } from '@headwater/schema'

export const frameworks = ['react', 'vue', 'svelte', 'next', 'astro', 'express'] as const
export const statuses = ['active', 'paused', 'archived'] as const
/** Of a message: `waiting` and `writing` are an answer's that is not whole yet, `stopped` and `interrupted` one's that can be continued. */
export const messageStates = ['whole', 'waiting', 'writing', 'stopped', 'interrupted'] as const
export const memberRoles = ['editor', 'viewer'] as const

export const schema = defineSchema({
  /** A person sees their own row only; whom one can share with is asked of the server's `/api/people`. */
  users: table({
    id: text().primaryKey(),
    name: text().max(120),
    email: text().max(320).unique(),
  }).in('user', 'id'),

  projects: table({
    id: uuid().primaryKey(),
    ownerId: ref('users'),
    title: text().max(200),
    description: text().max(500).default(''),
    slug: text().max(80).unique(),
    framework: enumeration(...frameworks),
    status: enumeration(...statuses).default('active'),
    createdAt: timestamp(),
    updatedAt: timestamp(),
  })
    .in('user', 'ownerId')
    .in('project', 'id'),

  projectMembers: table({
    projectId: ref('projects', { onDelete: 'cascade' }),
    userId: ref('users', { onDelete: 'cascade' }),
    role: enumeration(...memberRoles),
    addedAt: timestamp(),
  })
    .primaryKey('projectId', 'userId')
    .in('project', 'projectId')
    .in('user', 'userId'),

  messages: table({
    id: uuid().primaryKey(),
    projectId: ref('projects', { onDelete: 'cascade' }),
    role: enumeration('user', 'assistant'),
    /** Who wrote it; null for the assistant, and when the person is gone. */
    authorId: ref('users', { onDelete: 'setNull' }).nullable(),
    content: text(),
    state: enumeration(...messageStates).default('whole'),
    sequence: integer().provisional(),
    createdAt: timestamp(),
  })
    .unique('projectId', 'sequence')
    .in('project', 'projectId', { load: 'onDemand' }),

  files: table({
    id: uuid().primaryKey(),
    projectId: ref('projects', { onDelete: 'cascade' }),
    /** From the project's root, without a slash in front or at the end: `src/main.ts`. */
    path: text().max(500),
    type: enumeration('file', 'directory'),
    content: text().default(''),
    language: text().max(40).nullable(),
    updatedAt: timestamp(),
    /** Of a copy that could not be merged: the file that it was written in, which may be gone, and by whom. */
    conflictOf: uuid().nullable(),
    conflictBy: ref('users', { onDelete: 'setNull' }).nullable(),
  })
    .unique('projectId', 'path')
    .in('project', 'projectId', { load: 'onDemand' }),
})

type Tables = (typeof schema)['tables']
export type Project = Row<Tables['projects']>
export type ProjectMember = Row<Tables['projectMembers']>
export type Message = Row<Tables['messages']>
export type ProjectFile = Row<Tables['files']>
export type Framework = Project['framework']
export type ProjectStatus = Project['status']
