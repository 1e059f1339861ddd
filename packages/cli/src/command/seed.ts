import { HeadwaterError } from '@headwater/protocol'
import { isSeeded, seedOnce } from '@headwater/server'
import { defineCommand } from 'citty'
import { answer, jsonArg } from '../answer.ts'
import { appArgs, appFolder, loadConfig, openFor } from '../app.ts'
import { paint } from '../paint.ts'
import { createProgress } from '../progress.ts'

export const seed = defineCommand({
  meta: { name: 'seed', description: 'Runs the seed of the configuration, once per database and all of it or nothing. A second time it does nothing.' },
  args: { ...appArgs, ...jsonArg },
  run: async ({ args }) => {
    const app = appFolder(args.app, args.data)
    const { seed: sow } = await loadConfig(app)
    if (!sow) throw new HeadwaterError('no-seed', 'The configuration has no seed.', 'Write `seed: async (database) => { ... }` in headwater.config.ts.')
    const database = await openFor(app, args.database)
    const progress = createProgress(args.json === true)
    try {
      const before = await isSeeded(database)
      progress(before ? null : 'seeding')
      const seeded = !before && (await seedOnce(database, sow))
      answer(args.json, { seeded }, () => `${seeded ? paint('green', 'seeded') : 'It was seeded before: nothing was done. `headwater reset` begins anew.'}\n`)
    } finally {
      progress(null)
      await database.close()
    }
  },
})
