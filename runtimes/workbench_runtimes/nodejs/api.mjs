// The Runtime API, over one connection that is kept.

import http from "node:http";

import { asPosted } from "./errors.mjs";

const BASE = "/2018-06-01/runtime";

export class Api {
  #agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  #host;
  #port;

  constructor(address) {
    const { hostname, port } = new URL(`http://${address}`);
    this.#host = hostname;
    this.#port = port;
  }

  /** Wait for the next invocation, for however long that takes: its headers, and the event as text. */
  async next() {
    const { status, headers, body } = await this.#call("GET", "/invocation/next");
    if (status !== 200) {
      throw new Error(`GET ${BASE}/invocation/next was answered with ${status}: ${body}`);
    }
    return { headers, body };
  }

  /** Post a result, which is JSON already. */
  response(requestId, body) {
    return this.#post(`/invocation/${requestId}/response`, body);
  }

  /** Post what an invocation failed with. */
  error(requestId, error) {
    return this.#postError(`/invocation/${requestId}/error`, error);
  }

  /** Post what INIT failed with. */
  initError(error) {
    return this.#postError("/init/error", error);
  }

  #postError(path, error) {
    const posted = asPosted(error);
    // A header holds less than a string does.
    const type = String(posted.errorType).replace(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character));
    return this.#post(path, JSON.stringify(posted), { "Lambda-Runtime-Function-Error-Type": type });
  }

  #post(path, body, headers) {
    const bytes = Buffer.from(body, "utf8");
    const all = { "Content-Type": "application/json", "Content-Length": bytes.length, ...headers };
    return this.#call("POST", path, all, bytes);
  }

  #call(method, path, headers, body) {
    return new Promise((resolve, reject) => {
      const options = { agent: this.#agent, host: this.#host, port: this.#port, method, path: BASE + path, headers };
      const request = http.request(options, (response) => {
        const chunks = [];
        response.on("data", (chunk) => chunks.push(chunk));
        response.on("error", reject);
        response.on("end", () =>
          resolve({
            status: response.statusCode,
            headers: response.headers,
            body: Buffer.concat(chunks).toString("utf8"),
          }),
        );
      });
      request.on("error", reject);
      request.end(body);
    });
  }
}
