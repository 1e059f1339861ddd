import { databases } from '../harness/databases.ts'
import { databaseContract } from './database.ts'

for (const kind of databases) databaseContract(kind)
