// What a real PostgreSQL was asked and has not answered: time waits for it, unless it waits itself.

export interface Asked {
  /** It is worked on until it settles. */
  real<T>(work: () => Promise<T>): Promise<T>
  /** In the middle of that the database waits for us, who may wait for time. */
  ours<T>(work: () => Promise<T>): Promise<T>
  /** It is answered without anybody else, however long it takes. */
  surely<T>(work: () => Promise<T>): Promise<T>
  /** Resolves when everything is answered, or waits for a lock. */
  rest(): Promise<void>
  count(): number
}

/** So often nobody was seen at work, before what is asked is taken to wait: an answer may be on its way. */
const looksMin = 3
/** The same where more is asked than waits for locks: a connection is being made, or an answer is late. Of a machine with much else to do that takes its time; what waits for a session waits for somebody's lock all the same. */
const looksMax = 300
const lookMs = 3

export interface Look {
  /** How many do something, or may be about to. */
  readonly busy: number
  /** How many wait for a lock. */
  readonly waiting: number
}

/** `look`: at the sessions of the database. */
export function createAsked(look: () => Promise<Look>): Asked {
  let [begun, done, underWay, sure] = [0, 0, 0, 0]
  let seen = ''
  let news = () => {}
  const now = () => `${begun} ${done} ${underWay}`

  async function counted<T>(by: number, work: () => Promise<T>): Promise<T> {
    underWay += by
    begun++
    try {
      return await work()
    } finally {
      underWay -= by
      done++
      news()
    }
  }

  const somethingNew = () =>
    new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lookMs)
      news = () => {
        clearTimeout(timer)
        resolve()
      }
    })

  return {
    real: (work) => counted(1, work),
    ours: (work) => counted(-1, work),
    surely: async (work) => {
      sure++
      return counted(1, work).finally(() => sure--)
    },
    rest: async () => {
      for (let looks = 0; ; ) {
        await new Promise((resolve) => setImmediate(resolve))
        // Those who waited when it was looked at last still do: nothing has happened that they waited for.
        if (underWay === 0 || (sure === 0 && now() === seen)) return
        const before = now()
        await somethingNew()
        const { busy, waiting } = now() === before ? await look() : { busy: 1, waiting: 0 }
        if (now() !== before || sure > 0 || busy > 0) looks = 0
        else if (++looks >= (underWay > waiting ? looksMax : looksMin)) {
          seen = before
          return
        }
      }
    },
    count: () => begun,
  }
}
