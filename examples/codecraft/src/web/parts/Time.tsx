import { useEffect, useState } from 'react'

const minuteMs = 60_000

/** A moment, said as one would: the whole of it is in the tooltip. */
export function Time({ at, className = '' }: { readonly at: string; readonly className?: string }) {
  const now = useMinute()
  const time = new Date(at)
  return (
    <time dateTime={at} title={time.toLocaleString()} className={className}>
      {agoText(time.getTime(), now)}
    </time>
  )
}

/** Now, to the minute: what shows an age follows it. */
function useMinute(): number {
  const [now, setNow] = useState(() => Date.now())
  useEffect(() => {
    const timer = setInterval(() => setNow(Date.now()), minuteMs)
    return () => clearInterval(timer)
  }, [])
  return now
}

const relative = new Intl.RelativeTimeFormat('en', { numeric: 'auto', style: 'narrow' })
const sameYear = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short' })
const otherYear = new Intl.DateTimeFormat('en', { day: 'numeric', month: 'short', year: 'numeric' })

/** `just now`, `12m ago`, `yesterday`, `3 Nov`. A clock that runs ahead gives `just now`, never a time to come. */
export function agoText(atMs: number, nowMs: number): string {
  const minutes = Math.floor((nowMs - atMs) / minuteMs)
  if (minutes < 1) return 'just now'
  if (minutes < 60) return relative.format(-minutes, 'minute')
  if (minutes < 24 * 60) return relative.format(-Math.floor(minutes / 60), 'hour')
  if (minutes < 7 * 24 * 60) return relative.format(-Math.floor(minutes / (24 * 60)), 'day')
  const isSameYear = new Date(atMs).getFullYear() === new Date(nowMs).getFullYear()
  return (isSameYear ? sameYear : otherYear).format(atMs)
}
