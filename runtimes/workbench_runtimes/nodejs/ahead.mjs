// What the runtime of a spare does before it is a function's: wait for the assignment, and become what it would be by then
// had it been started with the function's variables.

import http from "node:http";
import module from "node:module";

const ASSIGNMENT = "/_workbench/assignment";

const assignment = () =>
  new Promise((resolve, reject) => {
    const { hostname, port } = new URL(`http://${process.env.AWS_LAMBDA_RUNTIME_API}`);
    const request = http.get({ agent: false, host: hostname, port, path: ASSIGNMENT }, (response) => {
      const chunks = [];
      response.on("data", (chunk) => chunks.push(chunk));
      response.on("error", reject);
      response.on("end", () => {
        const body = Buffer.concat(chunks).toString("utf8");
        if (response.statusCode === 200) {
          resolve(JSON.parse(body));
        } else {
          reject(new Error(`GET ${ASSIGNMENT} was answered with ${response.statusCode}: ${body}`));
        }
      });
    });
    request.on("error", reject);
  });

/** Have in memory what loads a function's modules, of both kinds, and what writes its logs. */
const loadLoaders = async () => {
  await import("data:text/javascript,export default 1");
  new module("/ahead.js")._compile("exports.handler = async () => 1;", "/ahead.js");
  new Date().toISOString();
};

export const become = async () => {
  await loadLoaders();
  const { environment, folder } = await assignment();
  // What stays the same is left alone: to touch TZ has Node.js find out about the time zone again.
  for (const name of Object.keys(process.env)) {
    if (!(name in environment)) {
      delete process.env[name];
    }
  }
  for (const [name, value] of Object.entries(environment)) {
    if (process.env[name] !== value) {
      process.env[name] = value;
    }
  }
  process.argv.splice(2);
  process.chdir(folder);
  // Node.js has read NODE_PATH when it started.
  module._initPaths();
};
