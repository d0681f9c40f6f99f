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
  // After the whole suite Node 24.21 may spin in its own clean-up, with nothing open; this exit goes without it.
  forceExit: true,
};
