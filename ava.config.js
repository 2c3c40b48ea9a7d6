/** Tests run as plain JavaScript from dist: `tsc -b` has to run first. */
export default {
  files: ['dist/test/**/*.test.js'],
  // two files at a time: more would make the tests on real processes wait for a processor
  concurrency: 2,
  workerThreads: false,
  timeout: '5m',
};
