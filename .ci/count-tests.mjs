/** Print "N passed, N failed" from vitest's JSON report; usage: count-tests.mjs REPORT FAILED_CHECKS EXIT_STATUS. */
import { existsSync, readFileSync } from "node:fs";

const [report, failedChecks, exitStatus] = process.argv.slice(2);
let passed = 0;
let failed = Number(failedChecks);
if (report && existsSync(report)) {
  const results = JSON.parse(readFileSync(report, "utf8"));
  passed = results.numPassedTests;
  failed += results.numFailedTests;
  // A file that could not even be loaded has no tests to count; nor has a run that ended with an unhandled error.
  const brokenFiles = results.testResults.filter(
    (file) => file.status === "failed" && !file.assertionResults.some((test) => test.status === "failed"),
  );
  failed += brokenFiles.length;
  if (!results.success && failed === 0) failed = 1;
}
if (Number(exitStatus) !== 0 && failed === 0) failed = 1;
console.log(`${passed} passed, ${failed} failed`);
