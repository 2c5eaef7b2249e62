// The Runtime API, over one connection that is kept.

import http from "node:http";

import { asPosted } from "./errors.mjs";
import { ResponseStream } from "./streaming.mjs";

const BASE = "/2018-06-01/runtime";
const ERROR_TYPE = "Lambda-Runtime-Function-Error-Type";
const ERROR_BODY = "Lambda-Runtime-Function-Error-Body";
const MODE = "Lambda-Runtime-Function-Response-Mode";

// A header holds less than a string does.
const headerSafe = (text) => String(text).replace(/[^\x20-\x7e]/g, (character) => encodeURIComponent(character));

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

  /** The stream of a result that is posted while it is written. */
  stream(requestId) {
    const path = `/invocation/${requestId}/response`;
    const headers = { "Transfer-Encoding": "chunked", [MODE]: "streaming", Trailer: `${ERROR_TYPE}, ${ERROR_BODY}` };
    return new ResponseStream((contentType) => this.#request("POST", path, { ...headers, "Content-Type": contentType }));
  }

  /** End a stream that has begun with what the invocation failed with. */
  streamError(stream, error) {
    const posted = asPosted(error);
    const body = Buffer.from(JSON.stringify(posted), "utf8").toString("base64");
    return stream.fail({ [ERROR_TYPE]: headerSafe(posted.errorType), [ERROR_BODY]: body });
  }

  #postError(path, error) {
    const posted = asPosted(error);
    return this.#post(path, JSON.stringify(posted), { [ERROR_TYPE]: headerSafe(posted.errorType) });
  }

  #post(path, body, headers) {
    const bytes = Buffer.from(body, "utf8");
    const all = { "Content-Type": "application/json", "Content-Length": bytes.length, ...headers };
    return this.#call("POST", path, all, bytes);
  }

  #call(method, path, headers, body) {
    const { request, answered } = this.#request(method, path, headers);
    request.end(body);
    return answered;
  }

  #request(method, path, headers) {
    const options = { agent: this.#agent, host: this.#host, port: this.#port, method, path: BASE + path, headers };
    const request = http.request(options);
    const answered = new Promise((resolve, reject) => {
      request.on("response", (response) => {
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
    });
    return { request, answered };
  }
}
