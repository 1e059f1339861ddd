// Loaded into the server that `npm start` runs (`--import`): when its parent is gone, however it went, the server says goodbye and ends.
if (process.channel) {
  process.channel.unref()
  process.once('disconnect', () => process.kill(process.pid, 'SIGTERM'))
}
