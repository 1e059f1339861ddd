import type { Mutators, Schema } from '@headwater/schema'
import type { Config } from './api.ts'
import type { SharedOf } from './serverColumns.ts'

/** Types the default export of `headwater.config.ts`. */
export const defineConfig = <S extends Schema, M extends Mutators<SharedOf<S>>>(config: Config<S, M>): Config<S, M> => config
