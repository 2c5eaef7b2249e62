// From a function's Handler, such as `src/app.handler`, to the function to call.

import { readFileSync, statSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { pathToFileURL } from "node:url";

import {
  CallbackHandlerDeprecated,
  HandlerNotFound,
  ImportModuleError,
  MalformedHandlerName,
  UserCodeSyntaxError,
} from "./errors.mjs";
import { isStreaming } from "./streaming.mjs";

const require = createRequire(new URL("index.mjs", import.meta.url));

/** The handler, from the code below `root`. */
export const load = async (root, handler) => {
  if (handler.includes("..")) {
    throw new MalformedHandlerName(
      `'${handler}' is not a valid handler name. Use absolute paths when specifying root directories in handler names.`,
    );
  }
  const base = path.basename(handler);
  const dot = base.indexOf(".");
  if (dot < 0) {
    throw new MalformedHandlerName("Bad handler");
  }
  const folder = handler.slice(0, handler.length - base.length);
  const app = await loadModule(root, folder, base.slice(0, dot));
  const found = base
    .slice(dot + 1)
    .split(".")
    .reduce((value, name) => value?.[name], app);
  if (!found) {
    throw new HandlerNotFound(`${handler} is undefined or not exported`);
  }
  if (typeof found !== "function") {
    throw new HandlerNotFound(`${handler} is not a function`);
  }
  if (found.length >= 3 && !isStreaming(found) && major(process.env.AWS_EXECUTION_ENV) >= 24) {
    throw new CallbackHandlerDeprecated(
      "ERROR: AWS Lambda has removed support for callback-based function handlers starting with Node.js 24. You need " +
        "to modify this function to use a supported handler signature to use Node.js 24 or later.",
    );
  }
  return found;
};

const major = (runtime) => Number(/nodejs(\d+)/.exec(runtime ?? "")?.[1] ?? 0);

const loadModule = async (root, folder, module) => {
  try {
    return await findModule(root, folder, module);
  } catch (error) {
    if (error instanceof SyntaxError) {
      throw new UserCodeSyntaxError(error);
    }
    if (error?.code === "MODULE_NOT_FOUND") {
      throw new ImportModuleError(error);
    }
    throw error;
  }
};

// In the order in which Lambda tries them. Whether a .js file is an ES module, its package.json says.
const findModule = async (root, folder, module) => {
  const file = path.resolve(root, folder, module);
  if (isFile(file)) {
    return require(file);
  }
  if (isFile(`${file}.js`)) {
    return isModulePackage(path.dirname(file)) ? import(pathToFileURL(`${file}.js`)) : require(`${file}.js`);
  }
  if (isFile(`${file}.mjs`)) {
    return import(pathToFileURL(`${file}.mjs`));
  }
  if (isFile(`${file}.cjs`)) {
    return require(`${file}.cjs`);
  }
  // As Node.js itself finds modules: in node_modules, in a layer, or a folder with an index.js.
  return require(require.resolve(module, { paths: [root, folder] }));
};

const isFile = (file) => statSync(file, { throwIfNoEntry: false })?.isFile() ?? false;

const isModulePackage = (folder) => {
  if (folder.endsWith("/node_modules")) {
    return false;
  }
  const description = path.join(folder, "package.json");
  if (isFile(description)) {
    try {
      return JSON.parse(readFileSync(description, "utf8")).type === "module";
    } catch {
      return false;
    }
  }
  return folder !== path.dirname(folder) && isModulePackage(path.dirname(folder));
};
