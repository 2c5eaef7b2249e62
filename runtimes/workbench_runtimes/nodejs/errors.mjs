// Errors of the runtime itself, and errors as Lambda shows them.

import { types } from "node:util";

// Their names show in stack traces, so they must be there when an error is made: on the prototype.
const named = (name, type) => {
  type.prototype.name = `Runtime.${name}`;
  return type;
};

export const ImportModuleError = named("ImportModuleError", class extends Error {});
export const HandlerNotFound = named("HandlerNotFound", class extends Error {});
export const MalformedHandlerName = named("MalformedHandlerName", class extends Error {});
export const UserCodeSyntaxError = named("UserCodeSyntaxError", class extends Error {});
export const CallbackHandlerDeprecated = named("CallbackHandlerDeprecated", class extends Error {});
export const NodeJsExit = named("NodeJsExit", class extends Error {});
export const UnhandledPromiseRejection = named(
  "UnhandledPromiseRejection",
  class extends Error {
    constructor(reason, promise) {
      super(reason);
      this.reason = reason;
      this.promise = promise;
    }
  },
);

const isError = (value) =>
  types.isNativeError(value) || Boolean(value && value.name && value.message && value.stack);

const lines = (stack) => (typeof stack === "string" ? stack.split("\n") : []);

/** An error as the caller of the function gets it. What is no error is shown by its type. */
export const asPosted = (error) => {
  try {
    if (isError(error)) {
      return { errorType: String(error.name), errorMessage: String(error.message), trace: lines(error.stack) };
    }
    return { errorType: typeof error, errorMessage: String(error), trace: [] };
  } catch {
    return {
      errorType: "handled",
      errorMessage:
        "callback called with Error argument, but there was a problem while retrieving one or more of its message, " +
        "name, and stack",
      trace: [],
    };
  }
};

const withEnumerable = (_key, value) => {
  if (!(value instanceof Error)) {
    return value;
  }
  const shown = { errorType: value.name, errorMessage: value.message, code: value.code, ...value };
  if (typeof value.stack === "string") {
    shown.stack = lines(value.stack);
  }
  return shown;
};

/** An error as the log shows it: one line, with what the error carries of its own. */
export const formatted = (error) => {
  try {
    return `\t${JSON.stringify(error, withEnumerable)}`;
  } catch {
    return `\t${JSON.stringify(asPosted(error))}`;
  }
};
