// Responses that are streamed: the global `awslambda`, and the stream that such a handler writes to.

import { Writable } from "node:stream";

const MARK = Symbol.for("aws.lambda.runtime.handler.streaming");
const WITH_PRELUDE = "application/vnd.awslambda.http-integration-response";

export class InvalidStreamingOperation extends Error {}
InvalidStreamingOperation.prototype.name = "Runtime.InvalidStreamingOperation";

class HttpResponseStream {
  /** Have what is written preceded by its status, headers and cookies. */
  static from(stream, prelude) {
    stream.setContentType(WITH_PRELUDE);
    stream._onBeforeFirstWrite = (write) => {
      write(JSON.stringify(prelude));
      write(new Uint8Array(8));
    };
    return stream;
  }
}

/** Make `awslambda` known to functions. */
export const installStreaming = () => {
  globalThis.awslambda = {
    ...globalThis.awslambda,
    streamifyResponse(handler) {
      handler[MARK] = "response";
      return handler;
    },
    HttpResponseStream,
  };
};

export const isStreaming = (handler) => handler[MARK] === "response";

/**
 * What a streaming handler writes to. `open` starts the request for a content type: nothing of it leaves before the first
 * write, so that an error until then is an ordinary one.
 */
export class ResponseStream extends Writable {
  #open;
  #contentType = "application/octet-stream";
  #post;

  constructor(open) {
    super({ decodeStrings: true });
    this.#open = open;
    this._onBeforeFirstWrite = undefined;
  }

  /** Whether something has left already. */
  get begun() {
    return this.#post !== undefined;
  }

  /** Settles when the Runtime API has answered; until the first write, there is nothing to wait for. */
  get answered() {
    return this.#post?.answered ?? Promise.resolve();
  }

  setContentType(contentType) {
    if (this.begun) {
      throw new InvalidStreamingOperation("Cannot set content-type, too late.");
    }
    this.#contentType = contentType;
  }

  write(chunk, ...more) {
    return super.write(asBytes(chunk), ...more);
  }

  end(chunk, ...more) {
    return typeof chunk === "function" ? super.end(chunk) : super.end(asBytes(chunk), ...more);
  }

  _write(chunk, _encoding, callback) {
    if (!this.begun) {
      const { request } = this.#begin();
      this._onBeforeFirstWrite?.((prelude) => request.write(prelude));
    }
    this.#post.request.write(chunk, callback);
  }

  _final(callback) {
    (this.#post ?? this.#begin()).request.end(callback);
  }

  /** End what has begun with an error in place of the rest. */
  fail(trailers) {
    if (!this.#post.request.writableEnded) {
      this.#post.request.addTrailers(trailers);
      this.#post.request.end();
    }
    return this.answered;
  }

  #begin() {
    this.#post = this.#open(this.#contentType);
    return this.#post;
  }
}

const asBytes = (chunk) =>
  chunk === undefined || chunk === null || typeof chunk === "string" || chunk instanceof Uint8Array
    ? chunk
    : JSON.stringify(chunk);
