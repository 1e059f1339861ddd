#!/usr/bin/env node
// The app's headwater.config.ts is TypeScript, which Node 20 does not read by itself.
import { register } from 'tsx/esm/api'

register()
const { main } = await import('../dist/main.js')
await main(process.argv.slice(2))
