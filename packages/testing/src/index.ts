export { createTestApp, type TestApp, type TestAppOptions } from './app.ts'
export { createTestClock, type TestClock } from './clock.ts'
export type { DeviceControls, DeviceOptions, TestDevice } from './device.ts'
