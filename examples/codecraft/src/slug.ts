/**
 * A project's name in addresses: its title in lower case with the end of its id, so that two projects of one title differ.
 * At most 67 characters. Letters that are not ASCII lose their accents or are left out; the id alone is enough.
 */
export function slugOf(title: string, id: string): string {
  const words = title
    .normalize('NFKD')
    .toLowerCase()
    .replace(/[\u0300-\u036f]/g, '')
    .replace(/[^a-z0-9]+/g, '-')
  const head = words.slice(0, 60).replace(/^-+|-+$/g, '')
  const tail = id.slice(-6)
  return head === '' ? tail : `${head}-${tail}`
}
