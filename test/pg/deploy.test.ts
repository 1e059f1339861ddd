// What deploy/ says, in front of a real server: TLS with a certificate of one's own, WebSockets and plain HTTP. Where nginx is installed; CI installs it.
import { type ChildProcess, execFile, spawn, spawnSync } from 'node:child_process'
import { randomUUID as uuid } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { createInterface } from 'node:readline'
import { fileURLToPath } from 'node:url'
import { afterAll, beforeAll, describe, expect, test } from 'vitest'
import { freePort } from '../../packages/server/src/database/native/process.ts'
import { startServer, type TestServer } from '../harness/app.ts'
import { databases } from '../harness/databases.ts'

const root = fileURLToPath(new URL('../..', import.meta.url))
const path = `${process.env.PATH}:/usr/sbin:/sbin`
const isThere = (program: string) => spawnSync('sh', ['-c', `command -v ${program}`], { env: { ...process.env, PATH: path } }).status === 0
const [embedded] = databases

describe.runIf(isThere('nginx') && isThere('openssl'))('behind deploy/nginx.conf', () => {
  const folder = mkdtempSync(join(tmpdir(), 'hw-nginx-'))
  const certificate = join(folder, 'fullchain.pem')
  const children: ChildProcess[] = []
  const closing: (() => Promise<unknown>)[] = []
  let server: TestServer
  let url: string

  beforeAll(async () => {
    const opened = await embedded?.open()
    if (!opened) throw new Error('There is no database.')
    server = await startServer(opened.database)
    closing.push(() => server.close(), opened.close)
    const [secure, open] = [await freePort(), await freePort()]
    url = `https://127.0.0.1:${secure}`
    run(
      'openssl',
      'req',
      '-x509',
      '-newkey',
      'rsa:2048',
      '-nodes',
      '-days',
      '1',
      '-subj',
      '/CN=127.0.0.1',
      '-addext',
      'subjectAltName=IP:127.0.0.1',
      '-keyout',
      join(folder, 'privkey.pem'),
      '-out',
      certificate,
    )
    const site = readFileSync(join(root, 'deploy/nginx.conf'), 'utf8')
      .replace('127.0.0.1:4800', new URL(server.url).host)
      .replace('listen 443', `listen 127.0.0.1:${secure}`)
      .replace('listen 80', `listen 127.0.0.1:${open}`)
      .replaceAll('/etc/ssl/lists', folder)
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((name) => `${name}_temp_path ${folder}/${name};`)
    writeFileSync(
      join(folder, 'nginx.conf'),
      `daemon off; pid ${folder}/pid; error_log stderr; events {}\nhttp {\naccess_log off;\n${temporary.join('\n')}\n${site}\n}\n`,
    )
    run('nginx', '-t', '-p', folder, '-c', join(folder, 'nginx.conf'))
    children.push(
      spawn('nginx', ['-p', folder, '-c', join(folder, 'nginx.conf')], { env: { ...process.env, PATH: path }, stdio: ['ignore', 'ignore', 'inherit'] }),
    )
  }, 120_000)
  afterAll(async () => {
    for (const child of children) if (child.exitCode === null && child.kill('SIGTERM')) await once(child, 'exit')
    for (const close of closing) await close()
    rmSync(folder, { recursive: true, force: true })
  })

  function run(program: string, ...args: readonly string[]): string {
    const { status, stdout, stderr } = spawnSync(program, args, { encoding: 'utf8', env: { ...process.env, PATH: path } })
    if (status !== 0) throw new Error(`${program} ${args.join(' ')}\n${stdout}${stderr}`)
    return stdout
  }

  /** The body, then the status, as somebody with curl has it; empty where nobody answers. The server is in this process: it must not be waited for at a standstill. */
  const ask = async (asked: string, ...options: readonly string[]): Promise<string> => {
    const args = ['--silent', '--max-time', '20', '--cacert', certificate, '--write-out', '%{http_code}', ...options, `${url}${asked}`]
    return new Promise((resolve) => execFile('curl', args, (_, stdout) => resolve(stdout)))
  }

  function openDevice(user: string, road: 'socket' | 'plain') {
    const script = join(root, 'test/harness/proxied-device.ts')
    const args = ['--conditions=@headwater/source', '--import', 'tsx', script, url, user, uuid(), road]
    const child = spawn(process.execPath, args, { cwd: root, env: { ...process.env, NODE_EXTRA_CA_CERTS: certificate }, stdio: ['pipe', 'pipe', 'inherit'] })
    children.push(child)
    let titles: unknown = null
    createInterface({ input: child.stdout }).on('line', (line) => (titles = JSON.parse(line)))
    return () => titles
  }

  const listening = () => expect.poll(() => ask('/headwater/health'), { timeout: 30_000 }).toContain('200')

  test('a device by WebSocket and one by plain HTTP see what each other writes, and what SQL does', { timeout: 120_000 }, async () => {
    await listening()
    const devices = [openDevice('ada', 'socket'), openDevice('ada', 'plain')]
    for (const titles of devices) await expect.poll(titles, { timeout: 60_000 }).toEqual(['By plain', 'By socket'])
    await server.database.query(`update projects set title = 'By SQL' where title = 'By plain'`)
    for (const titles of devices) await expect.poll(titles, { timeout: 60_000 }).toEqual(['By SQL', 'By socket'])
  })

  test('pages and HTTP go through, foreign pages do not, and metrics are for this machine alone', async () => {
    await listening()
    expect(await ask('/headwater/query/projects', '--header', 'x-user: eve')).toBe('{"rows":[],"after":null}200')
    expect(await ask('/headwater/query/projects', '--header', 'x-user: eve', '--header', `origin: ${url}`)).toContain('200')
    expect(await ask('/headwater/query/projects', '--header', 'x-user: eve', '--header', 'origin: https://evil.example.org')).toMatch(/403$/)
    expect(await ask('/headwater/ready')).toMatch(/200$/)
    expect(await ask('/headwater/metrics')).toMatch(/404$/)
  })
})
