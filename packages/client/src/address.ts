/** Where the server's socket is: `/` and `https://example.org/app` both lead to `/headwater/socket` of their host. */
export function socketUrl(url: string, page: string | undefined): string {
  const socket = new URL('/headwater/socket', page === undefined ? url : new URL(url, page))
  socket.protocol = socket.protocol === 'https:' || socket.protocol === 'wss:' ? 'wss:' : 'ws:'
  return socket.href
}

/** The name of the store of one person on one server: no two have the same, and every file system takes it. */
export function diskName(user: string, url: string): string {
  const name = `headwater-${JSON.stringify([user, url]).replace(/[^a-z0-9]/g, (unit) => `_${unit.charCodeAt(0).toString(36)}_`)}`
  // File systems take so much and not more; a longer name keeps its beginning and two sums of all of it.
  return name.length <= 160 ? name : `${name.slice(0, 140)}-${sumOf(name, 5381)}-${sumOf(name, 52711)}`
}

function sumOf(text: string, start: number): string {
  let sum = start
  for (let i = 0; i < text.length; i++) sum = (Math.imul(sum, 33) ^ text.charCodeAt(i)) >>> 0
  return sum.toString(36)
}
