// Process of a Node.js function: Workbench's runtime interface client. It behaves as AWS's own for Node.js does, runs on
// Node.js 18 and newer, and needs nothing beside Node.js itself.
//
// The variables that it reads are Lambda's: AWS_LAMBDA_RUNTIME_API, _HANDLER, LAMBDA_TASK_ROOT and the AWS_LAMBDA_* ones.
// With the argument `ahead` it is the runtime of a spare: loaded, it asks the Runtime API which function it is.

import { become } from "./ahead.mjs";
import { Api } from "./api.mjs";
import { patchConsole } from "./console.mjs";
import { formatted, UnhandledPromiseRejection } from "./errors.mjs";
import { load } from "./handler.mjs";
import { findInLayers } from "./layers.mjs";
import { Runtime } from "./runtime.mjs";
import { installStreaming } from "./streaming.mjs";

if (process.argv[2] === "ahead") {
  await become();
}
const api = new Api(process.env.AWS_LAMBDA_RUNTIME_API);

// Where an error that nobody caught belongs: to INIT, until there is an invocation.
let report = (error) => api.initError(error);

/** Post the error, and leave: what state the function's code is in, nobody knows. */
const leave = (what, error, code) => {
  console.error(what, formatted(error));
  report(error).then(
    () => process.exit(code),
    () => process.exit(code),
  );
};

process.on("uncaughtException", (error) => leave("Uncaught Exception", error, 129));
process.on("unhandledRejection", (reason, promise) =>
  leave("Unhandled Promise Rejection", new UnhandledPromiseRejection(reason, promise), 128),
);

patchConsole();
installStreaming();
findInLayers();
try {
  const handler = await load(process.env.LAMBDA_TASK_ROOT ?? process.cwd(), process.env._HANDLER ?? "");
  new Runtime(api, handler, (post) => {
    report = post;
  }).start();
} catch (error) {
  leave("Uncaught Exception", error, 129);
}
