/** Tests run as plain JavaScript from dist: `tsc -b` has to run first. */
export default {
  files: ['dist/test/**/*.test.js'],
  // two files at a time: more would make the tests on real processes wait for a processor
  concurrency: 2,
  // the longest first, so that nobody waits for it alone
  sortTestFiles: (one, other) => Number(isLong(other)) - Number(isLong(one)) || (one < other ? -1 : 1),
  workerThreads: false,
  timeout: '5m',
};

function isLong(file) {
  return /\/(chaos|simulation)\//.test(file);
}
