import type { GrantBy, GrantSql, Sql } from '../api.ts'

/**
 * Grants with the columns by which those are found whom a change of a table concerns, so that only they are worked out again. All names are
 * as SQL has them. A table that the relation reads and `by` leaves out concerns everybody who is connected.
 *
 *     team: grant(sql`select m.user_id as "user", t.id as key, m.role from team_members m join teams t on t.id = m.team_id where not t.is_closed`, {
 *       by: { team_members: { user: 'user_id' }, teams: { key: 'id' } },
 *     })
 *
 * A relation that takes its columns as they stand from one table, or is a union of such, needs none of it. The server looks at everybody
 * now and then: what a wrong `by` missed heals within minutes, and is reported.
 */
export const grant = (relation: Sql, { by }: { readonly by: GrantBy }): GrantSql => ({ ...relation, by })
