#!/usr/bin/env node
import { register } from 'tsx/esm/api'
// Before tsx is registered: what is built needs no second look at each of its files.
import { main } from '../dist/main.js'

// The app's headwater.config.ts is TypeScript, which Node 20 does not read by itself.
register()
await main(process.argv.slice(2))
