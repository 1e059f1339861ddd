export { useCan } from './can.ts'
export { createHooks, type Hooks } from './hooks.ts'
export { usePreload } from './preload.ts'
export { type AnyClient, HeadwaterProvider } from './provider.ts'
