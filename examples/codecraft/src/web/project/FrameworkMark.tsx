import type { Framework } from '../../schema.ts'

const marks: Readonly<Record<Framework, string>> = { react: 'Re', vue: 'Vu', svelte: 'Sv', next: 'Nx', astro: 'As', express: 'Ex' }
const hues: Readonly<Record<Framework, number>> = { react: 225, vue: 155, svelte: 35, next: 265, astro: 310, express: 95 }

/** Two letters on a ground of the framework's own hue; its name stands beside it. */
export function FrameworkMark({ framework }: { readonly framework: Framework }) {
  const hue = hues[framework]
  const style = {
    background: `light-dark(oklch(0.955 0.022 ${hue}), oklch(0.29 0.03 ${hue}))`,
    color: `light-dark(oklch(0.46 0.08 ${hue}), oklch(0.85 0.06 ${hue}))`,
  }
  return (
    <span aria-hidden="true" style={style} className="flex size-9 shrink-0 items-center justify-center rounded-lg font-mono text-xs font-semibold select-none">
      {marks[framework]}
    </span>
  )
}
