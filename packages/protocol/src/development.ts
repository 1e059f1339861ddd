/** Runs what helps who writes an app: checks of their code, and counts for tests. In a production build it and its argument are not there. */
export function development(run: () => void): void {
  run()
}
