// How a file is read by the editor, by the language it is kept with. Each comes in a chunk of its own, when the first file of it is opened.
import { type LanguageSupport, StreamLanguage } from '@codemirror/language'
import type { Extension } from '@codemirror/state'

/** The extension of a language; nothing for one that is shown as plain text. */
export async function languageExtension(language: string | null): Promise<Extension> {
  return (await loaders.get(language ?? '')?.()) ?? []
}

const javascript = (options: { readonly typescript?: boolean; readonly jsx?: boolean }) => async (): Promise<LanguageSupport> =>
  (await import('@codemirror/lang-javascript')).javascript(options)
const html = async () => (await import('@codemirror/lang-html')).html()

const loaders: ReadonlyMap<string, () => Promise<Extension>> = new Map<string, () => Promise<Extension>>([
  ['Astro', html],
  ['CSS', async () => (await import('@codemirror/lang-css')).css()],
  ['Dockerfile', async () => StreamLanguage.define((await import('@codemirror/legacy-modes/mode/dockerfile')).dockerFile)],
  ['HTML', html],
  ['JavaScript', javascript({ jsx: true })],
  ['JSON', async () => (await import('@codemirror/lang-json')).json()],
  ['JSX', javascript({ jsx: true })],
  ['Markdown', async () => (await import('@codemirror/lang-markdown')).markdown()],
  ['Python', async () => (await import('@codemirror/lang-python')).python()],
  ['Shell', async () => StreamLanguage.define((await import('@codemirror/legacy-modes/mode/shell')).shell)],
  ['SQL', async () => (await import('@codemirror/lang-sql')).sql()],
  ['Svelte', html],
  ['TSX', javascript({ typescript: true, jsx: true })],
  ['TypeScript', javascript({ typescript: true })],
  ['Vue', async () => (await import('@codemirror/lang-vue')).vue()],
  ['YAML', async () => (await import('@codemirror/lang-yaml')).yaml()],
])
