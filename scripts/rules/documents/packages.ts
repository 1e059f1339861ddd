// Invariant: every package says of itself what publishing needs, and of the repository what the repository says: its address stands in package.json of the root,
// and is not decided yet.
import type { Finding, SourceFile } from '../finding.ts'

interface Manifest {
  readonly name?: string
  readonly description?: string
  readonly license?: string
  readonly repository?: { readonly url?: string; readonly directory?: string }
  readonly engines?: { readonly node?: string }
  readonly publishConfig?: { readonly access?: string; readonly provenance?: boolean }
  readonly sideEffects?: unknown
  readonly files?: readonly string[]
}

export function checkPackages(files: readonly SourceFile[]): readonly Finding[] {
  const root = manifestOf(files.find(({ path }) => path === 'package.json'))
  return files
    .filter(({ path }) => /^packages\/[^/]+\/package\.json$/.test(path))
    .flatMap((file) => {
      const found = manifestOf(file)
      const wanted: Readonly<Record<string, boolean>> = {
        description: (found.description ?? '').length > 20,
        license: found.license === root.license,
        'repository.url': found.repository?.url === root.repository?.url,
        'repository.directory': found.repository?.directory === file.path.replace('/package.json', ''),
        'engines.node': found.engines?.node === root.engines?.node,
        'publishConfig.access': found.publishConfig?.access === 'public',
        'publishConfig.provenance': found.publishConfig?.provenance === true,
        sideEffects: found.sideEffects !== undefined,
        files: found.files?.includes('dist') === true,
      }
      return Object.entries(wanted)
        .filter(([, isThere]) => !isThere)
        .map(([name]) => ({ path: file.path, line: 1, what: name, why: 'It is missing, or not as in the package.json of the root.' }))
    })
}

// What is read of it may be absent, and is compared.
const manifestOf = (file: SourceFile | undefined): Manifest => JSON.parse(file?.text ?? '{}') as Manifest
