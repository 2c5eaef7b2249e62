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

export const become = async () => {
  const { environment, folder } = await assignment();
  for (const name of Object.keys(process.env)) {
    delete process.env[name];
  }
  Object.assign(process.env, environment);
  process.argv.splice(2);
  process.chdir(folder);
  // Node.js has read NODE_PATH when it started.
  module._initPaths();
};
