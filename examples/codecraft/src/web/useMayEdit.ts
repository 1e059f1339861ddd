import { useCan, useQuery } from './headwater.ts'

/** Whether this person may write in the project. The server decides anew; what it would refuse is not offered. */
export function useMayEdit(projectId: string): boolean {
  const can = useCan()
  const project = useQuery((q) => q.projects.where({ id: projectId })).rows[0]
  return project !== undefined && can.update.projects(project, ['updatedAt'])
}
