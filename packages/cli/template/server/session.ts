// Who somebody is. For trying only: whoever says a name is that person. Put your own sign-in here before anybody else can reach the app:
// `personOf` answers the id of the person whose cookie or token a request carries, or null.
const cookie = 'lists-person'

export function personOf(headers: Headers): string | null {
  if (process.env.NODE_ENV === 'production') throw new Error('server/session.ts: replace the sign-in by name by your own.')
  const value = headers
    .get('cookie')
    ?.split('; ')
    .find((one) => one.startsWith(`${cookie}=`))
    ?.slice(cookie.length + 1)
  return value ? decodeURIComponent(value) : null
}

/** POST /api/sign-in { "name": "ada" } */
export async function signIn(request: Request): Promise<Response> {
  const { pathname } = new URL(request.url)
  if (pathname !== '/api/sign-in' || request.method !== 'POST') return new Response('Not found', { status: 404 })
  const body: unknown = await request.json().catch(() => null)
  const name = typeof body === 'object' && body !== null && 'name' in body ? String(body.name).trim().toLowerCase() : ''
  if (!/^[a-z0-9._-]{1,100}$/.test(name)) return Response.json({ error: 'A name has letters, digits, dots, and is not empty.' }, { status: 422 })
  return Response.json({ name }, { headers: { 'set-cookie': `${cookie}=${encodeURIComponent(name)}; Path=/; HttpOnly; SameSite=Lax; Max-Age=31536000` } })
}
