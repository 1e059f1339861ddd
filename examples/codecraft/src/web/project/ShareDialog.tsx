import { X } from 'lucide-react'
import { type FormEvent, type ReactNode, useState } from 'react'
import type { Person } from '../../people.ts'
import { memberRoles, type Project, type ProjectMember } from '../../schema.ts'
import { useCan, useMutate, useQuery } from '../headwater.ts'
import { Avatar } from '../parts/Avatar.tsx'
import { Button, IconButton } from '../parts/Button.tsx'
import { Dialog } from '../parts/Dialog.tsx'
import { Select } from '../parts/Select.tsx'
import { usePeople, usePerson } from '../session/SessionContext.ts'
import { useWrite } from '../sync/WritesContext.ts'

/** Who is in a project; its owner lets others in and out, and everybody else can leave. */
export function ShareDialog({ project, onClose }: { readonly project: Project; readonly onClose: () => void }) {
  const people = usePeople()
  const isOwner = useCan().delete.projects(project)
  const { rows: members } = useQuery((q) => q.projectMembers.where({ projectId: project.id }).orderBy('addedAt'))
  const isIn = (id: string) => id === project.ownerId || members.some((member) => member.userId === id)
  const others = people.all.filter((person) => !isIn(person.id))
  return (
    <Dialog title={isOwner ? 'Share project' : 'Members'} onClose={onClose} testId="share-dialog">
      <p className="truncate text-sm text-muted">{project.title}</p>
      <ul className="mt-3 divide-y divide-line border-y border-line">
        <MemberRow person={people.find(project.ownerId)}>
          <span className="text-sm text-muted">Owner</span>
        </MemberRow>
        {members.map((member) => (
          <MemberRow key={member.userId} person={people.find(member.userId)}>
            <MemberActions project={project} member={member} name={people.find(member.userId).name} isOwner={isOwner} />
          </MemberRow>
        ))}
      </ul>
      {isOwner && others.length > 0 && <AddMember key={others[0]?.id} project={project} others={others} />}
      {isOwner && others.length === 0 && <p className="mt-4 text-sm text-muted">Everybody here is in it.</p>}
      {!isOwner && <p className="mt-4 text-sm text-muted">Only {people.find(project.ownerId).name} can let others in.</p>}
    </Dialog>
  )
}

function MemberRow({ person, children }: { readonly person: Person; readonly children: ReactNode }) {
  return (
    <li data-testid="member" className="flex items-center gap-3 py-2.5">
      <Avatar person={person} size="large" />
      <span className="min-w-0 flex-1">
        <span className="block truncate text-sm font-medium">{person.name}</span>
        <span className="block truncate text-xs text-muted">{person.email}</span>
      </span>
      {children}
    </li>
  )
}

type Role = ProjectMember['role']
const roleNames: Readonly<Record<Role, string>> = { editor: 'Editor', viewer: 'Viewer' }
const roleOptions = memberRoles.map((role) => ({ value: role, label: roleNames[role] }))

interface MemberActionsProps {
  readonly project: Project
  readonly member: ProjectMember
  readonly name: string
  readonly isOwner: boolean
}

function MemberActions({ project, member, name, isOwner }: MemberActionsProps) {
  const mutate = useMutate()
  const write = useWrite()
  const isSelf = usePerson().id === member.userId
  const { projectId, userId } = member
  const remove = () => write(isSelf ? `Leave “${project.title}”` : `Remove ${name}`, mutate.projectMembers.delete({ projectId, userId }))
  if (!isOwner && !isSelf) return <span className="text-sm text-muted">{roleNames[member.role]}</span>
  if (isSelf)
    return (
      <Button size="small" data-testid="leave" onClick={remove}>
        Leave
      </Button>
    )
  return (
    <span className="flex items-center gap-1">
      <Select
        label={`Role of ${name}`}
        value={member.role}
        options={roleOptions}
        onChoose={(role) => write(`Make ${name} ${role}`, mutate.shareProject({ projectId, userId, role }))}
      />
      <IconButton label={`Remove ${name}`} data-testid="remove-member" onClick={remove}>
        <X aria-hidden size={16} />
      </IconButton>
    </span>
  )
}

function AddMember({ project, others }: { readonly project: Project; readonly others: readonly Person[] }) {
  const mutate = useMutate()
  const write = useWrite()
  const [userId, setUserId] = useState(others[0]?.id ?? '')
  const [role, setRole] = useState<Role>('editor')
  const add = (event: FormEvent) => {
    event.preventDefault()
    const name = others.find((person) => person.id === userId)?.name ?? userId
    write(`Share “${project.title}” with ${name}`, mutate.shareProject({ projectId: project.id, userId, role }))
  }
  return (
    <form onSubmit={add} className="mt-4 flex items-center gap-2">
      <Select
        label="Person"
        testId="share-person"
        value={userId}
        options={others.map(({ id, name }) => ({ value: id, label: name }))}
        onChoose={setUserId}
        className="min-w-0 flex-1"
      />
      <Select label="Role" value={role} options={roleOptions} onChoose={setRole} />
      <Button kind="primary" type="submit" data-testid="add-member">
        Add
      </Button>
    </form>
  )
}
