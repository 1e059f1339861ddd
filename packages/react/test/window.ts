// The globals of a page, for tests that have pages and a server in one process: to be imported before what looks for them. The environment of the test stays
// Node's, which a server needs.
import { Window } from 'happy-dom'

const window = new Window({ url: 'http://127.0.0.1/' })
Object.assign(globalThis, { window, document: window.document })
// From Node 21 on there is one.
if (!('navigator' in globalThis)) Object.assign(globalThis, { navigator: window.navigator })
