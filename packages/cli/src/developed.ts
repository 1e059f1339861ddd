// `headwater dev` while an app is written: the server starts again with its configuration, and Vite's own server gives the pages.
import { appFolder } from './app.ts'
import { paint } from './paint.ts'
import { type DevArgs, portOf } from './serve.ts'
import { startVite } from './vite.ts'
import { runWatched, type Told } from './watched.ts'

interface Args extends DevArgs {
  readonly vite?: boolean | undefined
}

/** `rawArgs`: as they were given; the server's process gets them without what is done here. */
export async function developed(args: Args, rawArgs: readonly string[]): Promise<void> {
  const port = portOf(args.port)
  const vites: ReturnType<typeof startVite>[] = []

  async function show({ url }: Told): Promise<void> {
    if (!args.vite || url === null) return
    // Before the first start there is nothing that it could pass requests on to.
    const [vite = startVite(appFolder(args.app, args.data), url, port)] = vites
    vites[0] = vite
    const { url: shown } = await vite
    process.stdout.write(args.json ? `${JSON.stringify({ app: shown })}\n` : `${paint('green', '●')} ${paint('bold', shown)}\n`)
  }

  const failed = new AbortController()
  const onTold = (told: Told) => void show(told).catch((error) => failed.abort(error))
  const isBehindVite = args.vite === true
  await runWatched(['dev', ...withoutOwn(rawArgs)], { port: isBehindVite ? 0 : port, isBehindVite, onTold, signal: failed.signal })
  // One that could not be started has nothing to close.
  for (const vite of vites) await vite.then(({ close }) => close()).catch(() => {})
  failed.signal.throwIfAborted()
}

function withoutOwn(args: readonly string[]): readonly string[] {
  return args.filter((arg, i) => !/^--(no-)?(vite|watch)$/.test(arg) && !/^--port(=|$)/.test(arg) && args[i - 1] !== '--port')
}
