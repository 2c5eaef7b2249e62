// console.log and its kin, in Lambda's log formats: text, or JSON where AWS_LAMBDA_LOG_FORMAT asks for it.

import { format } from "node:util";

const LEVELS = ["TRACE", "DEBUG", "INFO", "WARN", "ERROR", "FATAL"];
const METHODS = { trace: "TRACE", debug: "DEBUG", log: "INFO", info: "INFO", warn: "WARN", error: "ERROR", fatal: "FATAL" };

let requestId;

/** From here on, lines belong to this invocation. */
export const logFor = (id) => {
  requestId = id;
};

export const patchConsole = () => {
  const line = process.env.AWS_LAMBDA_LOG_FORMAT?.toUpperCase() === "JSON" ? jsonLine : textLine;
  const lowest = LEVELS.indexOf(process.env.AWS_LAMBDA_LOG_LEVEL?.toUpperCase());
  for (const [method, level] of Object.entries(METHODS)) {
    console[method] =
      LEVELS.indexOf(level) < lowest
        ? () => {}
        : (...parameters) => {
            process.stdout.write(`${line(level, parameters)}\n`);
          };
  }
};

// Lambda ends a record at a line feed; within one, lines are parted by carriage returns.
const textLine = (level, parameters) =>
  `${new Date().toISOString()}\t${requestId}\t${level}\t${format(...parameters).replaceAll("\n", "\r")}`;

const jsonLine = (level, parameters) => {
  const record = { timestamp: new Date().toISOString(), level, requestId };
  if (parameters.length === 1) {
    try {
      return JSON.stringify({ ...record, message: parameters[0] }, withErrors);
    } catch {
      return JSON.stringify({ ...record, message: format(parameters[0]) });
    }
  }
  const error = parameters.find((parameter) => parameter instanceof Error);
  return JSON.stringify({ ...record, message: format(...parameters), ...(error ? described(error) : {}) });
};

const withErrors = (_key, value) => (value instanceof Error ? { ...described(value), ...value } : value);

const described = (error) => ({
  errorType: error.constructor?.name ?? "UnknownError",
  errorMessage: error.message,
  stackTrace: typeof error.stack === "string" ? error.stack.split("\n") : [],
});
