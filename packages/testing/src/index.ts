export { createTestClock, type TestClock } from '@headwater/client/node'
export { createTestApp, type TestApp, type TestAppOptions } from './app.ts'
export type { DeviceControls, DeviceOptions, TestDevice } from './device.ts'
