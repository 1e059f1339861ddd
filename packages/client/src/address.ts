/** Where the server's socket is: `/` and `https://example.org/app` both lead to `/headwater/socket` of their host. */
export function socketUrl(url: string, page: string | undefined): string {
  const socket = new URL('/headwater/socket', page === undefined ? url : new URL(url, page))
  // https becomes wss.
  socket.protocol = socket.protocol.replace('http', 'ws')
  return socket.href
}

/** The name of the store of one person on one server: no two have the same. */
export const diskName = (user: string, url: string): string => `headwater ${JSON.stringify([user, url])}`
