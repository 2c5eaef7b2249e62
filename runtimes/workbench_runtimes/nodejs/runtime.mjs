// Invocation after invocation: ask for one, call the handler, post what comes of it.

import { finished } from "node:stream";

import { contextOf } from "./context.mjs";
import { logFor } from "./console.mjs";
import { formatted, NodeJsExit } from "./errors.mjs";
import { InvalidStreamingOperation, isStreaming } from "./streaming.mjs";

const TRACE = "_X_AMZN_TRACE_ID";
const NEVER_SETTLED =
  "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a " +
  "Promise that was never settled. For more information, see " +
  "https://nodejs.org/docs/latest/api/process.html#exit-codes";

export class Runtime {
  #api;
  #isAsync;
  #onStart;
  // Called when nothing is left that the process could wait for.
  #whenIdle = () => {};

  /** `onStart` is given, before the event of an invocation is touched, what posts an error of it. */
  constructor(api, handler, onStart) {
    this.#api = api;
    this.handler = handler;
    this.#isAsync = handler.constructor.name === "AsyncFunction";
    this.#onStart = onStart;
    process.on("beforeExit", () => this.#whenIdle());
  }

  /** Run until the process ends. A Runtime API that fails ends it. */
  start() {
    setImmediate(() => {
      this.handleOnce().catch((error) => {
        console.error("Runtime API", formatted(error));
        process.exit(1);
      });
    });
  }

  async handleOnce() {
    const { headers, body } = await this.#api.next();
    const requestId = headers["lambda-runtime-aws-request-id"];
    logFor(requestId);
    const stream = isStreaming(this.handler) ? this.#api.stream(requestId) : undefined;
    this.#onStart((error) => this.#postError(requestId, stream, error));
    const trace = headers["lambda-runtime-trace-id"];
    if (trace) {
      process.env[TRACE] = trace;
    } else {
      delete process.env[TRACE];
    }
    if (stream) {
      this.#invokeStreaming(requestId, headers, body, stream);
    } else {
      this.#invoke(requestId, headers, body);
    }
  }

  #postError(requestId, stream, error) {
    return stream?.begun ? this.#api.streamError(stream, error) : this.#api.error(requestId, error);
  }

  /** Go on to the next invocation once this one's outcome is posted. */
  #next(posted) {
    posted.then(
      () => this.start(),
      (error) => {
        console.error("Runtime API", formatted(error));
        process.exit(1);
      },
    );
  }

  #invokeStreaming(requestId, headers, body, stream) {
    let completed = false;
    const fail = (error) => {
      if (!completed) {
        completed = true;
        this.#whenIdle = () => {};
        console.error("Invoke Error", formatted(error));
        this.#next(this.#postError(requestId, stream, error));
      }
    };
    const succeed = (value) => {
      if (value !== undefined) {
        console.warn("Streaming handlers ignore return values.");
      }
      finished(stream, (error) => {
        if (error) {
          fail(error);
        } else if (!completed) {
          completed = true;
          this.#whenIdle = () => {};
          this.#next(stream.answered);
        }
      });
    };
    this.#whenIdle = () => fail(new NodeJsExit(NEVER_SETTLED));
    stream.on("error", fail);
    try {
      const ends = { done: fail, succeed: () => stream.end(), fail };
      const result = this.handler(JSON.parse(body), stream, contextOf(headers, { waits: true }, ends));
      if (typeof result?.then !== "function") {
        throw new InvalidStreamingOperation("Streaming does not support non-async handlers.");
      }
      result.then(succeed, fail);
    } catch (error) {
      fail(error);
    }
  }

  #invoke(requestId, headers, body) {
    let completed = false;
    const settings = { waits: true };

    const next = (posted) => this.#next(posted);
    const post = (result) => {
      let text;
      try {
        text = JSON.stringify(result === undefined ? null : result) ?? "null";
      } catch {
        postError(new Error("Unable to stringify response body"));
        return;
      }
      next(this.#api.response(requestId, text));
    };
    const postError = (error) => {
      console.error("Invoke Error", formatted(error));
      next(this.#api.error(requestId, error));
    };
    /** Whatever is called after the first of all these has no effect. */
    const once =
      (action) =>
      (...parameters) => {
        if (!completed) {
          completed = true;
          this.#whenIdle = () => {};
          action(...parameters);
        }
      };

    const failed = (error) => error !== undefined && error !== null;
    const done = once((error, result) => (failed(error) ? postError(error) : post(result)));
    const callback = once((error, result) => {
      if (failed(error)) {
        postError(error);
      } else if (settings.waits) {
        this.#whenIdle = () => {
          this.#whenIdle = () => {};
          post(result);
        };
      } else {
        post(result);
      }
    });
    const ends = {
      done,
      succeed: (result) => done(null, result),
      fail: (error) => done(failed(error) ? error : "handled"),
    };
    // The handler has returned, and nothing will ever settle it.
    this.#whenIdle = () => {
      if (this.#isAsync) {
        done(new NodeJsExit(NEVER_SETTLED));
      } else {
        done(null, null);
      }
    };
    try {
      const result = this.handler(JSON.parse(body), contextOf(headers, settings, ends), callback);
      if (typeof result?.then === "function") {
        result.then(ends.succeed, ends.fail);
      }
    } catch (error) {
      done(failed(error) ? error : "handled");
    }
  }
}
