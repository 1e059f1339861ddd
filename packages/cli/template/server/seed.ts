import type { SeedDatabase } from '@headwater/server'

/** Runs once, on a database that has just been made. */
export async function seed(database: SeedDatabase): Promise<void> {
  await database.query(`with list as (
      insert into lists (id, owner_id, title) values (gen_random_uuid(), 'ada', 'Groceries') returning id
    ), member as (insert into members (list_id, user_id, role) select id, 'grace', 'editor' from list)
    insert into items (id, list_id, text, done, position) select gen_random_uuid(), list.id, text, done, position
      from list, (values ('Bread', true, 1), ('Coffee', false, 2), ('Lemons', false, 3)) as item (text, done, position)`)
}
