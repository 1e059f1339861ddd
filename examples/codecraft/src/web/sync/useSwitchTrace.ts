import { useSession } from '../session/SessionContext.ts'

/** Switches the trace on or off. It stands between the client and its ports, from their beginning: so the page is loaded anew, and nothing is lost on that way. */
export function useSwitchTrace(): (isOn: boolean) => void {
  const { remembered } = useSession()
  return (isOn) => {
    remembered.setTraced(isOn)
    location.reload()
  }
}
