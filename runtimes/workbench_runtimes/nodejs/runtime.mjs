// Invocation after invocation: ask for one, call the handler, post what comes of it.

import { contextOf } from "./context.mjs";
import { logFor } from "./console.mjs";
import { formatted, NodeJsExit } from "./errors.mjs";

const TRACE = "_X_AMZN_TRACE_ID";

export class Runtime {
  #api;
  #isAsync;
  #onStart;
  // Called when nothing is left that the process could wait for.
  #whenIdle = () => {};

  /** `onStart` is told the request id of each invocation, before its event is touched. */
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
    this.#onStart(requestId);
    const trace = headers["lambda-runtime-trace-id"];
    if (trace) {
      process.env[TRACE] = trace;
    } else {
      delete process.env[TRACE];
    }
    this.#invoke(requestId, headers, body);
  }

  #invoke(requestId, headers, body) {
    let completed = false;
    const settings = { waits: true };

    const next = (posted) => {
      posted.then(
        () => this.start(),
        (error) => {
          console.error("Runtime API", formatted(error));
          process.exit(1);
        },
      );
    };
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
        done(
          new NodeJsExit(
            "The Lambda runtime client detected an unexpected Node.js exit code. This is most commonly caused by a " +
              "Promise that was never settled. For more information, see " +
              "https://nodejs.org/docs/latest/api/process.html#exit-codes",
          ),
        );
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
