// What a new project begins with, by framework: enough to be read and changed at once.
import type { Framework } from './schema.ts'

export interface StarterFile {
  readonly path: string
  readonly type: 'file' | 'directory'
  readonly content: string
  readonly language: string | null
}

export const frameworkNames: Readonly<Record<Framework, string>> = {
  react: 'React',
  vue: 'Vue',
  svelte: 'Svelte',
  next: 'Next.js',
  astro: 'Astro',
  express: 'Express',
}

/** The first message of a project. */
export function welcome(title: string, framework: Framework): string {
  const entry = starters[framework].path
  return `“${title}” is ready, with a small ${frameworkNames[framework]} start in \`${entry}\`. Describe what it should do, or open the file and begin.`
}

/** Directories before what lies in them. */
export function starterFiles(framework: Framework, title: string): readonly StarterFile[] {
  const { path, language, content } = starters[framework]
  const readme = `# ${title}\n\nA ${frameworkNames[framework]} project.\n\n\`\`\`sh\nnpm install\nnpm run dev\n\`\`\`\n`
  const directories = path.split('/').slice(0, -1)
  return [
    { path: 'README.md', type: 'file', content: readme, language: 'Markdown' },
    { path: 'package.json', type: 'file', content: packageOf(framework), language: 'JSON' },
    ...directories.map((_, i) => ({ path: directories.slice(0, i + 1).join('/'), type: 'directory' as const, content: '', language: null })),
    { path, type: 'file', content, language },
  ]
}

interface Starter {
  readonly path: string
  readonly language: string
  readonly content: string
  readonly start: string
}

const starters: Readonly<Record<Framework, Starter>> = {
  react: {
    path: 'src/App.tsx',
    language: 'TSX',
    start: 'vite',
    content: `import { useState } from 'react'

export function App() {
  const [count, setCount] = useState(0)
  return (
    <main>
      <h1>Hello</h1>
      <button type="button" onClick={() => setCount(count + 1)}>
        Pressed {count} times
      </button>
    </main>
  )
}
`,
  },
  vue: {
    path: 'src/App.vue',
    language: 'Vue',
    start: 'vite',
    content: `<script setup lang="ts">
import { ref } from 'vue'

const count = ref(0)
</script>

<template>
  <main>
    <h1>Hello</h1>
    <button type="button" @click="count++">Pressed {{ count }} times</button>
  </main>
</template>
`,
  },
  svelte: {
    path: 'src/App.svelte',
    language: 'Svelte',
    start: 'vite',
    content: `<script lang="ts">
  let count = $state(0)
</script>

<main>
  <h1>Hello</h1>
  <button type="button" onclick={() => count++}>Pressed {count} times</button>
</main>
`,
  },
  next: {
    path: 'app/page.tsx',
    language: 'TSX',
    start: 'next dev',
    content: `export default function Page() {
  return (
    <main>
      <h1>Hello</h1>
      <p>Rendered at {new Date().toISOString()}</p>
    </main>
  )
}
`,
  },
  astro: {
    path: 'src/pages/index.astro',
    language: 'Astro',
    start: 'astro dev',
    content: `---
const title = 'Hello'
---

<html lang="en">
  <head><title>{title}</title></head>
  <body>
    <h1>{title}</h1>
  </body>
</html>
`,
  },
  express: {
    path: 'src/server.ts',
    language: 'TypeScript',
    start: 'tsx watch src/server.ts',
    content: `import express from 'express'

const app = express()
app.use(express.json())
app.get('/health', (_request, response) => {
  response.json({ status: 'ok' })
})
app.listen(3000)
`,
  },
}

function packageOf(framework: Framework): string {
  return `${JSON.stringify({ private: true, type: 'module', scripts: { dev: starters[framework].start } }, null, 2)}\n`
}
