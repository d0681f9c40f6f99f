export default {
  testEnvironment: 'node',
  setupFiles: ['reflect-metadata'],
  testMatch: ['<rootDir>/test/**/*.test.ts'],
  extensionsToTreatAsEsm: ['.ts'],
  transform: { '^.+\\.ts$': '@swc/jest' },
  coverageProvider: 'v8',
  collectCoverageFrom: ['src/**/*.ts'],
  // Most tests start processes and servers, which take their time on a busy machine.
  testTimeout: 60_000,
  // Once, Node 24.21 spun in its own clean-up after the whole suite, with nothing open: CI must not wait for that.
  forceExit: Boolean(process.env['CI']),
};
